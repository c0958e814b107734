"""Display of a job's request: the body and its code samples."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from jobs.request import snippets
from jobs.request.body import build_tuning_request
from jobs.request.target import RequestTarget, Snippet
from studio.vertex.auth import LOCATION, base_url

if TYPE_CHECKING:
    from jobs.models import TuningJob
    from studio.vertex.auth import Place


@dataclass(frozen=True)
class RequestPanel:
    """Snippets of a request. `chosen` is the key of the open one; an unknown key means the first."""

    job: TuningJob
    chosen: str = ""

    @cached_property
    def snippets(self) -> list[Snippet]:
        body = self.job.request or build_tuning_request(self.job)
        address = build_target(self.job.project.place(), self.job.location)
        return [snippet(body, address) for snippet in snippets.SNIPPET_BUILDERS]

    @property
    def selected_key(self) -> str:
        keys = [snippet.key for snippet in self.snippets]
        return self.chosen if self.chosen in keys else keys[0]


def build_target(place: Place, location: str) -> RequestTarget:
    """Return the target; without a region it contains the placeholder LOCATION."""
    known = LOCATION.fullmatch(location) is not None
    url = base_url(place, location if known else "us-central1")
    return RequestTarget(
        url=url if known else url.replace("us-central1", "LOCATION"),
        project_id=place.project_id,
        location=location if known else "LOCATION",
        on_engine=place.on_engine,
        token=bool(place.token),
        quota_project=place.quota_project or "",
        own_host=not place.on_engine and location in dict(place.host_overrides),
    )
