"""What a tuning job makes, read from its folder: a version of a model, and an endpoint per checkpoint.

    model      <id of the job that made version 1>0, and @version
    endpoint   <job id><checkpoint id, three digits>

A job that starts from a tuned model makes the model's next version (pre_tuned_models.py). A caller's later
changes and deletions are in registry.json in the job's folder; the model's own fields, in that of version 1.
"""

import threading
from dataclasses import dataclass, field, replace
from typing import Any

from engine.api.resource_names import JOB_DIGITS, Place
from engine.protojson.errors import not_found
from engine.queue.atomic_files import read_json, write_json
from engine.queue.job_folder import Checkpoint, JobFolder, utc_now

DEFAULT = "default"

changes_lock = threading.Lock()


@dataclass(slots=True)
class RegistryChanges:
    """registry.json; `deleted` and `undeployed` list checkpoints whose endpoint is gone, or empty.

    `endpoints` has the changed fields of a checkpoint's endpoint. The model's own are the first four.
    """

    display_name: str = ""
    labels: dict[str, str] | None = None
    description: str | None = None
    default_version: str = ""
    default_checkpoint: str = ""
    version_labels: dict[str, str] | None = None
    version_description: str | None = None
    endpoints: dict[str, dict[str, Any]] = field(default_factory=dict)
    model_deleted: bool = False
    deleted: list[str] = field(default_factory=list)
    undeployed: list[str] = field(default_factory=list)
    updated: str = ""


class TunedModel:
    """The version of a model and the endpoints that one tuning job made."""

    def __init__(self, place: Place, folder: JobFolder) -> None:
        self.place = place
        self.folder = folder
        self.job = folder.job
        self.model_id: str = self.job.get("modelId") or first_model_id(folder.id)
        self.version: str = self.job.get("version") or "1"
        self.checkpoints = folder.checkpoints()
        self.changes = RegistryChanges(**read_json(folder.path / "registry.json"))

    @classmethod
    def of_model(cls, place: Place, name: str) -> "TunedModel":
        """By the model's id, which @version or @default may follow; the default version where none does."""
        model_id, _, version = name.partition("@")
        found = _versions(place, model_id)
        if found and version in ("", "-", DEFAULT):
            return pick_default_version(found)
        for tuned in found:
            if tuned.version == version:
                return tuned
        raise not_found(f"The Model {place.resource_name('models', name)} does not exist.")

    def versions(self) -> "list[TunedModel]":
        """Those of the model that are there, the newest first."""
        return _versions(self.place, self.model_id)

    @classmethod
    def of_endpoint(cls, place: Place, endpoint_id: str) -> tuple["TunedModel", str]:
        """The tuned model, and the id of the endpoint's checkpoint, which may not be there yet."""
        tuned, checkpoint = (
            _find_by_job(place, endpoint_id[:JOB_DIGITS]),
            endpoint_id[JOB_DIGITS:].lstrip("0"),
        )
        if tuned is None or not tuned.has_endpoint(endpoint_id, checkpoint):
            raise not_found(f"The Endpoint {place.resource_name('endpoints', endpoint_id)} does not exist.")
        return tuned, checkpoint

    def has_endpoint(self, endpoint_id: str, checkpoint: str) -> bool:
        expected = bool(checkpoint) and endpoint_id == self.endpoint_id(checkpoint)
        return expected and checkpoint not in self.changes.deleted and self.can_have_checkpoint(checkpoint)

    def can_have_checkpoint(self, checkpoint: str) -> bool:
        """Whether the checkpoint is there, or may still come."""
        return self.find_checkpoint(checkpoint) is not None or not self.folder.is_finished

    @property
    def has_model(self) -> bool:
        return bool(self.checkpoints) and not self.changes.model_deleted

    @property
    def first_version(self) -> "TunedModel":
        """Version 1, beside which lies what is the model's own, even where that version was deleted."""
        own = self.model_id == first_model_id(self.folder.id)
        return (
            self if own else TunedModel(self.place, JobFolder(self.folder.path.parent / self.model_id[:-1]))
        )

    @property
    def model_name(self) -> str:
        return self.place.resource_name("models", self.model_id)

    @property
    def version_name(self) -> str:
        return f"{self.model_name}@{self.version}"

    @property
    def display_name(self) -> str:
        """The model's, whichever of its versions this is."""
        first = self.first_version
        name: str = first.changes.display_name or first.job["request"]["tunedModelDisplayName"]
        return name

    def endpoint_id(self, checkpoint: str) -> str:
        return f"{self.folder.id}{checkpoint:>03}"

    def endpoint_name(self, checkpoint: str) -> str:
        return self.place.resource_name("endpoints", self.endpoint_id(checkpoint))

    def find_checkpoint(self, checkpoint_id: str) -> Checkpoint | None:
        return next((found for found in self.checkpoints if found.checkpoint_id == checkpoint_id), None)

    @property
    def default_checkpoint(self) -> str:
        return self.changes.default_checkpoint or self.checkpoints[-1].checkpoint_id

    @property
    def endpoint_checkpoint_ids(self) -> list[str]:
        """The ids of the checkpoints that have an endpoint."""
        ids = (checkpoint.checkpoint_id for checkpoint in self.checkpoints)
        return [checkpoint for checkpoint in ids if checkpoint not in self.changes.deleted]

    @property
    def deployed_checkpoint_ids(self) -> list[str]:
        """The checkpoints that their endpoint still serves."""
        return [
            checkpoint
            for checkpoint in self.endpoint_checkpoint_ids
            if checkpoint not in self.changes.undeployed
        ]

    def save_changes(self, **changed: Any) -> None:
        """Save a caller's changes; only while holding `changes_lock`."""
        self.changes = replace(self.changes, **changed, updated=utc_now())
        changes = {name: getattr(self.changes, name) for name in RegistryChanges.__slots__}
        write_json(self.folder.path / "registry.json", changes)

    def to_resource(self) -> dict[str, Any]:
        """TuningJob.tunedModel: empty until the first checkpoint; an endpoint only once the job succeeded."""
        if not self.checkpoints:
            return {}
        answer: dict[str, Any] = {"model": self.version_name}
        if self.folder.state.get("state") == "JOB_STATE_SUCCEEDED":
            answer["endpoint"] = self.endpoint_name(self.default_checkpoint)
        if not self.job["request"]["supervisedTuningSpec"].get("exportLastCheckpointOnly"):
            answer["checkpoints"] = [self._checkpoint_resource(checkpoint) for checkpoint in self.checkpoints]
        return answer

    def _checkpoint_resource(self, checkpoint: Checkpoint) -> dict[str, str]:
        return {
            "checkpointId": checkpoint.checkpoint_id,
            "epoch": str(checkpoint.epoch),
            "step": str(checkpoint.step),
            "endpoint": self.endpoint_name(checkpoint.checkpoint_id),
        }


def first_model_id(job_id: str) -> str:
    return f"{job_id}0"


def _find_by_job(place: Place, job_id: str) -> TunedModel | None:
    folder = place.find_job(job_id)
    return TunedModel(place, folder) if folder else None


def list_tuned_models(place: Place) -> list[TunedModel]:
    """What every job of the place made, the newest first."""
    return [TunedModel(place, folder) for folder in place.jobs()]


def _versions(place: Place, model_id: str) -> list[TunedModel]:
    return [tuned for tuned in list_tuned_models(place) if tuned.model_id == model_id and tuned.has_model]


def pick_default_version(of_one_model: list[TunedModel]) -> TunedModel:
    """The first one, until it is deleted; then the newest at that time."""
    wanted = of_one_model[0].first_version.changes.default_version or "1"
    return next((tuned for tuned in of_one_model if tuned.version == wanted), of_one_model[0])


def next_version(place: Place, model_id: str) -> str:
    """A number that no version of the model ever had."""
    numbers = [int(tuned.version) for tuned in list_tuned_models(place) if tuned.model_id == model_id]
    return str(max(numbers) + 1)
