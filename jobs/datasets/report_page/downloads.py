"""What leaves a dataset as a file: the original, its problems, and a cleaned copy."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, BinaryIO

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from jobs.datasets import ingest
from jobs.datasets.check.checker import check_file, iter_problems
from jobs.datasets.check.messages import describe_problem
from jobs.datasets.check.report import Problem
from jobs.datasets.errors import NO_BUCKET_ASK_ADMIN, Refusal, translate_storage_errors
from jobs.datasets.models import Dataset
from jobs.datasets.report_page.page import ReportPage
from jobs.datasets.shortcuts import dataset_or_404
from jobs.datasets.transform.clean import clean_file
from studio.csv_response import stream_csv
from studio.models import Project, Role
from studio.people.access import Request, require_role

if TYPE_CHECKING:
    from django.contrib.auth.models import User

HEAD = ("line", "severity", "code", "field", "problem", "cure", "excerpt")


@require_GET
@require_role(Role.VIEWER)
def download_file(request: Request, project: Project, pk: int) -> HttpResponseBase:
    """The very version that was checked, as it is stored."""
    dataset = dataset_or_404(project, pk)

    def build_response(file: BinaryIO) -> HttpResponseBase:
        response = attachment(ingest.read_blocks(file), str(dataset), ingest.TYPE)
        response["Content-Length"] = str(dataset.size)
        return response

    return respond_from_store(request, dataset, build_response)


@require_GET
@require_role(Role.VIEWER)
def download_problems_csv(request: Request, project: Project, pk: int) -> HttpResponseBase:
    """Every problem, found anew while it is sent: the report keeps only the first of each kind."""
    dataset = dataset_or_404(project, pk)

    def build_response(file: BinaryIO) -> HttpResponseBase:
        found = iter_problems(ingest.read_blocks(file), name=str(dataset))
        return stream_csv(f"{stem(dataset)}-problems.csv", HEAD, iter_problem_rows(found), bom=True)

    return respond_from_store(request, dataset, build_response)


@require_GET
@require_role(Role.VIEWER)
def download_cleaned(request: Request, project: Project, pk: int) -> HttpResponseBase:
    dataset = dataset_or_404(project, pk)
    return respond_from_store(
        request,
        dataset,
        lambda file: attachment(
            clean_file(ingest.read_blocks(file)), f"{stem(dataset)}-cleaned.jsonl", ingest.TYPE
        ),
    )


@require_POST
@require_role(Role.TUNER)
def keep_cleaned(request: Request, project: Project, pk: int) -> HttpResponse:
    """The cleaned file as a dataset of its own, checked anew."""
    dataset = dataset_or_404(project, pk)
    try:
        made = translate_storage_errors(
            project, lambda: make_cleaned_copy(dataset, request.user), NO_BUCKET_ASK_ADMIN
        )
    except Refusal as refusal:
        messages.error(request, str(refusal))
        return redirect(dataset)
    messages.success(request, _("“%(file)s” was added to the library.") % {"file": made})
    return redirect(made)


def make_cleaned_copy(dataset: Dataset, user: User) -> Dataset:
    how = "converted" if ReportPage(dataset).convertible else "cleaned"
    with open_version(dataset) as source, tempfile.TemporaryFile(dir=settings.FILE_UPLOAD_TEMP_DIR) as copy:
        copy.writelines(clean_file(ingest.read_blocks(source)))
        if not copy.tell():
            raise Refusal(_("This file has no usable lines, so the cleaned file would be empty."))
        return store_copy(dataset, user, copy, how)


def store_copy(dataset: Dataset, user: User, copy: BinaryIO, how: str) -> Dataset:
    copy.seek(0)
    report = check_file(ingest.read_blocks(copy))
    if report.bytes > settings.DATASET_MAX_BYTES:
        raise ingest.TooBig
    stored = ingest.store_file(dataset.project, copy, f"{stem(dataset)}-{how}.jsonl")
    facts = {"parent": dataset, "derivation": {"how": how}}
    return ingest.pin(dataset.project, user, stored, Dataset.Source.DERIVED, report, **facts)


def open_version(dataset: Dataset) -> BinaryIO:
    return dataset.project.storage().open(dataset.uri, int(dataset.generation))


def respond_from_store(
    request: Request, dataset: Dataset, answer: Callable[[BinaryIO], HttpResponseBase]
) -> HttpResponseBase:
    """What `answer` makes of the stored file, or the page again with the reason why it cannot be read."""
    try:
        file = translate_storage_errors(dataset.project, lambda: open_version(dataset))
    except Refusal as refusal:
        messages.error(request, str(refusal))
        return redirect(dataset)
    return answer(file)


def attachment(content: Iterator[bytes], filename: str, type: str) -> StreamingHttpResponse:
    response = StreamingHttpResponse(content, content_type=type)
    response["Content-Disposition"] = content_disposition_header(True, filename)
    return response


def stem(dataset: Dataset) -> str:
    return str(dataset).removesuffix(".jsonl")


def iter_problem_rows(problems: Iterator[Problem]) -> Iterator[tuple[object, ...]]:
    """A row of HEAD for each problem; the line is blank where a problem concerns the whole file."""
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
