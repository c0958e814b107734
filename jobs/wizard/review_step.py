"""Review step: the request, missing values, the estimate and the Start button."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from jobs.estimates.queue_position import get_queue
from jobs.preflight import Obstacle, ObstacleText, obstacles
from jobs.tuning_job_resource import HyperParameter
from jobs.wizard.dataset_step.leakage import LeakageCheck
from jobs.wizard.draft_summary import DatasetSection, DraftSummary
from jobs.wizard.drafts import draft_or_404
from studio import disk_space
from studio.celery import send_on_commit
from studio.formats import format_count, join_list, join_sentences
from studio.models import Project, Role
from studio.people.access import Request, require_role

if TYPE_CHECKING:
    from jobs.models import TuningJob

WARNINGS_SHOWN = 3
"""Warnings per dataset, so that they don't hide the Start button; the report lists all."""


@dataclass(frozen=True, slots=True)
class ReviewRow:
    """One value of the draft and the URL of its field.

    `kind` is text, id (monospace), blank (not chosen), changed (differs from the recommendation) or setting
    (a HyperParameter: requested and recommended value).
    """

    label: str
    value: Any
    edit: str
    kind: str = "text"


@dataclass(frozen=True, slots=True)
class ReviewIssue:
    """A warning or missing value, with the URL of its field."""

    words: ObstacleText
    address: str


@dataclass(frozen=True)
class Review:
    """Everything the review step displays of a draft."""

    job: TuningJob
    preview: DraftSummary

    def build_step_url(self, step: str, place: str = "") -> str:
        address = reverse(f"jobs:{step}", args=[self.job.project.slug, self.job.pk])
        return f"{address}#{place}" if place else address

    def build_field_url(self, name: str) -> str:
        """Return the URL of a field. `fix` makes the step focus the field and unfold its section."""
        return f"{self.build_step_url('model')}?fix={name}#id_{name}"

    @property
    def model_lines(self) -> Iterator[ReviewRow]:
        name = self.job.tuned_model_display_name
        edit = self.build_field_url("tuned_model_display_name")
        chosen_later = ReviewRow(_("Tuned model name"), _("chosen by the service"), edit, "blank")
        yield ReviewRow(_("Tuned model name"), name, edit) if name else chosen_later
        yield ReviewRow(
            _("Tuning method"), _("Supervised tuning"), self.build_step_url("model", "method-supervised")
        )
        yield ReviewRow(_("Base model"), self.job.base_model, self.build_field_url("base_model"))
        if self.preview.model and self.preview.model.stand_in:
            yield ReviewRow(_("Served by"), self.preview.model.stand_in, self.build_field_url("base_model"))
        yield ReviewRow(
            _("Pre-tuned model"), self.job.pre_tuned_model, self.build_field_url("pre_tuned_model"), "id"
        )
        yield ReviewRow(
            _("Checkpoint"), self.job.pre_tuned_checkpoint, self.build_field_url("pre_tuned_checkpoint")
        )
        yield ReviewRow(_("Region"), self.job.location, self.build_field_url("location"))

    @property
    def advanced_lines(self) -> Iterator[ReviewRow]:
        job, edit = self.job, self.build_field_url
        yield ReviewRow(_("Number of epochs"), self.epoch_setting, edit("epoch_count"), "setting")
        yield self.adapter_line
        rate = HyperParameter(job.learning_rate_multiplier, 1.0)
        yield ReviewRow(_("Learning rate multiplier"), rate, edit("learning_rate_multiplier"), "setting")
        kept = edit("export_last_checkpoint_only")
        if job.export_last_checkpoint_only:
            yield ReviewRow(_("Checkpoints"), _("last one only"), kept, "changed")
        else:
            yield ReviewRow(_("Checkpoints"), _("every epoch"), kept)
        yield ReviewRow(_("Description"), job.description, edit("description"))
        labels = join_list(f"{key}={value}" for key, value in job.labels.items())
        yield ReviewRow(_("Labels"), labels, edit("labels"), "id")
        yield ReviewRow(_("Service account"), job.service_account, edit("service_account"), "id")
        yield ReviewRow(_("Encryption"), job.kms_key_name, edit("kms_key_name"), "id")

    @property
    def adapter_line(self) -> ReviewRow:
        edit = self.build_field_url("adapter_size")
        if self.job.pre_tuned_model and self.job.adapter_size is None:
            return ReviewRow(_("Adapter size"), _("same as the model"), edit, "blank")
        size = self.preview.model.default_adapter_size if self.preview.model else None
        return ReviewRow(_("Adapter size"), HyperParameter(self.job.adapter_size, size), edit, "setting")

    @property
    def epoch_setting(self) -> HyperParameter:
        """The number of epochs with the catalog's recommendation, which the service may not follow."""
        model, data = self.preview.model, self.job.training
        examples = data.report.get("examples", 0) if data else 0
        known = model.recommended if model and examples else None
        return HyperParameter(self.job.epoch_count, known.recommend_epochs(examples) if known else None)

    @cached_property
    def comparison(self) -> LeakageCheck | None:
        return LeakageCheck.for_job(self.job)

    @cached_property
    def sections(self) -> list[DatasetSection]:
        """Sections of the datasets that will be used."""
        training, validation = DatasetSection(self.job, "training"), DatasetSection(self.job, "validation")
        return [training, validation] if self.job.validation_enabled else [training]

    @property
    def missing(self) -> list[ReviewIssue]:
        return [
            ReviewIssue(words, self.build_fix_url(part, words))
            for part, found in self.preview.obstacles.items()
            for words in found
        ]

    def build_fix_url(self, part: str, words: ObstacleText) -> str:
        if part != "model":
            return self.build_step_url("dataset", part)
        return (
            self.build_field_url(words.field) if isinstance(words, Obstacle) else self.build_step_url("model")
        )

    @cached_property
    def warnings(self) -> list[ReviewIssue]:
        """Warnings, which don't prevent the start."""
        data = [point for section in self.sections for point in self.data_warnings(section)]
        return [*self.model_warnings(), *data, *self.leak_warnings()]

    @property
    def warning_count(self) -> int:
        """The number of warnings, including those beyond the truncated lists."""
        others = [*self.model_warnings(), *self.leak_warnings()]
        return len(others) + sum(section.warnings for section in self.sections)

    def model_warnings(self) -> Iterator[ReviewIssue]:
        model = self.preview.model
        if model and model.retired and not model.stand_in:
            message = _("%(model)s is retired. Vertex AI will probably reject it.") % {"model": model.id}
            yield ReviewIssue(message, self.build_field_url("base_model"))

    def leak_warnings(self) -> Iterator[ReviewIssue]:
        """Yield the stored result of the leakage check; no comparison is made here."""
        leaks = self.comparison.leaks if self.comparison else None
        if leaks and leaks.leak_count:
            message = ngettext(
                "%(shown)s of %(total)s validation examples is also in the training data.",
                "%(shown)s of %(total)s validation examples are also in the training data.",
                leaks.leak_count,
            ) % {"shown": format_count(leaks.leak_count), "total": format_count(leaks.validation)}
            yield ReviewIssue(message, self.build_step_url("dataset", "overlap"))

    def data_warnings(self, section: DatasetSection) -> Iterator[ReviewIssue]:
        """Yield the first warnings of a file's report."""
        address = self.build_step_url("dataset", section.purpose)
        found = [(problem, message) for problem, message in section.problems if problem.severity == "warning"]
        for problem, message in found[:WARNINGS_SHOWN]:
            place = {"file": section.dataset, "line": problem.line, "what": message.what}
            where = _("%(file)s, line %(line)s: %(what)s") if problem.line else _("%(file)s: %(what)s")
            yield ReviewIssue(where % place, address)
        if more := section.warnings - len(found[:WARNINGS_SHOWN]):
            words = ngettext("%(n)d more in %(file)s", "%(n)d more in %(file)s", more)
            yield ReviewIssue(words % {"n": more, "file": section.dataset}, address)


@require_safe
@require_role(Role.TUNER)
def show_review(request: Request, project: Project, pk: int) -> HttpResponse:
    """Step 3."""
    job = draft_or_404(request, project, pk)
    if not job.is_draft:
        return redirect(job)
    if project.on_engine:
        send_on_commit("jobs.tasks.warm_up", project_id=project.pk)
    preview = DraftSummary(job)
    context = {"job": job, "preview": preview, "review": Review(job, preview), "step": "review"}
    return render(request, "jobs/wizard/review_step/step.html", context)


@require_POST
@require_role(Role.TUNER)
def start_job(request: Request, project: Project, pk: int) -> HttpResponse:
    """Start the job. A second click finds no draft and redirects to the same job."""
    job = draft_or_404(request, project, pk)
    hindrances = obstacles(job) if job.is_draft else []
    if hindrances:
        messages.error(request, _("The job wasn’t started: something is missing. See below."))
        return redirect("jobs:review", project.slug, job.pk)
    if job.is_draft and disk_space.is_full():
        messages.error(request, _("The job wasn’t started: the server’s disk is full. Try again later."))
        return redirect("jobs:review", project.slug, job.pk)
    if job.start(request.user):
        message = _("“%(job)s” was submitted. Charts appear here when training starts.") % {"job": job}
        job.refresh_from_db(fields=["submission", "submitted_at"])
        messages.success(request, join_sentences([message, get_queue(job, request.user)]))
    return redirect("jobs:detail", project.slug, job.pk)
