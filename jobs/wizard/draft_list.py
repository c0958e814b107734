"""The drafts of a project: all members see them, owners continue them and others can copy them."""

from __future__ import annotations

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from jobs.job_list import filters
from jobs.models import TuningJob
from studio.models import Project, Role
from studio.people.access import Request, require_role


@require_safe
@require_role(Role.VIEWER)
def list_drafts(request: Request, project: Project) -> HttpResponse:
    """List drafts, last changed first; with `mine`, only those of the user."""
    drafts = TuningJob.objects.drafts().filter(project=project)
    own = drafts.filter(owner=request.user)
    mine = "mine" in request.GET
    rows = (own if mine else drafts).with_related().defer("remote", "summary").order_by("-updated_at", "-pk")
    page = Paginator(rows, filters.PAGE_SIZE).get_page(request.GET.get("page"))
    kept = "mine&" if mine else ""
    context = {
        "mine": mine,
        "counts": {"all": drafts.count(), "mine": own.count()},
        "page": page,
        "earlier": f"{kept}page={page.number - 1}",
        "later": f"{kept}page={page.number + 1}",
    }
    return render(request, "jobs/wizard/drafts.html", context)
