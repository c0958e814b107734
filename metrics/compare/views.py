from django.http import HttpResponse

from studio.access import Request, member
from studio.models import Project, Role


@member(Role.VIEWER)
def page(request: Request, project: Project) -> HttpResponse:
    return HttpResponse(" ".join(request.GET.getlist("run")))
