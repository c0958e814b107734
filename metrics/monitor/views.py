"""The Monitor tab of a job, the figures that keep it live, and the same numbers as tables and CSV."""

from __future__ import annotations

from django.http import Http404, HttpResponse, HttpResponseBase, JsonResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils.cache import get_conditional_response, patch_cache_control
from django.utils.http import http_date, quote_etag
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_GET

from jobs.job_page.views import build_page_head
from jobs.shortcuts import job_or_404
from metrics.charts.controls import Controls
from metrics.charts.figures import build_figures
from metrics.monitor import table
from metrics.monitor.page import Monitor, panels
from studio.csv_response import stream_csv
from studio.models import Project, Role
from studio.people.access import Request, require_role


@require_GET
@require_role(Role.VIEWER)
def show_monitor(request: Request, project: Project, pk: int) -> HttpResponse:
    """Render the whole tab; for htmx its panel, or only the facts below the charts."""
    job = job_or_404(request, project, pk)
    if job.is_draft:
        return redirect(job)
    page = Monitor.for_job(job, Controls.from_query(request.GET))
    part = "facts" if request.htmx and request.htmx.target == "monitor-facts" else "panel"
    template = f"metrics/monitor/page.html#{part}" if request.htmx else "metrics/monitor/page.html"
    context = build_page_head(request, job, "monitor") | {"page": page, "panels": panels()}
    return render(request, template, context)


@require_GET
@require_role(Role.VIEWER)
@gzip_page
def figures_json(request: Request, project: Project, pk: int) -> HttpResponseBase:
    """Return the figures. The ETag stands for the content; Last-Modified is when the service was read."""
    page = load_monitor(request, project, pk)
    etag = quote_etag(page.version())
    response = get_conditional_response(request, etag=etag) or JsonResponse(
        {
            "charts": build_figures(page.series, page.run, page.controls, page.utc_offset())
            if page.series
            else {},
            "word": page.placeholder(),
            "progress": page.progress(),
            "every": page.poll_seconds,
            "over": page.job.is_final,
            "failing": bool(page.read_error),
            "facts": page.facts_digest(),
        }
    )
    response["ETag"] = etag
    if page.read_at:
        response["Last-Modified"] = http_date(page.read_at.timestamp())
    patch_cache_control(response, private=True, no_cache=True)
    return response


@require_GET
@require_role(Role.VIEWER)
def show_table(request: Request, project: Project, pk: int, chart: str) -> HttpResponse:
    panel = next((panel for panel in panels() if panel.name == chart), None)
    if panel is None:
        raise Http404
    page = load_monitor(request, project, pk)
    rows = table.build_table_rows(page.series, chart, page.run)
    points = max((len(found) for found in table.select_chart_series(page.series, chart).values()), default=0)
    template = "metrics/monitor/table.html" + ("#rows" if request.htmx else "")
    context = {"job": page.job, "panel": panel, "rows": rows, "points": points}
    return render(request, template, context)


@require_GET
@require_role(Role.VIEWER)
@gzip_page
def points_csv(request: Request, project: Project, pk: int) -> StreamingHttpResponse:
    """Return every stored point, or those of one `chart`."""
    page = load_monitor(request, project, pk)
    series = table.select_chart_series(page.series, request.GET.get("chart", ""))
    return stream_csv(f"job-{pk}-metrics.csv", table.CSV_HEADER, table.iter_csv_rows(series))


def load_monitor(request: Request, project: Project, pk: int) -> Monitor:
    return Monitor.for_job(job_or_404(request, project, pk), Controls.from_query(request.GET))
