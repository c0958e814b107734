from django.http import HttpResponse
from django.shortcuts import render

from studio.access import Request, member
from studio.models import Project, Role


@member(Role.VIEWER)
def page(request: Request, project: Project) -> HttpResponse:
    return render(request, "base.html")
