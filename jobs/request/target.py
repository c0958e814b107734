"""Target of a tuning request, and a code sample that sends it (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

TOKEN_VARIABLE = "ENGINE_TOKEN"  # noqa: S105 - the name of a variable

Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class RequestTarget:
    """`url` is scheme and host, `token` tells whether an engine requires a bearer token, and `own_host`
    whether the API host differs from Google's regional one."""

    url: str
    project_id: str
    location: str
    on_engine: bool = False
    token: bool = False
    quota_project: str = ""
    own_host: bool = False

    @property
    def method_url(self) -> str:
        """https://cloud.google.com/vertex-ai/docs/reference/rest/v1/projects.locations.tuningJobs/create"""
        parts = (quote(part, safe=":") for part in (self.project_id, self.location))
        base = quote(self.url.rstrip("/"), safe="/:@[]%~")
        return "{}/v1/projects/{}/locations/{}/tuningJobs".format(base, *parts)


@dataclass(frozen=True, slots=True)
class Snippet:
    """A code sample. `key` identifies it in URLs; `left_out` are the body's fields that it can't express."""

    key: str
    title: str
    text: str
    left_out: tuple[str, ...] = ()
