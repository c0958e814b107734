"""Responses that download what was made from a dataset's stored file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

from django.contrib import messages
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect
from django.utils.http import content_disposition_header

from jobs.datasets.errors import Refusal, translate_storage_errors
from jobs.datasets.models import Dataset
from studio.people.access import Request


def open_chunks(dataset: Dataset) -> Iterator[bytes]:
    """The stored file in chunks, the first of which has been read: what goes wrong is known before a response
    begins. Raises Refusal."""
    chunks = dataset.iter_chunks()
    with translate_storage_errors(dataset.project):
        first = next(chunks, b"")
    return chain([first], chunks)


def redirect_with_error(request: Request, dataset: Dataset, refusal: Refusal) -> HttpResponse:
    """Back to the dataset's page, with the reason."""
    messages.error(request, str(refusal))
    return redirect(dataset)


def attachment(content: Iterable[bytes], filename: str, type: str) -> StreamingHttpResponse:
    response = StreamingHttpResponse(content, content_type=type)
    response["Content-Disposition"] = content_disposition_header(True, filename)
    return response


def stem(dataset: Dataset) -> str:
    """The file's name without .jsonl, to name other files by."""
    return str(dataset).removesuffix(".jsonl")
