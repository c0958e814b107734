"""Resumable uploads, used by upload.js.

POST      begins an upload, or resumes one of the same file: {"token", "received"}
PUT       appends bytes with `Content-Range: bytes a-b/size` and the token: {"received"}
DELETE    cancels the upload
The token of a complete upload is then posted in the form of the step (upload_views.upload_dataset).
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any

from django.http import JsonResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from jobs.datasets.errors import DISK_FULL, Refusal
from jobs.datasets.forms import clean_form
from jobs.datasets.uploads import resumable_upload
from jobs.datasets.uploads.resumable_upload import UploadSession
from jobs.models import TuningJob
from jobs.wizard.dataset_step.forms import BeginUploadForm
from jobs.wizard.drafts import draft_or_404
from studio.models import Project, Role
from studio.people.access import Request, require_role

CONTENT_RANGE = re.compile(r"bytes (\d{1,12})-(\d{1,12})/(\d{1,12})")
UPLOAD_GONE = gettext_lazy("This upload is no longer on the server. Choose the file again.")
TOO_MANY_UPLOADS = gettext_lazy(
    "Your other uploads are still in progress. Cancel them first, or wait ten minutes."
)
STATUS_BY_ERROR: dict[type[resumable_upload.UploadRefused], int] = {
    resumable_upload.UploadGone: HTTPStatus.GONE,
    resumable_upload.OutOfOrder: HTTPStatus.CONFLICT,
    resumable_upload.UploadBusy: HTTPStatus.CONFLICT,
    resumable_upload.DiskFull: HTTPStatus.INSUFFICIENT_STORAGE,
    resumable_upload.TooManyUploads: HTTPStatus.TOO_MANY_REQUESTS,
}


@require_http_methods(["POST", "PUT", "DELETE"])
@require_role(Role.TUNER)
def upload_in_chunks(request: Request, project: Project, pk: int) -> JsonResponse:
    job = draft_or_404(request, project, pk)
    if not job.is_draft:
        return json_error(_("This draft was already started or discarded."), HTTPStatus.GONE)
    try:
        return HANDLERS[str(request.method)](request, job)
    except Refusal as refusal:
        return json_error(str(refusal), HTTPStatus.UNPROCESSABLE_ENTITY, field=refusal.field)
    except resumable_upload.UploadRefused as refused:
        return json_error(describe_error(refused), STATUS_BY_ERROR[type(refused)], received=refused.received)


def begin_upload(request: Request, job: TuningJob) -> JsonResponse:
    form = clean_form(BeginUploadForm(request.POST, project=job.project))
    upload = UploadSession(
        user=request.user.pk,
        job=job.pk,
        purpose=form["purpose"],
        name=form["name"],
        size=form["size"],
        modified=form["modified"],
    )
    upload.begin()
    job.update_draft(upload_to=form["upload_to"])
    return JsonResponse({"token": upload.token, "received": upload.received})


def append_chunk(request: Request, job: TuningJob) -> JsonResponse:
    upload = find_upload(request, job, request.headers.get("Upload-Token", ""))
    span = CONTENT_RANGE.fullmatch(request.headers.get("Content-Range", ""))
    if upload is None:
        return json_error(str(UPLOAD_GONE), HTTPStatus.GONE)
    if not span or int(span[3]) != upload.size:
        return json_error("Content-Range: bytes a-b/size", HTTPStatus.BAD_REQUEST)
    try:
        return JsonResponse({"received": upload.append(request, int(span[1]))})
    except OSError:
        # The connection broke, so nobody reads this response. The received bytes are kept.
        return json_error("", HTTPStatus.BAD_REQUEST, received=upload.received)


def cancel_upload(request: Request, job: TuningJob) -> JsonResponse:
    upload = find_upload(request, job, request.headers.get("Upload-Token", ""))
    if upload:
        upload.drop()
    return JsonResponse({"received": 0})


HANDLERS = {"POST": begin_upload, "PUT": append_chunk, "DELETE": cancel_upload}


def find_upload(request: Request, job: TuningJob, token: str) -> UploadSession | None:
    """Return the user's upload to this draft, or None for an unknown token."""
    upload = UploadSession.from_token(token)
    return upload if upload and (upload.user, upload.job) == (request.user.pk, job.pk) else None


def describe_error(refused: resumable_upload.UploadRefused) -> str:
    """Return the error message, or "" if upload.js retries silently."""
    match refused:
        case resumable_upload.UploadGone():
            return str(UPLOAD_GONE)
        case resumable_upload.DiskFull():
            return str(DISK_FULL)
        case resumable_upload.TooManyUploads():
            return str(TOO_MANY_UPLOADS)
        case _other:
            return ""


def json_error(message: str, status: int, **facts: Any) -> JsonResponse:
    return JsonResponse({"message": message, **facts}, status=status)
