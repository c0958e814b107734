"""Projects: the home page, settings, the connection check, activity, and a new project."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from studio.models import AuditEntry, Membership, Project, Role
from studio.pages.error_messages import explain_error
from studio.people.access import Request, require_installation_admin, require_role
from studio.projects.forms import NewProjectForm, ProjectForm
from studio.projects.regions import lock_regions
from studio.vertex.errors import VertexError

if TYPE_CHECKING:
    from django.contrib.auth.models import User

ENTRIES_PER_PAGE = 50


@require_GET
def home(request: Request) -> HttpResponse:
    project = Project.objects.visible_to(request.user).first()
    return (
        redirect("project", project.slug) if project else render(request, "studio/projects/no_project.html")
    )


@require_GET
@require_role(Role.VIEWER)
def project_home(request: Request, project: Project) -> HttpResponse:
    return redirect("jobs:list", project.slug)


@require_GET
@require_role(Role.VIEWER)
def activity(request: Request, project: Project) -> HttpResponse:
    entries = project.auditentry_set.select_related("actor")
    page = Paginator(entries, ENTRIES_PER_PAGE).get_page(request.GET.get("page"))
    context = {"page": page, "earlier": f"page={page.number - 1}", "later": f"page={page.number + 1}"}
    return render(request, "studio/projects/activity.html", context)


@require_http_methods(["GET", "POST"])
@require_role(Role.ADMIN)
def project_settings(request: Request, project: Project) -> HttpResponse:
    form = ProjectForm(request.POST or None, instance=project, actor=request.user)
    if request.method == "POST" and save_settings(form, request.user):
        messages.success(request, _("Saved."))
        return redirect("project_settings", project.slug)
    return render(request, "studio/projects/project_settings.html", {"form": form})


@transaction.atomic
def save_settings(form: ProjectForm, actor: User) -> bool:
    """Check and store the settings as one step: a region belongs to one project. Return whether they are
    valid."""
    lock_regions()
    if not form.is_valid():
        return False
    project = form.save()
    changed = form.changed_data
    shared = {"shared_places": project.shared_places} if "shared_places" in changed else {}
    AuditEntry.record(
        "project.change", actor=actor, project=project, subject=project.name, fields=changed, **shared
    )
    return True


@require_POST
@require_role(Role.ADMIN)
def check_connection(request: Request, project: Project) -> HttpResponse:
    """List the tuning jobs once, and show the result."""
    context: dict[str, Any] = {"form": ProjectForm(instance=project, actor=request.user), "checked": True}
    try:
        next(project.vertex().list_tuning_jobs(project.location, page_size=1), None)
    except VertexError as error:
        context["banner"] = explain_error(error, on_engine=project.on_engine)
    return render(request, "studio/projects/project_settings.html", context)


@require_http_methods(["GET", "POST"])
@require_installation_admin
def new_project(request: Request) -> HttpResponse:
    form = NewProjectForm(request.POST or None, actor=request.user, initial={"regions": ["us-central1"]})
    if request.method == "POST" and (project := create_project(form, request.user)):
        return redirect("project", project.slug)
    return render(request, "studio/projects/new_project.html", {"form": form, "engine": settings.ENGINE})


@transaction.atomic
def create_project(form: NewProjectForm, actor: User) -> Project | None:
    """Check and store a new project as one step: a region belongs to one project. Return None if the form is
    invalid."""
    lock_regions()
    if not form.is_valid():
        return None
    project = form.save()
    Membership.objects.create(project=project, user=actor, role=Role.ADMIN)
    AuditEntry.record("project.create", actor=actor, project=project, subject=project.name)
    return project
