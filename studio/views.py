"""Projects, people, first run, sign-in."""

from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import LoginView, LogoutView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.i18n import set_language

from studio.access import Request, installation_admin, member
from studio.models import Project, Role

sign_in = login_not_required(
    LoginView.as_view(template_name="studio/sign_in.html", redirect_authenticated_user=True)
)
sign_out = LogoutView.as_view()
language = login_not_required(set_language)


def home(request: Request) -> HttpResponse:
    project = Project.objects.visible_to(request.user).first()
    return redirect("project", project.slug) if project else render(request, "studio/no_project.html")


@member(Role.VIEWER)
def project_home(request: Request, project: Project) -> HttpResponse:
    return redirect("jobs:list", project.slug)


@member(Role.VIEWER)
def members(request: Request, project: Project) -> HttpResponse:
    return render(request, "studio/members.html")


@member(Role.ADMIN)
def project_settings(request: Request, project: Project) -> HttpResponse:
    return render(request, "studio/project_settings.html")


@installation_admin
def new_project(request: Request) -> HttpResponse:
    return render(request, "studio/new_project.html")


@login_not_required
def join(request: HttpRequest, uid: str, token: str) -> HttpResponse:
    return render(request, "studio/join.html")
