"""/healthz: is each part of the installation answering?"""

from django.http import HttpRequest, JsonResponse


def healthz(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"status": "ok"})


healthz.login_required = False  # type: ignore[attr-defined]
