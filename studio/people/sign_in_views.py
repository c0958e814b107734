"""Sign-in, sign-out and the one-time link."""

from __future__ import annotations

from django.contrib.auth import login
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.models import User
from django.contrib.auth.views import LoginView, LogoutView
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from studio.models import AuditEntry
from studio.people import invitations
from studio.people.forms import JoinForm, SignInForm

sign_in = login_not_required(
    LoginView.as_view(
        template_name="studio/people/sign_in.html",
        authentication_form=SignInForm,
        redirect_authenticated_user=True,
    )
)


sign_out = LogoutView.as_view()


@require_http_methods(["GET", "POST"])
@never_cache
@login_not_required
def join(request: HttpRequest, uid: str, token: str) -> HttpResponse:
    """Set name and password with a one-time link, and sign in."""
    with transaction.atomic():
        # Inside the transaction, so that of two visits with one link only the first finds it valid.
        user = invitations.find_link_holder(uid, token)
        if user is None:
            return render(request, "studio/people/link_ended.html", status=410)
        form = JoinForm(user, request.POST or None)
        if not form.is_valid():
            return render(request, "studio/people/join.html", {"form": form, "joining": user})
        save_and_sign_in(request, user, form)
    return redirect("home")


def save_and_sign_in(request: HttpRequest, user: User, form: JoinForm) -> None:
    form.save()
    invitations.join_projects_without_admin(user)
    login(request, user, backend="django.contrib.auth.backends.ModelBackend")
    AuditEntry.record("person.join", actor=user, subject=user.username)
