"""Leakage check of step 2: validation examples that are also in the training data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from jobs.datasets.diff.results import AUTO_COMPARE_BYTES
from jobs.datasets.errors import Refusal, translate_storage_errors
from jobs.datasets.leakage import results as leakage_results
from jobs.datasets.leakage.detector import Leaks
from jobs.wizard.drafts import draft_or_404, redirect_to_dataset_step
from studio.models import Project, Role
from studio.pages.error_messages import Banner, explain_error
from studio.people.access import Request, require_role
from studio.vertex.errors import VertexError

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from jobs.datasets.models import Dataset
    from jobs.models import TuningJob

MAX_VALIDATION_EXAMPLES = 50_000
"""Validation examples are held in memory. This is ten times the limit of any model."""


@dataclass(frozen=True)
class LeakageCheck:
    """Result of the comparison: `leaks`, or the error message `failure`."""

    training: Dataset
    validation: Dataset
    leaks: Leaks | None = None
    failure: Banner | None = None

    @classmethod
    def for_job(cls, job: TuningJob) -> LeakageCheck | None:
        """Return the stored result, or None unless both datasets have examples."""
        training, validation = job.training, job.validation if job.validation_enabled else None
        if not (
            training and validation and training.parsed_report.examples and validation.parsed_report.examples
        ):
            return None
        if validation.parsed_report.examples > MAX_VALIDATION_EXAMPLES:
            return None
        if training.has_same_data(validation):
            return cls(training, validation, leakage_results.build_full_overlap(validation))
        known = leakage_results.find_overlap(training, validation)
        return cls(training, validation, Leaks.from_json(known.found) if known else None)

    def with_leaks(self) -> LeakageCheck:
        if self.leaks:
            return self
        try:
            overlap = leakage_results.get_or_compute_overlap(self.training, self.validation)
        except VertexError as error:
            return replace(self, failure=explain_error(error, on_engine=self.training.project.on_engine))
        return replace(self, leaks=Leaks.from_json(overlap.found))

    @property
    def same(self) -> bool:
        return self.training.has_same_data(self.validation)

    @property
    def nothing_left(self) -> bool:
        return bool(self.leaks and self.leaks.leak_count >= self.leaks.validation)

    @property
    def is_automatic(self) -> bool:
        """Whether the files are small enough to be compared without a click."""
        return self.training.size + self.validation.size <= AUTO_COMPARE_BYTES

    @property
    def more(self) -> int:
        return self.leaks.leak_count - len(self.leaks.pairs) if self.leaks else 0


@require_safe
@require_role(Role.TUNER)
def compare_datasets(request: Request, project: Project, pk: int) -> HttpResponse:
    """Compare the files unless a result is stored, and return it.

    Without JavaScript, redirect to the page.
    """
    job = draft_or_404(request, project, pk)
    known = LeakageCheck.for_job(job)
    comparison = known.with_leaks() if known else None
    if request.htmx:
        return render(
            request, "jobs/wizard/dataset_step/_leakage.html", {"job": job, "comparison": comparison}
        )
    if comparison and comparison.failure:
        messages.error(request, _("Couldn’t compare the datasets. %(why)s") % {"why": comparison.failure})
    return redirect_to_dataset_step(job, "validation") if job.is_draft else redirect(job)


@require_POST
@require_role(Role.TUNER)
def leave_out_leaks(request: Request, project: Project, pk: int) -> HttpResponse:
    """Replace the validation dataset with a new file without the leaked examples."""
    job = draft_or_404(request, project, pk)
    if not job.is_draft:
        return redirect(job)
    if job.training and job.validation:
        try:
            with translate_storage_errors(project):
                rest = remove_leaks(request.user, job.training, job.validation, job.upload_to)
        except Refusal as refusal:
            messages.error(request, str(refusal))
        else:
            job.update_draft(validation=rest)
            messages.success(request, describe_removal(rest))
    return redirect_to_dataset_step(job, "validation")


def remove_leaks(user: User, training: Dataset, validation: Dataset, folder: str) -> Dataset:
    try:
        return leakage_results.remove_leaks(user, training, validation, folder)
    except leakage_results.NothingLeft:
        words = _(
            "No examples would be left. Choose another validation dataset, or hold out part of the "
            "training file."
        )
        raise Refusal(words) from None
    except leakage_results.HasProblems:
        raise Refusal(_("The validation dataset has problems. Fix them first.")) from None


def describe_removal(rest: Dataset) -> str:
    count = rest.derivation["lines"]
    words = ngettext(
        "%(n)d example was left out. The validation dataset is now “%(file)s”.",
        "%(n)d examples were left out. The validation dataset is now “%(file)s”.",
        count,
    )
    return words % {"n": count, "file": rest}
