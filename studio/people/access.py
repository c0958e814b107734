"""Access control: each view names the role that it requires, and gets the project, or the request is refused.

Someone who is not a member gets 404, so that a project's existence stays private; a member whose role is too
small gets 403.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec

from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils.translation import gettext as _
from django_htmx.http import HttpResponseClientRefresh

from studio.models import Project, Role
from studio.people import invitations

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django_htmx.middleware import HtmxDetails

P = ParamSpec("P")
View = Callable[..., HttpResponseBase]


class Request(HttpRequest):
    """The request of a signed-in person, as project views get it."""

    user: User
    htmx: HtmxDetails
    role: Role


def require_role(
    role: Role,
) -> Callable[[Callable[Concatenate[Request, Project, P], HttpResponseBase]], View]:
    """Replace the view's `slug` by the project, if the person's role in it covers `role`."""

    def decorate(view: Callable[Concatenate[Request, Project, P], HttpResponseBase]) -> View:
        @wraps(view)
        def view_wrapper(request: Request, slug: str, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            project = project_or_refuse(request, slug, role)
            return view(request, project, *args, **kwargs)

        view_wrapper.needs = role  # type: ignore[attr-defined]
        return view_wrapper

    return decorate


def project_or_refuse(request: Request, slug: str, needed: Role) -> Project:
    project = Project.objects.filter(slug=slug).first()
    held = project.role_of(request.user) if project else None
    if project is None or held is None:
        raise Http404(_("This project doesn’t exist, or you aren’t a member of it."))
    if not held.covers(needed):
        raise PermissionDenied(
            _("This requires the “%(role)s” role in this project.") % {"role": needed.label}
        )
    request.role = held
    request.project = project  # type: ignore[attr-defined]
    return project


def require_installation_admin(view: View) -> View:
    """Require an admin of the installation."""

    @wraps(view)
    def view_wrapper(request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.user.is_superuser:
            raise PermissionDenied(_("This requires an installation admin."))
        return view(request, *args, **kwargs)

    view_wrapper.needs = "installation admin"  # type: ignore[attr-defined]
    return view_wrapper


class SignInMiddleware(LoginRequiredMiddleware):
    """Requires a sign-in; if a session ends between fragments, htmx reloads the whole page."""

    def handle_no_permission(  # type: ignore[override]
        self, request: HttpRequest, view_func: View
    ) -> HttpResponseBase:
        if request.headers.get("HX-Request"):
            return HttpResponseClientRefresh()
        return super().handle_no_permission(request, view_func)


class FirstRunMiddleware:
    """Until an admin exists, answers 503 on every page except the one-time link, language and health."""

    open_names = {"join", "healthz", "language"}

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        self.has_admin = False

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: View, args: list[Any], kwargs: dict[str, Any]
    ) -> HttpResponse | None:
        match = request.resolver_match
        if self.admin_exists() or (match and match.url_name in self.open_names):
            return None
        return render(request, "studio/people/first_run.html", status=503)

    def admin_exists(self) -> bool:
        """Query the database only until the answer is yes."""
        self.has_admin = self.has_admin or invitations.admin_exists()
        return self.has_admin
