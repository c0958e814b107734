"""Continuous tuning: the checkpoint of a tuned model that a job starts from.

https://cloud.google.com/vertex-ai/generative-ai/docs/models/gemini-use-continuous-tuning
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.api.resource_names import Place
from engine.api.tuned_model import TunedModel, next_version
from engine.base_models.registry import LocalBaseModel
from engine.protojson.errors import ApiError, Violation, combine_violations
from engine.queue.atomic_files import read_json
from engine.queue.job_folder import Checkpoint

Json = dict[str, Any]

FIELD = "tuning_job.pre_tuned_model"


@dataclass(frozen=True, slots=True)
class PreTunedModel:
    tuned: TunedModel
    checkpoint: Checkpoint

    @property
    def base_model(self) -> str:
        model: str = self.tuned.job["model"]
        return model

    @property
    def adapter_size(self) -> str:
        """The enum's name: the weights have this rank and no other."""
        chosen: Json = self.tuned.job["request"]["supervisedTuningSpec"]["hyperParameters"]
        return str(chosen["adapterSize"])

    @property
    def weights(self) -> Path:
        return self.checkpoint.folder / "adapter_model.safetensors"

    def matches_base(self, base: LocalBaseModel) -> bool:
        """Whether the adapter was trained on this build of the base."""
        return bool(read_json(self.checkpoint.folder / "checkpoint.json").get("baseSha256") == base.sha256)

    def to_resource(self) -> Json:
        """PreTunedModel with what the request may have left open: version and checkpoint."""
        return {
            "tunedModelName": self.tuned.version_name,
            "checkpointId": self.checkpoint.checkpoint_id,
            "baseModel": self.base_model,
        }

    def build_version_fields(self, display_name: str) -> Json:
        """Under the model's own name the job makes its next version; under another, a model of its own."""
        if display_name not in ("", self.tuned.display_name):
            return {}
        model_id = self.tuned.model_id
        return {"modelId": model_id, "version": next_version(self.tuned.place, model_id)}


def find_pre_tuned(place: Place, body: Json) -> PreTunedModel | None:
    """Raises INVALID_ARGUMENT naming the field where there is no such model or checkpoint."""
    if (asked := body.get("preTunedModel")) is None:
        return None
    tuned = _find_tuned_model(place, asked.get("tunedModelName", ""))
    checkpoint_id = asked.get("checkpointId") or tuned.default_checkpoint
    checkpoint = tuned.find_checkpoint(checkpoint_id)
    if checkpoint is None:
        ids = ", ".join(found.checkpoint_id for found in tuned.checkpoints)
        raise _field_error(
            "checkpoint_id",
            f"{tuned.version_name} has no checkpoint {checkpoint_id}. Available checkpoints: {ids}.",
        )
    return PreTunedModel(tuned, checkpoint)


def _find_tuned_model(place: Place, name: str) -> TunedModel:
    leading = place.resource_name("models", "")
    if not name.startswith(leading) or "/" in name.removeprefix(leading):
        text = (
            f"tuned_model_name must be {leading}MODEL, or MODEL@VERSION for a version other than the default."
        )
        raise _field_error("tuned_model_name", text)
    try:
        return TunedModel.of_model(place, name.removeprefix(leading))
    except ApiError as error:
        raise _field_error("tuned_model_name", error.message) from None


def _field_error(field: str, description: str) -> ApiError:
    return combine_violations([Violation(f"{FIELD}.{field}", description)])
