"""Errors, in the two shapes that Google's APIs use."""

import errno
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase

log = logging.getLogger(__name__)

JSON = "application/json; charset=UTF-8"
STORAGE_PATHS = ("/storage/", "/upload/", "/download/")

# google.rpc.Code name -> HTTP status, and the `reason` that Cloud Storage gives instead of the name.
STATUSES = {
    "INVALID_ARGUMENT": (400, "invalid"),
    "FAILED_PRECONDITION": (400, "failedPrecondition"),
    "UNAUTHENTICATED": (401, "authError"),
    "PERMISSION_DENIED": (403, "forbidden"),
    "NOT_FOUND": (404, "notFound"),
    "METHOD_NOT_ALLOWED": (405, "methodNotAllowed"),
    "ALREADY_EXISTS": (409, "conflict"),
    "ABORTED": (409, "conflict"),
    "GONE": (410, "gone"),
    "CONDITION_NOT_MET": (412, "conditionNotMet"),
    "RANGE_NOT_SATISFIABLE": (416, "requestedRangeNotSatisfiable"),
    "RESOURCE_EXHAUSTED": (429, "rateLimitExceeded"),
    "CANCELLED": (499, "clientClosedRequest"),
    "INTERNAL": (500, "internalError"),
    "UNIMPLEMENTED": (501, "notImplemented"),
    "UNAVAILABLE": (503, "backendError"),
    "DEADLINE_EXCEEDED": (504, "backendError"),
}


@dataclass(frozen=True, slots=True)
class Violation:
    """One field that is wrong: its path in snake case, empty for the whole body, and why."""

    field: str
    description: str


class ApiError(Exception):
    """A refusal; `status` is a key of STATUSES."""

    def __init__(self, status: str, message: str, violations: Iterable[Violation] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.violations = tuple(violations)

    @property
    def code(self) -> int:
        return STATUSES[self.status][0]


def invalid_argument(message: str, field: str = "") -> ApiError:
    return ApiError("INVALID_ARGUMENT", message, [Violation(field, message)] if field else ())


def not_found(message: str) -> ApiError:
    return ApiError("NOT_FOUND", message)


def disk_full() -> ApiError:
    """Nothing was done, so that the caller may send the same again later."""
    return ApiError("RESOURCE_EXHAUSTED", "The disk of this server is full. Free some space and try again.")


def not_implemented(method: str) -> ApiError:
    return ApiError("UNIMPLEMENTED", f"The method {method} is not implemented by this engine.")


def combine_violations(violations: list[Violation]) -> ApiError:
    """Every wrong field of a request at once, in Vertex AI's wording."""
    listed = "".join(
        f"\t{number}.Field: {violation.field}; Message: {violation.description}"
        for number, violation in enumerate(violations, start=1)
    )
    return ApiError("INVALID_ARGUMENT", f"List of found errors:{listed}\t", violations)


def rpc_status(error: ApiError) -> dict[str, Any]:
    """google.rpc.Status in JSON, https://cloud.google.com/apis/design/errors."""
    status: dict[str, Any] = {"code": error.code, "message": error.message, "status": error.status}
    if error.violations:
        fields = [_field_violation(violation) for violation in error.violations]
        status["details"] = [
            {"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": fields}
        ]
    return {"error": status}


def _field_violation(violation: Violation) -> dict[str, str]:
    described = {"description": violation.description}
    return {"field": violation.field, **described} if violation.field else described


def storage_error(error: ApiError) -> dict[str, Any]:
    """The error body of https://cloud.google.com/storage/docs/json_api/v1/status-codes."""
    reason = STATUSES[error.status][1]
    entry = {"message": error.message, "domain": "global", "reason": reason}
    return {"error": {"code": error.code, "message": error.message, "errors": [entry]}}


def error_response(request: HttpRequest, error: ApiError) -> HttpResponse:
    of_storage = request.path.startswith(STORAGE_PATHS)
    body = storage_error(error) if of_storage else rpc_status(error)
    return JsonResponse(body, status=error.code, content_type=JSON)


def route_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    text = (
        f"The address {request.path} does not exist on this server. "
        "Resources are under /v1/projects/PROJECT/locations/LOCATION. Set both in your client."
    )
    return error_response(request, not_found(text))


class ErrorMiddleware:
    """Middleware that turns exceptions of views into error responses."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if isinstance(response, HttpResponse) and response.status_code != 204:
            response.headers.setdefault("Content-Length", str(len(response.content)))
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse:
        return error_response(request, as_api_error(exception))


def as_api_error(exception: Exception) -> ApiError:
    """The error to answer with; an unexpected one is logged, and answered without details."""
    if isinstance(exception, ApiError):
        return exception
    if isinstance(exception, SuspiciousOperation):  # such as thousands of query parameters
        return invalid_argument(f"Malformed request: {exception}")
    log.error("Unexpected error", exc_info=exception)
    if isinstance(exception, OSError) and exception.errno in (errno.ENOSPC, errno.EDQUOT):
        return disk_full()
    return ApiError("INTERNAL", "Internal error encountered.")
