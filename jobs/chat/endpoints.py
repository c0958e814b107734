"""Endpoints of a job that can be chatted with, from its last response (pure)."""

from __future__ import annotations

from dataclasses import dataclass

from jobs import tuning_job_resource as vertex_job
from jobs.tuning_job_resource import Checkpoint, Json


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The endpoint of a checkpoint, or of the tuned model if no checkpoints were exported."""

    resource: str
    checkpoint: Checkpoint | None = None
    default: bool = False

    @property
    def id(self) -> str:
        return self.resource.rsplit("/", 1)[-1]


def endpoints(remote: Json) -> list[Endpoint]:
    """Return the endpoints, the default first, then newest first.

    Default and checkpoints may each be missing.
    """
    default = vertex_job.default_endpoint(remote)
    found = [
        Endpoint(checkpoint.endpoint, checkpoint, default=checkpoint.endpoint == default)
        for checkpoint in reversed(vertex_job.checkpoints(remote))
        if checkpoint.endpoint
    ]
    if default and not any(endpoint.default for endpoint in found):
        found.append(Endpoint(default, default=True))
    return sorted(found, key=lambda endpoint: not endpoint.default)
