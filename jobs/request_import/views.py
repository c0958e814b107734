"""Paste a request: a page with one field, and the draft that is made of what stands in it."""

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
from jobs.datasets.forms import AddressForm
from jobs.models import TuningJob
from jobs.preflight import base_model, regions
from jobs.request_import import reader
from jobs.wizard.dataset_step.pending_files import let_wait
from jobs.wizard.drafts import UNPROCESSABLE, new_draft
from studio.models import Project, Role
from studio.people.access import Request, member

PURPOSES: tuple[Purpose, Purpose] = ("training", "validation")
LONGEST = 100_000
NAMED = 20


@require_http_methods(["GET", "HEAD", "POST"])
@member(Role.TUNER)
def paste_request(request: Request, project: Project) -> HttpResponse:
    text = request.POST.get("request", "")
    if request.method != "POST":
        return render(request, "jobs/request_import/paste.html", {"longest": LONGEST})
    try:
        job = make_draft(request, project, read(text))
    except reader.Unreadable as refusal:
        context = {"text": text, "refusal": refusal, "longest": LONGEST}
        return render(request, "jobs/request_import/paste.html", context, status=UNPROCESSABLE)
    return redirect("jobs:model", project.slug, job.pk)


def read(text: str) -> reader.Pasted:
    if len(text) > LONGEST:
        raise reader.Unreadable(
            _("The text is longer than %(most)d characters. Paste the request alone.") % {"most": LONGEST}
        )
    return reader.read(text)


def make_draft(request: Request, project: Project, pasted: reader.Pasted) -> TuningJob:
    """A draft with all that could be taken; messages say what was, what was not, and why."""
    chosen = {name: value for name, value in pasted.fields.items() if name not in PURPOSES}
    job = new_draft(request, project)
    job.revise(**chosen)
    job.refresh_from_db()
    tell(request, job, pasted)
    for purpose in PURPOSES:
        if uri := pasted.fields.get(purpose):
            take_file(request, job, purpose, uri)
    return job


def take_file(request: Request, job: TuningJob, purpose: Purpose, uri: str) -> None:
    """Where the file cannot be had, its address waits in step 2."""
    form = AddressForm({"uri": uri})
    try:
        if not form.is_valid():
            raise Refusal(str(form.errors["uri"][0]))
        file = translate_storage_errors(job.project, lambda: ingest.ingest_existing(job.project, request.user, uri))
    except Refusal as refusal:
        let_wait(request, job, purpose, uri)
        messages.warning(
            request,
            _("%(uri)s: %(reason)s The address waits in step 2.") % {"uri": uri, "reason": refusal},
        )
    else:
        job.revise(**{purpose: file})


def tell(request: Request, job: TuningJob, pasted: reader.Pasted) -> None:
    if pasted.taken:
        messages.success(request, _("Taken from the request: %(fields)s.") % {"fields": listed(pasted.taken)})
    if pasted.outputs:
        messages.info(
            request,
            _("Left out, as the service fills them in: %(fields)s.") % {"fields": listed(pasted.outputs)},
        )
    if pasted.unknown:
        messages.warning(
            request,
            _("Not taken, as it cannot be set here: %(fields)s.") % {"fields": listed(pasted.unknown)},
        )
    for message in [*pasted.messages[:NAMED], *doubts(job, pasted)]:
        messages.warning(request, message)


def listed(fields: list[str]) -> str:
    """Field names without the parts that they share, such as `epochCount`."""
    names = [name.removeprefix("supervisedTuningSpec.").removeprefix("hyperParameters.") for name in fields]
    left = len(names) - NAMED
    more = [ngettext("and %(n)s more", "and %(n)s more", left) % {"n": left}] if left > 0 else []
    return ", ".join([*names[:NAMED], *more])


def doubts(job: TuningJob, pasted: reader.Pasted) -> Iterator[str]:
    """What this project cannot do with the values that were taken."""
    project = job.project
    if pasted.project_id and pasted.project_id != project.project_id:
        yield _("The request names the project %(theirs)s; this draft belongs to %(ours)s.") % {
            "theirs": pasted.project_id,
            "ours": project.project_id,
        }
    model = base_model(job)
    if "base_model" not in pasted.fields and "pre_tuned_model" in pasted.fields:
        yield _("The request does not say on which base model the tuned model rests. Choose it.")
    if model is None or model.id not in {offered.id for offered in base_models.models(project)}:
        yield _("The base model %(model)s is not offered here. Choose another one.") % {
            "model": job.base_model
        }
        return
    if job.location not in regions(project, model):
        yield _("%(model)s is not tuned in %(region)s here. Choose another region.") % {
            "model": model.id,
            "region": job.location,
        }
    if job.adapter_size is not None and job.adapter_size not in model.adapter_sizes:
        yield _("%(model)s does not take adapter size %(size)d. Choose another one.") % {
            "model": model.id,
            "size": job.adapter_size,
        }
