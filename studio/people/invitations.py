"""One-time links, so that no password is ever sent.

They are not stored. A link is a signature over the person's row (django.contrib.auth.tokens): it ends with
the first password that it sets, or after PASSWORD_RESET_TIMEOUT.
"""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.auth.tokens import default_token_generator
from django.urls import reverse
from django.utils.http import urlsafe_base64_decode, urlsafe_base64_encode

from studio.models import Membership, Project, Role


def admin_exists() -> bool:
    """Whether an admin of this installation has signed in at least once."""
    return User.objects.filter(is_superuser=True, is_active=True, last_login__isnull=False).exists()


def invite_admin(username: str = "") -> User:
    """Create or find the person to become an admin of the installation; their earlier links end."""
    waiting = User.objects.filter(is_superuser=True, last_login__isnull=True).order_by("pk").first()
    user = User.objects.filter(username=username).first() if username else waiting
    user = user or User(username=username or "admin")
    user.is_superuser = user.is_active = True
    user.set_unusable_password()
    user.save()
    return user


def create_invited_user(username: str) -> User:
    """Create a person who can sign in with a one-time link only."""
    user = User(username=username, email=username if "@" in username else "")
    user.set_unusable_password()
    user.save()
    return user


def one_time_link(user: User, base_url: str = "") -> str:
    uid = urlsafe_base64_encode(str(user.pk).encode())
    path = reverse("join", args=[uid, default_token_generator.make_token(user)])
    return f"{base_url or settings.BASE_URL}{path}"


def revoke_links(user: User) -> None:
    """End all links of this person, and their password."""
    user.set_unusable_password()
    user.save(update_fields=["password"])


def find_link_holder(uid: str, token: str) -> User | None:
    """Return the person of a valid link, or None; the row is locked until the transaction ends."""
    try:
        pk = int(urlsafe_base64_decode(uid))
        user = User.objects.select_for_update().get(pk=pk, is_active=True)
    except (ValueError, OverflowError, User.DoesNotExist):
        return None
    return user if default_token_generator.check_token(user, token) else None


def join_projects_without_admin(user: User) -> None:
    """Make an admin of the installation the admin of each project that has none."""
    if user.is_superuser:
        for project in Project.objects.exclude(membership__role=Role.ADMIN):
            Membership.objects.update_or_create(project=project, user=user, defaults={"role": Role.ADMIN})


def can_renew_link(actor: User, person: User, project: Project) -> bool:
    """Whether `actor` may create a new link for `person`.

    Whoever hands out a link could use it. So an admin of one project may do that only for somebody who has
    never signed in and belongs nowhere else.
    """
    if actor.is_superuser:
        return actor != person
    elsewhere = person.membership_set.exclude(project=project).exists()
    return person.last_login is None and not person.is_superuser and not elsewhere
