"""What a tuning job leaves behind: a model, and an endpoint per checkpoint, as its folder tells.

    model      <job id>0
    endpoint   <job id><checkpoint id, three digits>

What a caller changed or deleted since lies beside the job, in registry.json.
"""

from dataclasses import dataclass, field
from typing import Any

from engine.durable import read_json, write_json
from engine.errors import not_found
from engine.folder import Checkpoint, JobFolder
from engine.place import JOB_DIGITS, Place

VERSION = "1"


@dataclass(slots=True)
class Changes:
    """registry.json; `deleted` and `undeployed` list checkpoints whose endpoint is gone, or empty."""

    display_name: str = ""
    default_checkpoint: str = ""
    labels: dict[str, str] | None = None
    description: str | None = None
    model_deleted: bool = False
    deleted: list[str] = field(default_factory=list)
    undeployed: list[str] = field(default_factory=list)
    updated: str = ""


class Tuned:
    """The model and the endpoints of one tuning job."""

    def __init__(self, place: Place, folder: JobFolder) -> None:
        self.place = place
        self.folder = folder
        self.job = folder.job
        self.checkpoints = folder.checkpoints()
        self.changes = Changes(**read_json(folder.path / "registry.json"))

    @classmethod
    def of_model(cls, place: Place, model_id: str) -> "Tuned":
        """By the model's id, with or without @version."""
        name, _, version = model_id.partition("@")
        tuned = (
            _find(place, name[:-1]) if name.endswith("0") and version in ("", VERSION, "default") else None
        )
        if tuned is None or not tuned.has_model:
            raise not_found(f"The Model {place.name('models', model_id)} does not exist.")
        return tuned

    @classmethod
    def of_endpoint(cls, place: Place, endpoint_id: str) -> tuple["Tuned", str]:
        """The tuned model, and the id of the endpoint's checkpoint, which may not be there yet."""
        tuned, checkpoint = _find(place, endpoint_id[:JOB_DIGITS]), endpoint_id[JOB_DIGITS:].lstrip("0")
        if tuned is None or not tuned.knows(endpoint_id, checkpoint):
            raise not_found(f"The Endpoint {place.name('endpoints', endpoint_id)} does not exist.")
        return tuned, checkpoint

    def knows(self, endpoint_id: str, checkpoint: str) -> bool:
        expected = bool(checkpoint) and endpoint_id == self.endpoint_id(checkpoint)
        return expected and checkpoint not in self.changes.deleted and self.may_have(checkpoint)

    def may_have(self, checkpoint: str) -> bool:
        """Whether the checkpoint is there, or may still come."""
        return self.checkpoint(checkpoint) is not None or not self.folder.finished

    @property
    def has_model(self) -> bool:
        return bool(self.checkpoints) and not self.changes.model_deleted

    @property
    def model(self) -> str:
        return self.place.name("models", f"{self.folder.id}0")

    def endpoint_id(self, checkpoint: str) -> str:
        return f"{self.folder.id}{checkpoint:>03}"

    def endpoint(self, checkpoint: str) -> str:
        return self.place.name("endpoints", self.endpoint_id(checkpoint))

    def checkpoint(self, checkpoint_id: str) -> Checkpoint | None:
        return next((found for found in self.checkpoints if found.checkpoint_id == checkpoint_id), None)

    @property
    def default_checkpoint(self) -> str:
        return self.changes.default_checkpoint or self.checkpoints[-1].checkpoint_id

    @property
    def endpoints(self) -> list[str]:
        """The ids of the checkpoints that have an endpoint."""
        ids = (checkpoint.checkpoint_id for checkpoint in self.checkpoints)
        return [checkpoint for checkpoint in ids if checkpoint not in self.changes.deleted]

    def save(self) -> None:
        changes = {name: getattr(self.changes, name) for name in Changes.__slots__}
        write_json(self.folder.path / "registry.json", changes)

    def tuned_model(self) -> dict[str, Any]:
        """TuningJob.tunedModel: empty until the first checkpoint; an endpoint only once the job succeeded."""
        if not self.checkpoints:
            return {}
        answer: dict[str, Any] = {"model": f"{self.model}@{VERSION}"}
        if self.folder.state.get("state") == "JOB_STATE_SUCCEEDED":
            answer["endpoint"] = self.endpoint(self.default_checkpoint)
        if not self.job["request"]["supervisedTuningSpec"].get("exportLastCheckpointOnly"):
            answer["checkpoints"] = [self._checkpoint(checkpoint) for checkpoint in self.checkpoints]
        return answer

    def _checkpoint(self, checkpoint: Checkpoint) -> dict[str, str]:
        return {
            "checkpointId": checkpoint.checkpoint_id,
            "epoch": str(checkpoint.epoch),
            "step": str(checkpoint.step),
            "endpoint": self.endpoint(checkpoint.checkpoint_id),
        }


def _find(place: Place, job_id: str) -> Tuned | None:
    folder = place.find(job_id)
    return Tuned(place, folder) if folder else None


def all_tuned(place: Place) -> list[Tuned]:
    """Every tuned model of the place that was not deleted, the newest first."""
    return [Tuned(place, folder) for folder in place.jobs()]
