"""Invitations to projects, and one-time links, so that no password is ever sent.

Links are not stored. One for a person is a signature over their row (django.contrib.auth.tokens): it ends
with the first password that it sets. One for an invitation is a signature over its key: it ends when somebody
accepts it, or when a new one is created. Both end after PASSWORD_RESET_TIMEOUT.

An invitation makes whoever holds its link a member, under their own account or a new one. Its name is only a
proposal: an account of that name, which somebody else may have created, gets nothing from it.
"""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.auth.tokens import default_token_generator
from django.core import signing
from django.urls import reverse
from django.utils import timezone
from django.utils.crypto import get_random_string
from django.utils.http import urlsafe_base64_decode, urlsafe_base64_encode

from studio.models import Invitation, Membership, Project, Role

SALT = "studio.people.invitations"


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


def one_time_link(user: User, base_url: str = "") -> str:
    uid = urlsafe_base64_encode(str(user.pk).encode())
    path = reverse("join", args=[uid, default_token_generator.make_token(user)])
    return f"{base_url or settings.BASE_URL}{path}"


def revoke_links(user: User) -> None:
    """End all links of this person, and their password."""
    user.set_unusable_password()
    user.save(update_fields=["password"])


def find_link_holder(uid: str, token: str, *, lock: bool = False) -> User | None:
    """Return the person of a valid link, or None. `lock` keeps the row until the transaction ends."""
    rows = User.objects.select_for_update() if lock else User.objects.all()
    try:
        pk = int(urlsafe_base64_decode(uid))
        user = rows.get(pk=pk, is_active=True)
    except (ValueError, OverflowError, User.DoesNotExist):
        return None
    return user if default_token_generator.check_token(user, token) else None


def create_invitation_link(invitation: Invitation) -> str:
    """Return a new link; the earlier one ends."""
    invitation.key, invitation.linked_at = get_random_string(22), timezone.now()
    invitation.save(update_fields=["key", "linked_at"])
    token = signing.dumps([invitation.pk, invitation.key], salt=SALT)
    return f"{settings.BASE_URL}{reverse('invitation', args=[token])}"


def find_invitation(token: str, *, lock: bool = False) -> Invitation | None:
    """Return the invitation of a valid link, or None. `lock` keeps the row until the transaction ends."""
    rows = Invitation.objects.select_related("project", "invited_by")
    try:
        pk, key = signing.loads(token, salt=SALT, max_age=settings.PASSWORD_RESET_TIMEOUT)
    except signing.BadSignature:
        return None
    return (rows.select_for_update(of=("self",)) if lock else rows).filter(pk=pk, key=key).first()


def accept_invitation(invitation: Invitation, user: User) -> None:
    Membership.objects.get_or_create(
        project=invitation.project, user=user, defaults={"role": invitation.role}
    )
    invitation.delete()


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
