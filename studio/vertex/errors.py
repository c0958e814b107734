"""Errors of Vertex AI, Cloud Storage and the engine, by what is known afterwards.

VertexError
  NotSent              nothing left this machine: connection refused, unknown host, TLS failure
    BadName            not a location, resource name or gs:// address, or a host that gets no credentials
  OutcomeUnknown       it may or may not have been done: timeout, reset, 5xx, an unreadable answer
    AnswerTooLarge     more bytes or pages than are read
  Refused              a clear no: nothing was done
    BadRequest         400, 413; `violations` names the fields
    Unauthenticated    401
    PermissionDenied   403; `reason` says SERVICE_DISABLED, BILLING_DISABLED ... where Google does
    NotFound           404; also a wrong region or project
    Conflict           409, 412; it exists, perhaps because an earlier request of ours made it
    TooManyRequests    429; `retry_after` in seconds where the server names it
  CredentialsFailed    no credentials, or Google no longer accepts them; never contains a file's path
  StreamBroken         a streamed answer stopped before its end
  InternalFault        an exception that nobody expected: a mistake of ours, or an answer that we do not know

Errors never contain a token, a file path or an upload address: they are made from the service's message and
our own text, and the exceptions that they replace are left out of the traceback. Their texts are bounded, and
fit for a database.
"""

from __future__ import annotations

import email.utils
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import requests
import urllib3.exceptions
from google.auth import exceptions as auth_exceptions

from studio.vertex.storable import make_storable, parse_json

# Google's messages are shorter; what a proxy sends is cut.
MESSAGE_LIMIT = 2000
WORD_LIMIT = 200
"""Characters of a status, a reason or a field; Google's have up to 100."""
MAX_VIOLATIONS = 50
"""A request has about thirty fields."""
MAX_CODE = 599
"""The last HTTP status; codes of gRPC are smaller."""
MAX_RETRY_AFTER = 300.0
"""Seconds. Even a list that nobody watches is read every five minutes, so a service that asks for a longer
pause is asked no more often than an idle one, and a wrong number parks no job."""
DEADLINE = "DEADLINE_EXCEEDED"
SAFE_METHODS = frozenset({"GET", "HEAD", "DELETE"})
HANDSHAKE_FAILURES = frozenset(
    {
        "CERTIFICATE_VERIFY_FAILED",
        "HTTP_REQUEST",
        "NO_PROTOCOLS_AVAILABLE",
        "SSLV3_ALERT_HANDSHAKE_FAILURE",
        "TLSV1_ALERT_PROTOCOL_VERSION",
        "TLSV1_UNRECOGNIZED_NAME",
        "UNSUPPORTED_PROTOCOL",
        "WRONG_VERSION_NUMBER",
    }
)


@dataclass(frozen=True, slots=True)
class Violation:
    """One rejected field, named by its path (`tuning_job.base_model`)."""

    field: str
    description: str

    @classmethod
    def from_texts(cls, field: Any, description: Any) -> Violation:
        """Return the violation with texts that a database holds, whatever the service wrote."""
        return cls(make_storable(str(field))[:WORD_LIMIT], make_storable(str(description))[:MESSAGE_LIMIT])


class VertexError(Exception):
    """`code` is the HTTP status (None without a response); `status` and `reason` are Google's."""

    request_sent = True

    def __init__(
        self,
        message: str,
        *,
        code: int | None = None,
        status: str = "",
        reason: str = "",
        violations: tuple[Violation, ...] = (),
        retry_after: float | None = None,
    ) -> None:
        self.message = make_storable(message)[:MESSAGE_LIMIT]
        super().__init__(self.message)
        self.code = code
        self.status = make_storable(status)[:WORD_LIMIT]
        self.reason = make_storable(reason)[:WORD_LIMIT]
        self.violations = violations
        self.retry_after = retry_after


class NotSent(VertexError):
    request_sent = False


class BadName(NotSent, ValueError):
    pass


class OutcomeUnknown(VertexError):
    pass


class AnswerTooLarge(OutcomeUnknown):
    pass


class Refused(VertexError):
    pass


class BadRequest(Refused):
    pass


class Unauthenticated(Refused):
    pass


class PermissionDenied(Refused):
    pass


class NotFound(Refused):
    pass


class Conflict(Refused):
    pass


class TooManyRequests(Refused):
    pass


class CredentialsFailed(VertexError):
    request_sent = False


class StreamBroken(VertexError):
    pass


class InternalFault(VertexError):
    """Names the exception's class only: its text may quote anything. The log has all of it."""

    @classmethod
    def from_exception(cls, error: Exception) -> InternalFault:
        return cls(type(error).__name__)


REFUSALS: dict[int, type[Refused]] = {
    400: BadRequest,
    401: Unauthenticated,
    403: PermissionDenied,
    404: NotFound,
    409: Conflict,
    412: Conflict,
    413: BadRequest,
    429: TooManyRequests,
}
# With 408 and 499 the server says that it gave up while working on the request.
NO_VERDICT = frozenset({408, 499})


def from_response(response: requests.Response, content: bytes) -> VertexError:
    """Return the error for a response outside 2xx; `content` is as much of its body as could be read."""
    error = _error_object(_json_or_none(content))
    return from_error(
        error or {},
        code=response.status_code,
        retry_after=_parse_retry_after(response.headers.get("Retry-After")),
        definite=error is not None or response.request.method in SAFE_METHODS,
    )


def from_error(
    error: dict[str, Any], *, code: int | None = None, retry_after: float | None = None, definite: bool = True
) -> VertexError:
    """Return the error for a google.rpc.Status or Cloud Storage's error object.

    A 4xx that is not Google's own (`definite` false: a proxy's page, a cut body) says nothing about a POST.
    """
    code = code or _parse_code(error.get("code")) or 500
    kind: type[VertexError] = OutcomeUnknown
    if definite and 400 <= code < 500 and code not in NO_VERDICT:
        kind = REFUSALS.get(code, Refused)
    return kind(
        str(error.get("message") or _default_message(code)),
        code=code,
        status=str(error.get("status") or ""),
        reason=_find_reason(error),
        violations=tuple(islice(_violations(error), MAX_VIOLATIONS)),
        retry_after=retry_after,
    )


def from_exception(error: Exception) -> VertexError:
    """Return the error for an exception of requests, urllib3 or google-auth."""
    if isinstance(error, VertexError):
        return error
    if isinstance(error, auth_exceptions.GoogleAuthError):
        return _credentials_error(error)
    if isinstance(error, requests.Timeout | urllib3.exceptions.ReadTimeoutError) and not isinstance(
        error, requests.ConnectTimeout
    ):
        return OutcomeUnknown("The server did not answer in time.", status=DEADLINE)
    if _failed_before_sending(error):
        return NotSent(f"The server could not be reached: {_describe_cause(error)}.")
    return OutcomeUnknown("The connection broke before the answer was complete.")


def _credentials_error(error: auth_exceptions.GoogleAuthError) -> CredentialsFailed:
    match error:
        case auth_exceptions.TransportError() | auth_exceptions.TimeoutError():
            message = "Google's token service could not be reached."
        case auth_exceptions.ReauthFailError():
            message = (
                "Google asks this account to sign in again: run `gcloud auth application-default login`."
            )
        case auth_exceptions.RefreshError():
            message = "Google refused to renew the credentials: the key or the sign-in is no longer valid."
        case auth_exceptions.MalformedError():
            message = "The credentials file is not a service account key."
        case auth_exceptions.DefaultCredentialsError():
            message = "No usable Google credentials were found on this server."
        case _:
            message = "Google's credentials could not be used."
    return CredentialsFailed(message)


def _failed_before_sending(error: Exception) -> bool:
    addressing = (
        requests.ConnectTimeout,
        requests.exceptions.ProxyError,
        requests.exceptions.InvalidURL,
        requests.exceptions.InvalidSchema,
        requests.exceptions.MissingSchema,
        requests.exceptions.InvalidJSONError,
        requests.exceptions.InvalidHeader,
    )
    connecting = (
        urllib3.exceptions.NewConnectionError,
        urllib3.exceptions.NameResolutionError,
        urllib3.exceptions.ConnectTimeoutError,
        urllib3.exceptions.LocationParseError,
        UnicodeError,
    )
    return any(
        isinstance(cause, addressing + connecting)
        or (isinstance(cause, ssl.SSLError) and cause.reason in HANDSHAKE_FAILURES)
        for cause in _causes(error)
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield `error` and what it wraps: requests and urllib3 have the cause in `reason` or in `args`."""
    yield error
    for inner in (getattr(error, "reason", None), *error.args):
        if isinstance(inner, BaseException):
            yield from _causes(inner)


def _describe_cause(error: Exception) -> str:
    for cause in _causes(error):
        match cause:
            case urllib3.exceptions.NameResolutionError():
                return "its name is unknown"
            case ssl.SSLError():
                return "its certificate or TLS version is not accepted"
            case requests.ConnectTimeout() | urllib3.exceptions.ConnectTimeoutError():
                return "it did not accept a connection in time"
            case requests.exceptions.ProxyError():
                return "the proxy refused"
    return "no connection"


def _json_or_none(content: bytes) -> Any:
    try:
        return parse_json(content)
    except ValueError:
        return None


def _error_object(payload: Any) -> dict[str, Any] | None:
    """Return the object under `error`; a streaming method sends it inside a list."""
    if isinstance(payload, list) and payload:
        payload = payload[0]
    error = payload.get("error") if isinstance(payload, dict) else None
    return error if isinstance(error, dict) else None


def _details(error: dict[str, Any], kind: str) -> Iterator[dict[str, Any]]:
    for detail in _as_list(error.get("details")):
        if isinstance(detail, dict) and str(detail.get("@type", "")).endswith(f"google.rpc.{kind}"):
            yield detail


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _find_reason(error: dict[str, Any]) -> str:
    """Return ErrorInfo's reason, or the one in Cloud Storage's list `errors`."""
    for info in (*_details(error, "ErrorInfo"), *_as_list(error.get("errors"))):
        if isinstance(info, dict) and info.get("reason"):
            return str(info["reason"])
    return ""


def _violations(error: dict[str, Any]) -> Iterator[Violation]:
    for detail in _details(error, "BadRequest"):
        for item in _as_list(detail.get("fieldViolations")):
            if isinstance(item, dict):
                yield Violation.from_texts(item.get("field", ""), item.get("description", ""))


def _default_message(code: int) -> str:
    if 300 <= code < 400:
        return f"The server answered with a redirect ({code}), which is not followed."
    return f"The server answered {code} without an explanation."


def _parse_code(value: Any) -> int | None:
    return value if isinstance(value, int) and 0 < value <= MAX_CODE else None


def _parse_retry_after(text: str | None) -> float | None:
    """Return Retry-After, a number or a date, as seconds from now: MAX_RETRY_AFTER at most."""
    seconds = _parse_pause((text or "").strip())
    return None if seconds is None else min(max(0.0, seconds), MAX_RETRY_AFTER)


def _parse_pause(text: str) -> float | None:
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        until = email.utils.parsedate_to_datetime(text)
        return (until.replace(tzinfo=until.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
