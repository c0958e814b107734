"""A cookie for browsers in which somebody has signed in, so that wrong passwords of others don't count there.

It proves nothing but that. OWASP: "Slow down online guessing attacks with device cookies".
"""

from __future__ import annotations

import secrets

from django.conf import settings
from django.contrib.auth.models import User
from django.core import signing
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse

COOKIE = "known_device"
SALT = "studio.people.known_devices"
MAX_AGE = 180 * 24 * 3600
"""Seconds. Whoever stays away longer is a stranger for one sign-in."""


def remember_device(response: HttpResponseBase, user: User) -> None:
    """Set the cookie. Each sign-in makes a new one, with no wrong passwords yet."""
    response.set_cookie(
        COOKIE,
        signing.dumps([user.get_username(), secrets.token_urlsafe(12)], salt=SALT),
        max_age=MAX_AGE,
        path=reverse("sign_in"),
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def find_device(request: HttpRequest, username: str | None) -> str:
    """Return the number of the browser, or "" if this person has not signed in there."""
    try:
        name, device = signing.loads(request.COOKIES.get(COOKIE, ""), salt=SALT, max_age=MAX_AGE)
    except signing.BadSignature:
        return ""
    return str(device) if name == username else ""
