"""An upload in parts, as upload.js sends it: begun, gone on with from where it stopped, or given up.

POST      what is sent: {"token", "received"}, also of a file that came in part before
PUT       bytes with `Content-Range: bytes a-b/size` and the token: {"received"}
DELETE    gives it up
The whole file is then named by its token in the form of the step (dataset_step.upload).
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any

from django.http import JsonResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from jobs.datasets.forms import BeginUploadForm, first_error
from jobs.datasets.uploads import resumable_upload
from jobs.datasets.uploads.resumable_upload import UploadSession
from jobs.models import TuningJob
from jobs.wizard.drafts import draft_or_404
from studio.models import Project, Role
from studio.people.access import Request, require_role

CONTENT_RANGE = re.compile(r"bytes (\d{1,12})-(\d{1,12})/(\d{1,12})")
UPLOAD_GONE = gettext_lazy("This upload is no longer on the server. Choose the file again.")
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
    except resumable_upload.UploadRefused as refused:
        return json_error(describe_error(refused), STATUS_BY_ERROR[type(refused)], received=refused.received)


def begin_upload(request: Request, job: TuningJob) -> JsonResponse:
    form = BeginUploadForm(request.POST)
    if not form.is_valid():
        field, words = first_error(form)
        return json_error(words, HTTPStatus.UNPROCESSABLE_ENTITY, field=field)
    chosen = form.cleaned_data
    part = UploadSession(
        user=request.user.pk,
        job=job.pk,
        purpose=chosen["purpose"],
        name=chosen["name"],
        size=chosen["size"],
        modified=chosen["modified"],
    )
    part.begin()
    job.update_draft(upload_to=chosen["upload_to"])
    return JsonResponse({"token": part.token, "received": part.received})


def append_chunk(request: Request, job: TuningJob) -> JsonResponse:
    part, span = (
        get_upload_session(request, job),
        CONTENT_RANGE.fullmatch(request.headers.get("Content-Range", "")),
    )
    if part is None:
        return json_error(str(UPLOAD_GONE), HTTPStatus.GONE)
    if not span or int(span[3]) != part.size:
        return json_error("Content-Range: bytes a-b/size", HTTPStatus.BAD_REQUEST)
    try:
        return JsonResponse({"received": part.append(request, int(span[1]))})
    except OSError:
        # The connection broke: nobody reads this answer. What had come is kept.
        return json_error("", HTTPStatus.BAD_REQUEST, received=part.received)


def cancel_upload(request: Request, job: TuningJob) -> JsonResponse:
    part = get_upload_session(request, job)
    if part:
        part.drop()
    return JsonResponse({"received": 0})


HANDLERS = {"POST": begin_upload, "PUT": append_chunk, "DELETE": cancel_upload}


def get_upload_session(request: Request, job: TuningJob) -> UploadSession | None:
    part = UploadSession.from_token(request.headers.get("Upload-Token", ""))
    return part if part and (part.user, part.job) == (request.user.pk, job.pk) else None


def describe_error(refused: resumable_upload.UploadRefused) -> str:
    match refused:
        case resumable_upload.UploadGone():
            return str(UPLOAD_GONE)
        case resumable_upload.DiskFull():
            return _("The server doesn’t have room for this file. Ask an admin to free up space.")
        case resumable_upload.TooManyUploads():
            return _("Your other uploads are still in progress. End them first, or wait ten minutes.")
        case _other:
            return ""


def json_error(message: str, status: int, **facts: Any) -> JsonResponse:
    return JsonResponse({"message": message, **facts}, status=status)
