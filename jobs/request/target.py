"""Where a tuning request goes, and a text that sends it there (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

TOKEN_VARIABLE = "ENGINE_TOKEN"  # noqa: S105 - the name of a variable

Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class RequestTarget:
    """Where the request goes: `url` is scheme and host, `token` says whether an engine asks for one, and
    `own_host` whether Google's API has another host than its usual one."""

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
    """`key` names it in addresses; `left_out` are the body's fields that this way of asking cannot carry."""

    key: str
    title: str
    text: str
    left_out: tuple[str, ...] = ()
