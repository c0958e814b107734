"""What Google Cloud or the engine said, in the person's words and language: the one place that maps them."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from studio.vertex import errors
from studio.vertex.errors import VertexError

Words = tuple[str | Promise, str | Promise, str | Promise]


@dataclass(frozen=True, slots=True)
class Banner:
    """What is wrong, what it means, and what to do (may be blank); `machine` is the server's own text."""

    title: str
    meaning: str
    action: str = ""
    machine: str = ""

    def __str__(self) -> str:
        return " ".join(filter(None, [self.title, self.meaning, self.action]))


def explain_error(error: VertexError, *, on_engine: bool = False) -> Banner:
    """`on_engine` is the project's: who did not answer decides about what to do."""
    title, meaning, action = message_for(error, on_engine)
    code = " ".join(filter(None, [str(error.code or ""), error.reason or error.status]))
    fields = [f"{each.field}: {each.description}" for each in error.violations]
    machine = " · ".join(filter(None, [code, *(fields or [error.message])]))
    return Banner(str(title), str(meaning), str(action), machine)


def message_for(error: VertexError, on_engine: bool) -> Words:
    if not on_engine and error.reason in MESSAGES_BY_REASON:
        return MESSAGES_BY_REASON[error.reason]
    by_class = MESSAGES_BY_CLASS | ENGINE_MESSAGES if on_engine else MESSAGES_BY_CLASS
    return next(by_class[kind] for kind in type(error).__mro__ if kind in by_class)


MESSAGES_BY_REASON: dict[str, Words] = {
    "SERVICE_DISABLED": (
        _("The Vertex AI API is switched off in this Google Cloud project."),
        _("Nothing can be tuned or read there until it is on."),
        _("Enable aiplatform.googleapis.com in the project, wait a minute, then try again."),
    ),
    "BILLING_DISABLED": (
        _("Billing is switched off in this Google Cloud project."),
        _("Google Cloud starts no work there."),
        _("Link a billing account to the project, then try again."),
    ),
    "USER_PROJECT_DENIED": (
        _("Google Cloud refused the quota project."),
        _("The service account may not use it."),
        _("Give it the role Service Usage Consumer there, or clear the quota project in Settings."),
    ),
    "ACCESS_TOKEN_SCOPE_INSUFFICIENT": (
        _("The credentials of this project do not reach Vertex AI."),
        _("Their access scopes leave it out."),
        _("Use credentials with the scope cloud-platform."),
    ),
}

ENGINE_MESSAGES: dict[type, Words] = {
    errors.NotSent: (
        _("The local engine is not answering."),
        _("Nothing was sent. Runs go on from their last save point when it is back."),
        _("It is started again by itself: try again in a moment."),
    ),
    errors.Unauthenticated: (
        _("The local engine refused the token of this installation."),
        _("It was started with another one."),
        _("Restart the installation so that both read the same token file."),
    ),
    errors.PermissionDenied: (
        _("The local engine refused this request."),
        _("It only takes requests from this installation."),
        "",
    ),
    errors.TooManyRequests: (
        _("The local engine is busy."),
        _("Nothing was started."),
        _("Try again in a moment."),
    ),
}

MESSAGES_BY_CLASS: dict[type, Words] = {
    errors.NotSent: (
        _("Google Cloud can’t be reached from this server."),
        _("Nothing was sent."),
        _("Check the server’s network and the region, then try again."),
    ),
    errors.OutcomeUnknown: (
        _("The answer did not arrive."),
        _("It is not known whether this was done."),
        _("Look again in a moment before you repeat it."),
    ),
    errors.BadRequest: (
        _("The service did not accept these values."),
        _("Nothing was started."),
        _("Change what the line below names, then try again."),
    ),
    errors.Unauthenticated: (
        _("Google Cloud refused the service account of this project."),
        _("Jobs keep running there, but Tuning Studio can’t see them or start new ones."),
        _("An admin can renew the key in Settings."),
    ),
    errors.PermissionDenied: (
        _("The service account of this project lacks a permission."),
        _("Google Cloud refused the request; nothing was changed."),
        _("Give it the roles Vertex AI User and, on the bucket, Storage Object User."),
    ),
    errors.NotFound: (
        _("The service does not know this."),
        _("It was deleted, or the project ID, the region or the name is wrong."),
        _("Check them in Settings."),
    ),
    errors.Conflict: (
        _("This exists already, or somebody changed it meanwhile."),
        _("Nothing was changed now."),
        _("Look at how it stands, then decide again."),
    ),
    errors.TooManyRequests: (
        _("A quota of this Google Cloud project is used up."),
        _("Nothing was started."),
        _("Wait and try again, or ask Google for more quota in this region."),
    ),
    errors.Refused: (
        _("The service refused this request."),
        _("Nothing was changed."),
        _("The line below is its own explanation."),
    ),
    errors.CredentialsFailed: (
        _("There are no usable Google credentials for this project."),
        _("Jobs keep running there, but Tuning Studio can’t see them or start new ones."),
        _("An admin can name a credentials file in Settings, or sign in on the server with gcloud."),
    ),
    errors.StreamBroken: (
        _("The answer broke off."),
        _("What had arrived is kept."),
        _("Ask again."),
    ),
    VertexError: (
        _("The service could not do this."),
        _("The line below is its own explanation."),
        "",
    ),
}
