"""Which passwords are too easy to guess: common ones, also twice, in a row or with a number."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.contrib.auth.password_validation import CommonPasswordValidator
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _


class EasyPasswordValidator(CommonPasswordValidator):
    """Django's list of 20,000 common passwords, and what is made of one or two of them.

    Three or more unrelated words are fine, as in a passphrase. So is a text that repeats, if it is long
    enough by itself.
    """

    def __init__(self, shortest: int) -> None:
        """`shortest` is the length that a password must have."""
        super().__init__()
        self.shortest = shortest

    def validate(self, password: str, user: User | None = None) -> None:
        text = password.lower().strip()
        unit = find_repeated_unit(text)
        repeats = len(unit) < len(text)
        if (repeats and len(unit) < self.shortest) or self.is_made_of_common_parts(unit):
            raise ValidationError(self.get_error_message(), code="password_too_common")

    def is_made_of_common_parts(self, text: str) -> bool:
        return any(
            self.is_common(text[:place]) and self.is_common(text[place:]) for place in range(len(text) + 1)
        )

    def is_common(self, text: str) -> bool:
        """Whether it is a common password, with or without what surrounds its letters and digits; or has no
        letters, as a year or a date."""
        bare = text.strip("".join(letter for letter in set(text) if not letter.isalnum()))
        return text in self.passwords or bare in self.passwords or not any(map(str.isalpha, bare))

    def get_error_message(self) -> str:
        return _(
            "This password is too easy to guess: it repeats, or consists of common passwords or of a number. "
            "Use several unrelated words."
        )


def find_repeated_unit(text: str) -> str:
    """Return the shortest text that gives `text` when written one after the other: `abc` for `abcabcab`;
    `text` itself if it would not be written at least twice."""
    for size in range(1, len(text) // 2 + 1):
        if text[size:] == text[:-size]:
            return text[:size]
    return text
