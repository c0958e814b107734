"""Hosts and credentials: Google's hosts with Google credentials, or the engine with its token."""

from __future__ import annotations

import logging
import os
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import google.auth
import requests
from google.auth import exceptions as auth_exceptions
from google.auth.credentials import AnonymousCredentials, Credentials, CredentialsWithQuotaProject
from google.auth.transport.requests import AuthorizedSession
from google.auth.transport.requests import Request as TokenRequest
from google.oauth2 import service_account
from google.oauth2.credentials import Credentials as TokenCredentials

from studio.vertex.errors import BadName, CredentialsFailed, VertexError, from_exception
from studio.vertex.streaming import MAX_ANSWER, limit_bytes

SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
STORAGE_URL = "https://storage.googleapis.com"
TIMEOUT = (5.0, 30.0)
"""Seconds to connect, and seconds without a byte; every request has both limits."""
# More than the threads of any process (12 in a web worker), so that none waits for a free connection.
CONNECTIONS = 32
TOKEN_RETRIES = 3
"""As google-auth's own session does."""
LOCATION = re.compile(r"global|us|eu|[a-z]+(?:-[a-z]+)+[0-9]{1,2}")
UNCHECKED = (ValueError, OverflowError, TypeError, LookupError, AttributeError, RecursionError)
"""What google-auth raises for numbers and fields of an answer that it doesn't check."""
TRANSLATED = (VertexError, requests.RequestException, auth_exceptions.GoogleAuthError)
"""What callers translate; some of it is a ValueError, too."""
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Place:
    """One account on one backend. `backend` is "google" or "engine".

    `credentials_file` is a service account key on this machine (None: application default credentials),
    `quota_project` is billed for calls made as a person, `token` is the engine's, and `host_overrides` are
    (location, https address) pairs that replace Google's hosts.
    """

    backend: str
    project_id: str
    engine_url: str = ""
    credentials_file: str | None = None
    quota_project: str | None = None
    token: str | None = None
    host_overrides: tuple[tuple[str, str], ...] = ()

    def __repr__(self) -> str:
        return f"Place({self.backend!r}, {self.project_id!r})"

    @property
    def on_engine(self) -> bool:
        return self.backend == "engine"


def base_url(place: Place, location: str) -> str:
    """Return the address of the API in `location`: a region, `global`, or the multi-regions `us` and `eu`."""
    if not LOCATION.fullmatch(location):
        raise BadName(f"{location!r} is not a location of Vertex AI.")
    if place.on_engine:
        return place.engine_url.rstrip("/")
    if override := dict(place.host_overrides).get(location):
        return override.rstrip("/")
    match location:
        case "global":
            return "https://aiplatform.googleapis.com"
        case "us" | "eu":
            return f"https://aiplatform.{location}.rep.googleapis.com"
        case _:
            return f"https://{location}-aiplatform.googleapis.com"


def storage_url(place: Place) -> str:
    return place.engine_url.rstrip("/") if place.on_engine else STORAGE_URL


class BoundedAdapter(requests.adapters.HTTPAdapter):
    """Answers that are read as a whole, also by Google's libraries, end at MAX_ANSWER with AnswerTooLarge."""

    def build_response(self, *args: Any, **kwargs: Any) -> requests.Response:
        response = super().build_response(*args, **kwargs)
        iter_whole = response.iter_content

        def iter_content(*args: Any, **kwargs: Any) -> Iterator[Any]:
            return limit_bytes(iter_whole(*args, **kwargs), MAX_ANSWER)

        response.iter_content = iter_content  # type: ignore[method-assign]
        return response


class Session(AuthorizedSession):
    """An AuthorizedSession that always has a timeout, follows no redirect, and only calls its place's hosts.

    After a 401 Google credentials are renewed and the request is sent once more; nothing else is repeated.
    """

    def __init__(self, place: Place, credentials: Credentials) -> None:
        self._place = place
        statuses = () if place.on_engine else (401,)
        tokens = requests.Session()
        tokens.mount("https://", BoundedAdapter(max_retries=TOKEN_RETRIES))
        tokens.mount("http://", BoundedAdapter())
        super().__init__(
            credentials,
            refresh_status_codes=statuses,
            max_refresh_attempts=1,
            auth_request=TokenRequest(tokens),
        )
        # The engine belongs to this installation: a proxy from the environment must not see its requests.
        self.trust_env = not place.on_engine
        adapter = BoundedAdapter(pool_connections=CONNECTIONS, pool_maxsize=CONNECTIONS)
        self.mount("https://", adapter)
        self.mount("http://", adapter)

    def request(self, method: Any, url: Any, *args: Any, **kwargs: Any) -> requests.Response:
        self._check_host(url)
        kwargs["allow_redirects"] = False
        kwargs["timeout"] = kwargs.get("timeout") or TIMEOUT
        self._renew_token(method, url, kwargs["timeout"])
        try:
            response: requests.Response = super().request(method, url, *args, **kwargs)
        except TRANSLATED:
            raise
        except UNCHECKED as error:  # of the renewal after a 401, or a token that can't be sent
            raise from_exception(error) from None
        return response

    def _renew_token(self, method: str, url: str, timeout: Any) -> None:
        """Renew the token if it is due, before the request: whatever is odd about Google's answer, such as a
        lifetime beyond all calendars, is known to have happened before anything was sent."""
        try:
            self.credentials.before_request(partial(self._auth_request, timeout=timeout), method, url, {})
        except VertexError as error:
            raise CredentialsFailed(error.message) from None
        except TRANSLATED:
            raise
        except UNCHECKED as error:
            log.warning("Google's token service gave an answer that can't be used (%s)", type(error).__name__)
            raise CredentialsFailed("Google's token service gave an answer that can't be read.") from None

    def _check_host(self, url: str) -> None:
        if not (_is_engine(self._place, url) if self._place.on_engine else _is_google(url)):
            raise BadName(f"Credentials are not sent to {urlsplit(url).netloc or 'this address'}.")


def session(place: Place) -> Session:
    """Return this process's session for `place`; raise CredentialsFailed if it has no credentials."""
    key = (place, _key_file_mtime(place.credentials_file))
    with _lock:
        if key not in _sessions:
            _sessions[key] = Session(place, _load_credentials(place))
        return _sessions[key]


_lock = threading.Lock()
_sessions: dict[tuple[Place, int], Session] = {}


def _key_file_mtime(path: str | None) -> int:
    """Return when the key file was last replaced, so that a renewed key is read without a restart."""
    try:
        return Path(path).stat().st_mtime_ns if path else 0
    except OSError:
        return 0


def _load_credentials(place: Place) -> Credentials:
    if place.on_engine:
        return TokenCredentials(token=place.token) if place.token else AnonymousCredentials()
    credentials: Credentials = (
        _load_key_file(place.credentials_file) if place.credentials_file else _load_default_credentials()
    )
    if place.quota_project and isinstance(credentials, CredentialsWithQuotaProject):
        credentials = credentials.with_quota_project(place.quota_project)
    return credentials


def _load_key_file(path: str) -> service_account.Credentials:
    try:
        key: service_account.Credentials = service_account.Credentials.from_service_account_file(
            path, scopes=SCOPES
        )
    except OSError:
        raise CredentialsFailed("This project's credentials file cannot be read on this server.") from None
    except ValueError:
        raise CredentialsFailed("This project's credentials file is not a service account key.") from None
    return key


def _load_default_credentials() -> Credentials:
    try:
        credentials: Credentials = google.auth.default(scopes=SCOPES)[0]
    except OSError:
        raise CredentialsFailed(
            "The file that GOOGLE_APPLICATION_CREDENTIALS names cannot be read: "
            f"let the account with the ID {os.getuid()} read it."
        ) from None
    except auth_exceptions.GoogleAuthError as error:
        raise from_exception(error) from None
    return credentials


def _is_google(url: str) -> bool:
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    return (
        parts.scheme == "https"
        and host.endswith(".googleapis.com")
        and parts.username is None
        and parts.port in (None, 443)
    )


def _is_engine(place: Place, url: str) -> bool:
    ours, theirs = urlsplit(place.engine_url), urlsplit(url)
    return (ours.scheme, ours.netloc.lower()) == (theirs.scheme, theirs.netloc.lower())
