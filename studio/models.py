"""Projects, memberships and roles, and the audit log."""

from __future__ import annotations

import logging
import os
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from studio.projects.places import Places, ProjectStorage
from studio.projects.regions import find_region_owners
from studio.vertex.auth import Place
from studio.vertex.client import Vertex

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User

log = logging.getLogger(__name__)


class Backend(models.TextChoices):
    ENGINE = "engine", _("Local engine")
    GOOGLE = "google", _("Vertex AI")


# The name of the project that a new installation begins with, as its row holds it in every language.
FIRST_PROJECT_NAME = "Local engine"


class Role(models.TextChoices):
    VIEWER = "viewer", _("Viewer")
    TUNER = "tuner", _("Tuner")
    ADMIN = "admin", _("Admin")

    def covers(self, needed: Role) -> bool:
        order = list(Role)
        return order.index(self) >= order.index(needed)


class ProjectQuerySet(models.QuerySet["Project"]):
    def visible_to(self, user: User | AnonymousUser) -> ProjectQuerySet:
        if user.is_superuser:
            return self
        return self.filter(membership__user_id=user.pk or 0)


class Project(models.Model):
    """A place to tune: a Google Cloud project, or the engine of this installation.

    `credentials_file` is the path of a service-account file on the server (blank: application default
    credentials); its content is never stored in the database. `shared_places` are folders, gs://bucket/folder/,
    that the project may use besides its own.
    """

    slug = models.SlugField(unique=True, max_length=63)
    name = models.CharField(max_length=100)
    backend = models.CharField(max_length=10, choices=Backend, default=Backend.ENGINE)
    project_id = models.CharField(max_length=63)
    regions = models.JSONField(default=list)
    bucket = models.CharField(max_length=63, blank=True)
    shared_places = models.JSONField(default=list, blank=True)
    credentials_file = models.CharField(max_length=500, blank=True)
    quota_project = models.CharField(max_length=63, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ProjectQuerySet.as_manager()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def title(self) -> str:
        """The name that pages show: that of the first project is in the reader's language."""
        return str(Backend.ENGINE.label) if self.name == FIRST_PROJECT_NAME else self.name

    @property
    def on_engine(self) -> bool:
        return self.backend == Backend.ENGINE

    @property
    def location(self) -> str:
        """The default region."""
        return self.regions[0] if self.regions else "us-central1"

    def place(self) -> Place:
        """Where this project's calls go. The engine's address comes from the settings, never from the row."""
        return Place(
            backend=self.backend,
            project_id=self.project_id,
            engine_url=settings.ENGINE_URL,
            credentials_file=self.credentials_file or None,
            quota_project=self.quota_project or None,
            token=read_engine_token() if self.on_engine else None,
            host_overrides=tuple(settings.VERTEX_HOSTS.items()),
        )

    def vertex(self) -> Vertex:
        return Vertex(self.place())

    def storage_places(self) -> Places:
        return Places(self)

    def storage(self, pinned: tuple[str, int] | None = None) -> ProjectStorage:
        """Return the storage that reaches the project's places, and `pinned`: the object with its generation
        that one of its rows names."""
        return ProjectStorage(self.place(), Places(self, pinned))

    def describe_contested_regions(self, reader: User | AnonymousUser) -> list[str]:
        """Return a sentence for each region that another project has, too. Only projects from before that was
        refused have such regions."""
        return [owner.describe(reader) for owner in find_region_owners(self, self.regions)]

    def role_of(self, user: User | AnonymousUser) -> Role | None:
        if user.is_superuser:
            return Role.ADMIN
        membership = self.membership_set.filter(user_id=user.pk or 0).first()
        return Role(membership.role) if membership else None


def read_engine_token() -> str | None:
    try:
        return settings.ENGINE_TOKEN_FILE.read_text().strip() or None
    except FileNotFoundError:
        return None
    except OSError as error:
        # The engine refuses what comes without a token, and the message about that says what to do.
        who = f"the account with the ID {os.getuid()}"
        log.warning("ENGINE_TOKEN_FILE cannot be read (%s): let %s read it", error.strerror, who)
        return None


class Membership(models.Model):
    project = models.ForeignKey(Project, on_delete=models.CASCADE)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    role = models.CharField(max_length=10, choices=Role, default=Role.VIEWER)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "user"], name="one_membership_each")]


class Invitation(models.Model):
    """A membership for whoever opens its link (people/invitations.py).

    `username` is the name that a new account gets; it reserves nothing. `key` is part of the link.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE)
    username = models.CharField(max_length=150)
    role = models.CharField(max_length=10, choices=Role, default=Role.VIEWER)
    invited_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    key = models.CharField(max_length=22, blank=True)
    linked_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "username"], name="one_invitation_each")]

    def __str__(self) -> str:
        return self.username

    @property
    def expired(self) -> bool:
        return timezone.now() - self.linked_at > timedelta(seconds=settings.PASSWORD_RESET_TIMEOUT)


ACTION_LABELS = {
    "person.join": _("Joined with a one-time link"),
    "project.create": _("Created the project"),
    "project.change": _("Changed settings"),
    "member.add": _("Added a member"),
    "member.invite": _("Invited a member"),
    "member.withdraw": _("Withdrew an invitation"),
    "member.accept": _("Accepted an invitation"),
    "member.role": _("Changed a role"),
    "member.remove": _("Removed a member"),
    "member.link": _("Created a new one-time link"),
    "tuning_job.start": _("Started a job"),
    "tuning_job.cancel": _("Requested cancellation of a job"),
    "tuning_job.create_again": _("Resubmitted a job with an unknown outcome"),
    "tuning_job.tune_again": _("Copied a job to a new draft"),
    "tuning_job.set_default": _("Set a checkpoint as default"),
    "tuning_job.discard": _("Discarded a draft"),
    "dataset.add": _("Added a dataset"),
    "dataset.clean": _("Saved a cleaned file as a dataset"),
    "dataset.check": _("Rechecked a dataset"),
    "dataset.delete": _("Deleted a dataset"),
    "delete conversation": _("Deleted a conversation"),
}
"""The text of an audit entry's action."""


class AuditEntry(models.Model):
    """What a person did, written in the same transaction as the change."""

    project = models.ForeignKey(Project, null=True, on_delete=models.CASCADE)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    action = models.CharField(max_length=60)
    subject = models.CharField(max_length=200, blank=True)
    detail = models.JSONField(default=dict)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-at", "-pk"]
        indexes = [models.Index(fields=["project", "-at"], name="audit_by_project")]

    @property
    def deed(self) -> str:
        return str(ACTION_LABELS.get(self.action, self.action))

    @classmethod
    def record(
        cls,
        action: str,
        *,
        actor: User | None,
        project: Project | None = None,
        subject: str = "",
        **detail: Any,
    ) -> AuditEntry:
        return cls.objects.create(
            project=project, actor=actor, action=action, subject=subject[:200], detail=detail
        )


class Pulse(models.Model):
    """The last time a part of the installation showed that it works."""

    name = models.CharField(max_length=60, unique=True)
    at = models.DateTimeField()
