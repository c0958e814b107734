"""The page of the changes between two datasets, its CSV file, and the way there from a dataset's report."""

from __future__ import annotations

from collections.abc import Iterator

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from jobs.datasets.diff import csv_export
from jobs.datasets.diff import results as diff_results
from jobs.datasets.diff.page import ChangesPage, read_or_explain
from jobs.datasets.downloads import stem
from jobs.datasets.models import Dataset
from jobs.datasets.shortcuts import dataset_or_404, find_dataset
from studio.csv_response import stream_csv
from studio.models import Project, Role
from studio.people.access import Request, require_role


def get_pair_or_404(project: Project, before: int, after: int) -> tuple[Dataset, Dataset]:
    rows = Dataset.objects.select_related("project").defer("report")
    old, new = (get_object_or_404(rows, project=project, pk=pk) for pk in (before, after))
    return old, new


@require_http_methods(["GET", "HEAD", "POST"])
@require_role(Role.VIEWER)
def show_changes(request: Request, project: Project, before: int, after: int) -> HttpResponse:
    """Compare small files at once, large ones by POST."""
    pair = get_pair_or_404(project, before, after)
    page = ChangesPage.for_pair(*pair, asked=request.method == "POST")
    if request.method == "POST" and not page.failure:
        return redirect("datasets:changes", project.slug, before, after)
    template = "jobs/datasets/diff/_changes.html" if request.htmx else "jobs/datasets/diff/page.html"
    return render(request, template, {"page": page})


@require_GET
@require_role(Role.VIEWER)
def download_changes_csv(request: Request, project: Project, before: int, after: int) -> HttpResponseBase:
    """Every changed example, found again while the file is sent, since only the first ones are stored."""
    old, new = get_pair_or_404(project, before, after)
    if old.has_same_data(new):
        return build_csv_response(old, new, iter(()))
    both = diff_results.make_source(old), diff_results.make_source(new)
    found, failure = read_or_explain(old, lambda: csv_export.match_files(*both))
    if found is None:
        messages.error(request, failure)
        return redirect("datasets:changes", project.slug, before, after)
    folder = settings.FILE_UPLOAD_TEMP_DIR
    return build_csv_response(old, new, csv_export.changed_rows(found, *both, folder=folder))


def build_csv_response(before: Dataset, after: Dataset, rows: Iterator[csv_export.Row]) -> HttpResponseBase:
    cells = ((kind, first or None, now or None, *texts) for kind, first, now, *texts in rows)
    return stream_csv(f"{stem(before)}-to-{stem(after)}.csv", csv_export.HEAD, cells, bom=True)


@require_GET
@require_role(Role.VIEWER)
def compare_datasets(request: Request, project: Project, pk: int) -> HttpResponse:
    """Redirect to the changes between this dataset and the one `with` names, from the older to the newer."""
    dataset = dataset_or_404(project, pk)
    other = find_dataset(project, request.GET.get("with", ""))
    if other is None:
        messages.error(request, _("This dataset is no longer in the library. Choose another one."))
        return redirect(dataset)
    before, after = sorted((dataset, other), key=lambda each: (each.created_at, each.pk))
    return redirect("datasets:changes", project.slug, before.pk, after.pk)
