"""The compare page, its figures, runs to add, and its CSV files."""

from __future__ import annotations

import gzip
import hashlib
import json

from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.cache import get_conditional_response, patch_cache_control, patch_vary_headers
from django.utils.http import http_date, quote_etag
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_GET

from metrics.compare import csv_export
from metrics.compare.page import Comparison
from metrics.compare.query import CompareQuery
from studio.csv_response import stream_csv
from studio.models import Project, Role
from studio.people.access import Request, require_role

GZIP_LEVEL = 1
"""gzip's fastest level: higher ones hardly shrink noisy figures, and take longer."""


@require_GET
@require_role(Role.VIEWER)
def show_comparison(request: Request, project: Project) -> HttpResponse:
    """Render the page; for htmx the tables around the charts. Checked runs redirect to the address with
    them."""
    compare = load_comparison(request, project)
    if "run" in request.GET:
        return redirect(f"{reverse('compare:page', args=[project.slug])}?{compare.view.query()}")
    part = "#about" if request.htmx else ""
    context = {"compare": compare, "view": compare.view, "candidates": search_candidates(request, compare)}
    return render(request, f"metrics/compare/page.html{part}", context)


def load_comparison(request: Request, project: Project) -> Comparison:
    distance = timezone.localtime().utcoffset()
    return Comparison(
        project,
        request.user,
        CompareQuery.from_query(request.GET),
        distance.total_seconds() if distance else 0,
    )


def search_candidates(request: Request, compare: Comparison) -> dict[str, object]:
    q = request.GET.get("q", "").strip()[:128]
    asked = compare.has_too_few or "q" in request.GET
    return {"q": q, "asked": asked, "jobs": compare.find_candidates(q) if asked else []}


@require_GET
@require_role(Role.VIEWER)
def figures_json(request: Request, project: Project) -> HttpResponseBase:
    """Return the figures. The ETag stands for the content; Last-Modified is when the service was read."""
    compare = load_comparison(request, project)
    said = build_figures_payload(compare, request.GET.get("drawn", "")) | {"every": compare.poll_seconds}
    body = json.dumps(said, separators=(",", ":")).encode()
    etag = quote_etag(hashlib.blake2b(body, digest_size=16).hexdigest())
    response = get_conditional_response(request, etag=etag) or json_response(request, body)
    response["ETag"] = etag
    if read_at := compare.read_at:
        response["Last-Modified"] = http_date(read_at.timestamp())
    patch_cache_control(response, private=True, no_cache=True)
    return response


def build_figures_payload(compare: Comparison, points: str) -> dict[str, object]:
    """Return the figures, or only their lines for a page that has the same figures with another smoothing.

    `points` is the number of points in each of the page's figures, `5000,12000`. If a run has more by now,
    the page gets complete figures.
    """
    if points and compare.lines:
        smoothed = compare.build_smoothed_lines()
        if points == ",".join(str(one["points"]) for one in smoothed.values()):
            return {"smoothed": smoothed}
    return {"charts": compare.build_figures() if compare.lines else {}}


@require_GET
@require_role(Role.VIEWER)
def values_json(request: Request, project: Project) -> HttpResponse:
    """Return the values that the page smooths itself; it requests them only for short runs."""
    body = json.dumps(
        load_comparison(request, project).encode_training_values(), separators=(",", ":")
    ).encode()
    response = json_response(request, body)
    patch_cache_control(response, private=True, no_store=True)
    return response


def json_response(request: Request, body: bytes) -> HttpResponse:
    response = HttpResponse(body, content_type="application/json")
    patch_vary_headers(response, ["Accept-Encoding"])
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        response.content = gzip.compress(body, GZIP_LEVEL)
        response["Content-Encoding"] = "gzip"
    return response


@require_GET
@require_role(Role.VIEWER)
def search_runs(request: Request, project: Project) -> HttpResponse:
    """Render runs to add, for the page's dialog; without JavaScript the page itself lists them."""
    compare = load_comparison(request, project)
    context = {"compare": compare, "view": compare.view, "candidates": search_candidates(request, compare)}
    return render(request, "metrics/compare/_found.html", context)


@require_GET
@require_role(Role.VIEWER)
@gzip_page
def curves_csv(request: Request, project: Project) -> StreamingHttpResponse:
    """Return every stored point of the visible curves."""
    compare = load_comparison(request, project)
    metrics = compare.view.metrics
    series = compare.read_series({metric.series_name for metric in metrics})
    rows = csv_export.iter_curves_rows(compare.table.rows, series, metrics)
    return stream_csv("compare-curves.csv", csv_export.CURVES_HEADER, rows)


@require_GET
@require_role(Role.VIEWER)
def runs_csv(request: Request, project: Project) -> StreamingHttpResponse:
    """Return a row for each run: unrounded numbers, then settings. Programs read it, so it is in English for
    every reader."""
    compare = load_comparison(request, project)
    with translation.override("en"):
        header = csv_export.build_runs_header(compare.settings)
    rows = csv_export.iter_runs_rows(compare.table.rows, compare.lines, compare.settings)
    return stream_csv("compare-runs.csv", header, rows)
