"""Messages in the reader's language for errors of Google Cloud and the engine."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from studio.formats import join_sentences
from studio.vertex import errors
from studio.vertex.errors import VertexError
from studio.vertex.storage import OutsidePlaces

Words = tuple[str | Promise, str | Promise, str | Promise]


@dataclass(frozen=True, slots=True)
class Banner:
    """What is wrong, what it means, and what to do (may be blank); `machine` is the service's own text."""

    title: str
    meaning: str
    action: str = ""
    machine: str = ""

    def __str__(self) -> str:
        return join_sentences([self.title, self.meaning, self.action])


def explain_error(error: VertexError, *, on_engine: bool = False) -> Banner:
    """Return the banner for `error`; what to do differs between the engine (`on_engine`) and Google Cloud."""
    title, meaning, action = message_for(error, on_engine)
    code = " ".join(filter(None, [str(error.code or ""), error.reason or error.status]))
    fields = [f"{each.field}: {each.description}" for each in error.violations]
    machine = " · ".join(filter(None, [code, *(fields or [error.message])]))
    return Banner(str(title), str(meaning), str(action), machine)


def message_for(error: VertexError, on_engine: bool) -> Words:
    if isinstance(error, OutsidePlaces):
        title, meaning, action = OUTSIDE_FOLDER if error.uri.endswith("/") else OUTSIDE_OBJECT
        return str(title) % {"uri": error.uri}, meaning, action
    if not on_engine and error.reason in MESSAGES_BY_REASON:
        return MESSAGES_BY_REASON[error.reason]
    by_class = MESSAGES_BY_CLASS | ENGINE_MESSAGES if on_engine else MESSAGES_BY_CLASS
    return next(by_class[kind] for kind in type(error).__mro__ if kind in by_class)


OUTSIDE_OBJECT: Words = (
    _("This object is outside this project’s places: %(uri)s."),
    _("An admin can share a place in the project’s settings."),
    "",
)
OUTSIDE_FOLDER: Words = (
    _("This folder is outside this project’s places: %(uri)s."),
    _("An admin can share a place in the project’s settings."),
    "",
)

MESSAGES_BY_REASON: dict[str, Words] = {
    "SERVICE_DISABLED": (
        _("The Vertex AI API is disabled in this Google Cloud project."),
        _("Nothing can be tuned or read there until it’s enabled."),
        _("Enable aiplatform.googleapis.com in the project, wait a minute, then try again."),
    ),
    "BILLING_DISABLED": (
        _("Billing is disabled in this Google Cloud project."),
        _("Google Cloud doesn’t start any work there."),
        _("Link a billing account to the project, then try again."),
    ),
    "USER_PROJECT_DENIED": (
        _("Google Cloud rejected the quota project."),
        _("The service account isn’t allowed to use it."),
        _("Grant it the Service Usage Consumer role there, or clear the quota project in Settings."),
    ),
    "ACCESS_TOKEN_SCOPE_INSUFFICIENT": (
        _("This project’s credentials can’t access Vertex AI."),
        _("Their access scopes don’t include it."),
        _("Use credentials with the cloud-platform scope."),
    ),
}

ENGINE_MESSAGES: dict[type, Words] = {
    errors.NotSent: (
        _("The local engine isn’t responding."),
        _("Nothing was sent. Jobs resume from their last save point when it’s back."),
        _("It restarts automatically. Try again in a moment."),
    ),
    errors.Unauthenticated: (
        _("The local engine rejected this installation’s token."),
        _("The engine was started with a different one."),
        _("Restart the installation so that both read the same token file."),
    ),
    errors.PermissionDenied: (
        _("The local engine rejected this request."),
        _("It only accepts requests from this installation."),
        "",
    ),
    errors.TooManyRequests: (
        _("The local engine is busy."),
        _("Nothing was started."),
        _("Try again in a moment."),
    ),
}

MESSAGES_BY_CLASS: dict[type, Words] = {
    errors.BadName: (
        _("The service can’t be asked for a name like this."),
        _("Nothing was sent."),
        _("Check the project ID and the region in Settings. The name in question is below."),
    ),
    errors.NotSent: (
        _("Google Cloud can’t be reached from this server."),
        _("Nothing was sent."),
        _("Check the server’s network and the region, then try again."),
    ),
    errors.OutcomeUnknown: (
        _("No response arrived."),
        _("It’s unknown whether this was done."),
        _("Wait a moment, then check the current state before you try again."),
    ),
    errors.AnswerTooLarge: (
        _("The service’s response is too large to read."),
        _("It’s unknown whether this was done."),
        _("Wait a moment, then check the current state before you try again."),
    ),
    errors.BadRequest: (
        _("The service didn’t accept these values."),
        _("Nothing was started."),
        _("Change the value named below, then try again."),
    ),
    errors.Unauthenticated: (
        _("Google Cloud rejected this project’s service account."),
        _("Jobs keep running there, but Tuning Studio can’t see them or start new ones."),
        _("An installation admin can renew the key in Settings."),
    ),
    errors.PermissionDenied: (
        _("This project’s service account is missing a permission."),
        _("Google Cloud denied the request. Nothing was changed."),
        _("Grant it the Vertex AI User role and, on the bucket, the Storage Object User role."),
    ),
    errors.NotFound: (
        _("The service couldn’t find this."),
        _("It was deleted, or the project ID, region or name is wrong."),
        _("Check them in Settings."),
    ),
    errors.Conflict: (
        _("This already exists, or someone changed it in the meantime."),
        _("Nothing was changed."),
        _("Check the current state before you try again."),
    ),
    errors.TooManyRequests: (
        _("This Google Cloud project has used up a quota."),
        _("Nothing was started."),
        _("Wait and try again, or request more quota from Google for this region."),
    ),
    errors.Refused: (
        _("The service rejected this request."),
        _("Nothing was changed."),
        _("The service’s own explanation is below."),
    ),
    errors.CredentialsFailed: (
        _("This project has no usable Google credentials."),
        _("Jobs keep running there, but Tuning Studio can’t see them or start new ones."),
        _(
            "An installation admin can set a credentials file in Settings, "
            "or sign in on the server with gcloud."
        ),
    ),
    errors.StreamBroken: (
        _("The response was cut off."),
        _("The part that arrived is kept."),
        _("Ask again."),
    ),
    errors.InternalFault: (
        _("Tuning Studio couldn’t process the service’s response."),
        _("Other jobs aren’t affected, and what was read before is kept."),
        _("It’s tried again automatically. The worker’s log says what went wrong."),
    ),
    VertexError: (
        _("The service couldn’t do this."),
        _("The service’s own explanation is below."),
        "",
    ),
}
