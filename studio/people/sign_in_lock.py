"""How many wrong passwords lock sign-in: for a person from an address, from an address, and for a person.

django-axes counts them and has one limit; here each count has its own. In a browser where a person has signed
in before (known_devices.py), only the wrong passwords of that browser count, so that nobody locks a colleague
out.
"""

from __future__ import annotations

from typing import Any

from axes.attempts import get_cool_off_threshold
from axes.handlers.database import AxesDatabaseHandler
from axes.helpers import get_client_username
from axes.models import AccessAttempt
from django.conf import settings
from django.db.models import Q, Sum
from django.http import HttpRequest

from studio.people.known_devices import find_device

ADDRESS_LIMIT = 30
"""From one address, over all names: an office may share one and mistype; a list of names is longer."""
PERSON_LIMIT = 50
"""For one name, from all addresses: 200 guesses an hour find no password that the validators accept."""


class SignInLock(AxesDatabaseHandler):
    """The column `user_agent` holds the known browser instead, blank for a stranger's: a client chooses the
    name of its browser freely."""

    def user_login_failed(
        self, sender: Any, credentials: dict[str, Any], request: HttpRequest | None = None, **kwargs: Any
    ) -> None:
        if request is not None:
            mark_device(request, credentials)
        super().user_login_failed(sender, credentials, request, **kwargs)

    def get_failures(self, request: HttpRequest, credentials: dict[str, Any] | None = None) -> int:
        """Return the count that is nearest to its limit, scaled to AXES_FAILURE_LIMIT."""
        mark_device(request, credentials)
        name, usual = get_client_username(request, credentials), settings.AXES_FAILURE_LIMIT
        device, address = request.axes_user_agent, request.axes_ip_address  # type: ignore[attr-defined]
        recent = AccessAttempt.objects.filter(
            attempt_time__gte=get_cool_off_threshold(request), user_agent=device
        )
        if device:
            return count_failures(recent, Q(username=name))
        here, theirs = Q(ip_address=address), Q(username=name)
        return max(
            count_failures(recent, here & theirs),
            count_failures(recent, here) * usual // ADDRESS_LIMIT,
            count_failures(recent, theirs) * usual // PERSON_LIMIT,
        )


def mark_device(request: HttpRequest, credentials: dict[str, Any] | None) -> None:
    request.axes_user_agent = find_device(  # type: ignore[attr-defined]
        request, get_client_username(request, credentials)
    )


def count_failures(attempts: Any, condition: Q) -> int:
    return attempts.filter(condition).aggregate(n=Sum("failures_since_start"))["n"] or 0
