"""The report page of a dataset, and what can be downloaded there: the file itself and its problems."""

from __future__ import annotations

from collections.abc import Iterator

from django.db import transaction
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from jobs.datasets import ingest, library
from jobs.datasets.check.checker import check_file, iter_problems
from jobs.datasets.check.messages import describe_problem
from jobs.datasets.check.report import Problem
from jobs.datasets.downloads import attachment, open_chunks, redirect_with_error, stem
from jobs.datasets.errors import Refusal, translate_storage_errors
from jobs.datasets.models import Dataset
from jobs.datasets.report_page.page import ReportPage
from jobs.datasets.shortcuts import dataset_or_404
from studio.csv_response import stream_csv
from studio.models import Project, Role
from studio.people.access import Request, require_role

PROBLEM_COLUMNS = ("line", "severity", "code", "field", "problem", "cure", "excerpt")


@require_GET
@require_role(Role.VIEWER)
def show_dataset(request: Request, project: Project, pk: int) -> HttpResponse:
    dataset = dataset_or_404(project, pk)
    context = {
        "dataset": dataset,
        "shown": ReportPage(dataset),
        "users": library.find_usage(dataset, request.user),
        "children": dataset.children.defer("report"),
        "others": library.others(dataset),
        "may_change": library.can_change(dataset, request.user, request.role),
    }
    return render(request, "jobs/datasets/report_page/page.html", context)


@require_POST
@require_role(Role.TUNER)
def check_again(request: Request, project: Project, pk: int) -> HttpResponse:
    """Check the stored version with today's checks."""
    dataset = dataset_or_404(project, pk)
    try:
        with translate_storage_errors(project):
            report = check_file(dataset.iter_chunks(), name=str(dataset))
    except Refusal as refusal:
        return redirect_with_error(request, dataset, refusal)
    with transaction.atomic():
        Dataset.objects.filter(pk=pk).update(report=report.to_json(), checked_at=timezone.now())
        dataset.audit("dataset.check", request.user)
    return redirect(dataset)


@require_GET
@require_role(Role.VIEWER)
def download_file(request: Request, project: Project, pk: int) -> HttpResponseBase:
    """The version that was checked, byte for byte."""
    dataset = dataset_or_404(project, pk)
    try:
        response = attachment(open_chunks(dataset), str(dataset), ingest.CONTENT_TYPE)
    except Refusal as refusal:
        return redirect_with_error(request, dataset, refusal)
    response["Content-Length"] = str(dataset.size)
    return response


@require_GET
@require_role(Role.VIEWER)
def download_problems_csv(request: Request, project: Project, pk: int) -> HttpResponseBase:
    """Every problem, found again while the file is sent: the report has only the first ones of each kind."""
    dataset = dataset_or_404(project, pk)
    try:
        problems = iter_problems(open_chunks(dataset), name=str(dataset))
    except Refusal as refusal:
        return redirect_with_error(request, dataset, refusal)
    rows = iter_problem_rows(problems)
    return stream_csv(f"{stem(dataset)}-problems.csv", PROBLEM_COLUMNS, rows, bom=True)


def iter_problem_rows(problems: Iterator[Problem]) -> Iterator[tuple[object, ...]]:
    """A row of PROBLEM_COLUMNS for each problem; the line is blank where it is about the whole file."""
    for problem in problems:
        message = describe_problem(problem)
        yield (
            problem.line or None,
            problem.severity,
            problem.code,
            problem.field,
            message.what,
            message.cure,
            "".join(problem.excerpt),
        )
