"""The page that creates a draft from a pasted request."""

from __future__ import annotations

from collections.abc import Iterator

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from jobs import base_models
from jobs.datasets import ingest
from jobs.datasets.check.model_limits import Purpose
from jobs.datasets.errors import Refusal, translate_storage_errors
from jobs.datasets.forms import ExistingFileForm, clean_form
from jobs.models import TuningJob
from jobs.preflight import find_base_model, list_tuning_regions
from jobs.request_import import reader
from jobs.wizard.dataset_step.pending_files import add_pending_file
from jobs.wizard.drafts import UNPROCESSABLE, create_blank_draft
from studio.formats import join_list
from studio.models import Project, Role
from studio.people.access import Request, require_role

PURPOSES: tuple[Purpose, Purpose] = ("training", "validation")
MAX_CHARACTERS = 100_000
"""A request with every field and 64 labels has about 10,000. The readers need a second for this many."""
MAX_ITEMS_SHOWN = 20
"""Fields or messages listed on the page: a request with more is rarely a tuning request."""


@require_http_methods(["GET", "HEAD", "POST"])
@require_role(Role.TUNER)
def import_request(request: Request, project: Project) -> HttpResponse:
    text = request.POST.get("request", "")
    if request.method != "POST":
        return render(request, "jobs/request_import/paste.html", {"longest": MAX_CHARACTERS})
    try:
        job = create_draft_from_request(request, project, parse_pasted_text(text))
    except reader.Unreadable as refusal:
        context = {"text": text, "refusal": refusal, "longest": MAX_CHARACTERS}
        return render(request, "jobs/request_import/paste.html", context, status=UNPROCESSABLE)
    return redirect("jobs:model", project.slug, job.pk)


def parse_pasted_text(text: str) -> reader.ImportedRequest:
    if len(text) > MAX_CHARACTERS:
        raise reader.Unreadable(
            _("The text is longer than %(most)d characters. Paste only the request.")
            % {"most": MAX_CHARACTERS}
        )
    return reader.parse_request(text)


def create_draft_from_request(
    request: Request, project: Project, pasted: reader.ImportedRequest
) -> TuningJob:
    """Create a draft with every usable field. Messages list what was filled in, what wasn't, and why."""
    chosen = {name: value for name, value in pasted.fields.items() if name not in PURPOSES}
    job = create_blank_draft(request, project)
    job.update_draft(**chosen)
    job.refresh_from_db()
    report_import(request, job, pasted)
    for purpose in PURPOSES:
        if uri := pasted.fields.get(purpose):
            attach_file(request, job, purpose, uri)
    return job


def attach_file(request: Request, job: TuningJob, purpose: Purpose, uri: str) -> None:
    """Attach the file at `uri`; if it can't be read, the path is prefilled in step 2."""
    try:
        address = clean_form(ExistingFileForm({"uri": uri}))["uri"]
        with translate_storage_errors(job.project):
            file = ingest.ingest_existing(job.project, request.user, address)
    except Refusal as refusal:
        add_pending_file(request, job, purpose, uri)
        messages.warning(
            request,
            _("%(uri)s: %(reason)s The path is prefilled in step 2.") % {"uri": uri, "reason": refusal},
        )
    else:
        job.update_draft(**{purpose: file})


def report_import(request: Request, job: TuningJob, pasted: reader.ImportedRequest) -> None:
    if pasted.taken:
        messages.success(
            request,
            _("Filled in from the request: %(fields)s.") % {"fields": format_field_list(pasted.taken)},
        )
    if pasted.outputs:
        messages.info(
            request,
            _("Ignored (set by the service): %(fields)s.") % {"fields": format_field_list(pasted.outputs)},
        )
    if pasted.unknown:
        messages.warning(
            request,
            _("Ignored (not supported here): %(fields)s.") % {"fields": format_field_list(pasted.unknown)},
        )
    for message in [*pasted.messages[:MAX_ITEMS_SHOWN], *iter_unsupported_values(job, pasted)]:
        messages.warning(request, message)


def format_field_list(fields: list[str]) -> str:
    """The field names without the objects they are in, such as `epochCount`."""
    names = [name.removeprefix("supervisedTuningSpec.").removeprefix("hyperParameters.") for name in fields]
    left = len(names) - MAX_ITEMS_SHOWN
    more = [ngettext("and %(n)s more", "and %(n)s more", left) % {"n": left}] if left > 0 else []
    return join_list([*names[:MAX_ITEMS_SHOWN], *more])


def iter_unsupported_values(job: TuningJob, pasted: reader.ImportedRequest) -> Iterator[str]:
    """Messages about filled-in values that this project doesn't support."""
    project = job.project
    if pasted.project_id and pasted.project_id != project.project_id:
        yield _("The request is for project %(theirs)s; this draft belongs to %(ours)s.") % {
            "theirs": pasted.project_id,
            "ours": project.project_id,
        }
    model = find_base_model(job)
    if "base_model" not in pasted.fields and "pre_tuned_model" in pasted.fields:
        yield _("The request doesn’t name the base model of the tuned model. Choose it.")
    if model is None or model.id not in {offered.id for offered in base_models.list_base_models(project)}:
        yield _("Base model %(model)s isn’t available here. Choose another model.") % {
            "model": job.base_model
        }
        return
    if job.location not in list_tuning_regions(project, model):
        yield _("%(model)s can’t be tuned in %(region)s here. Choose another region.") % {
            "model": model.id,
            "region": job.location,
        }
    if job.adapter_size is not None and job.adapter_size not in model.adapter_sizes:
        yield _("%(model)s doesn’t support adapter size %(size)d. Choose another size.") % {
            "model": model.id,
            "size": job.adapter_size,
        }
