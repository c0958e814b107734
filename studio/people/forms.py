"""Forms to join, to sign in, and to add members."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
from django.contrib.auth.password_validation import validate_password
from django.contrib.auth.validators import UnicodeUsernameValidator
from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from studio.models import Project, Role
from studio.pages.forms import StyledForm

if TYPE_CHECKING:
    ProjectModelForm = forms.ModelForm[Project]
else:
    ProjectModelForm = forms.ModelForm


LONGEST_PASSWORD = 256
"""Characters: longer than any passphrase, and short enough to be compared with parts of itself."""
LONGEST_NAME = 150
"""Characters of a username, as in Django's user model. PostgreSQL counts no attempts for far longer ones."""


class JoinForm(StyledForm, forms.Form):
    name = forms.CharField(label=gettext_lazy("Your name"), max_length=150)
    password = forms.CharField(
        label=gettext_lazy("Password"),
        strip=False,
        max_length=LONGEST_PASSWORD,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=gettext_lazy("At least 12 characters."),
    )
    repeated = forms.CharField(
        label=gettext_lazy("Confirm password"),
        strip=False,
        max_length=LONGEST_PASSWORD,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        self.user = user
        super().__init__(*args, initial={"name": user.first_name}, **kwargs)

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        self.user.first_name = given.get("name", "")
        password = given.get("password")
        if password and password != given.get("repeated"):
            self.add_error("repeated", _("The passwords don’t match."))
        elif password:
            try:
                validate_password(password, self.user)
            except ValidationError as error:
                self.add_error("password", error)
        return given

    def hash_password(self) -> str:
        """Before the transaction that stores it: on SQLite, no one else could write meanwhile."""
        return make_password(self.cleaned_data["password"])


class SignInForm(StyledForm, AuthenticationForm):
    """Django's sign-in form, styled like the other forms."""

    error_messages = {
        **AuthenticationForm.error_messages,
        "invalid_login": gettext_lazy("Wrong username or password."),
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].validators.append(MaxLengthValidator(LONGEST_NAME))


class MemberForm(StyledForm, forms.Form):
    username = forms.CharField(
        label=gettext_lazy("Username or email"),
        max_length=LONGEST_NAME,
        validators=[UnicodeUsernameValidator()],
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none"}),
    )
    role = forms.ChoiceField(label=gettext_lazy("Role"), choices=Role.choices, initial=Role.TUNER)
