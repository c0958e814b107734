"""The body of tuningJobs.create: its checks and its defaults."""

import math
import re
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.api import pre_tuned_models as pre_tuned
from engine.api.pre_tuned_models import PreTunedModel
from engine.api.resource_names import Place
from engine.base_models.registry import ResolvedModel, resolve_base_model
from engine.gcs.object_store import BLOCK
from engine.protojson import labels
from engine.protojson.errors import ApiError, Violation, combine_violations, invalid_argument
from engine.training.plan import RANKS

Json = dict[str, Any]

SPEC = "tuning_job.supervised_tuning_spec"
MAX_BYTES = 2**30  # Google documents 1 GB for a training file
MAX_BATCH_SIZE = 256  # beyond it memory is the limit on any machine this engine is for
# Google documents no limit. A job of 10,000 epochs ends; more would hold the queue until it is cancelled.
MAX_EPOCHS = 10_000
UNSUPPORTED_FIELDS = {
    "customBaseModel": (
        "custom_base_model",
        "custom_base_model is not supported. Add the model's folder to ENGINE_BASES and set base_model.",
    ),
    "outputUri": (
        "output_uri",
        "output_uri is not supported for this base model. Leave it out and call the tuned model's endpoint.",
    ),
    "encryptionSpec": (
        "encryption_spec.kms_key_name",
        "Customer-managed encryption keys are not supported for this base model. Leave encryption_spec out.",
    ),
}


@dataclass(frozen=True, slots=True)
class ValidatedJob:
    """What a job will train: a base model, by the caller's id for it, or a pre-tuned model to start from."""

    model: str
    resolved: ResolvedModel
    pre_tuned: PreTunedModel | None = None

    @property
    def adapter_size(self) -> str:
        """The adapter size of a job that names none."""
        if self.pre_tuned:
            return self.pre_tuned.adapter_size
        return {rank: name for name, rank in RANKS.items()}[self.resolved.adapter_size]


def validate_tuning_job(place: Place, body: Json) -> ValidatedJob:
    """Raises INVALID_ARGUMENT with every field that is wrong."""
    found = [
        *_check_method(body),
        *_check_names(body),
        *_check_datasets(body),
        *_check_hyper_parameter_ranges(body),
    ]
    found += [*_check_unsupported(body), *_check_evaluation(body)]
    try:
        checked = _resolve_source(body, pre_tuned.find_pre_tuned(place, body))
    except ApiError as error:
        raise combine_violations([*found, *error.violations]) from None
    if found or checked is None:
        raise combine_violations(found)
    _check_model_support(body, checked)
    return checked


def _resolve_source(body: Json, parent: PreTunedModel | None) -> ValidatedJob | None:
    """None where neither model is named."""
    model = parent.base_model if parent else body.get("baseModel", "")
    resolved = resolve_base_model(model) if model else None
    if parent and not (resolved and parent.matches_base(resolved.base)):
        text = f"{parent.tuned.version_name} was tuned on another build of {model} than this engine has."
        raise combine_violations([Violation(f"{pre_tuned.FIELD}.tuned_model_name", text)])
    if model and resolved is None:
        text = f"Base model {model} is not supported."
        raise combine_violations([Violation("tuning_job.base_model", text)])
    return ValidatedJob(model, resolved, parent) if resolved else None


def _check_model_support(body: Json, checked: ValidatedJob) -> None:
    """Fields that depend on the model: Gemini models take no batch size and no absolute learning rate."""
    chosen, path = hyper_parameters(body), f"{SPEC}.hyper_parameters"
    for name, key in (("batch_size", "batchSize"), ("learning_rate", "learningRate")):
        if key in chosen and checked.resolved.stand_in_for:
            raise combine_violations(
                [Violation(f"{path}.{name}", f"{name} is not supported for this base model.")]
            )
    asked = chosen.get("adapterSize", "")
    if asked in RANKS and checked.pre_tuned and asked != checked.adapter_size:
        text = f"The pre-tuned model has {checked.adapter_size}. Leave adapter_size out."
        raise invalid_argument(text, f"{path}.adapter_size")
    if asked in RANKS and RANKS[asked] not in checked.resolved.adapter_sizes:
        text = "The adapter size is not supported for this base model."
        raise invalid_argument(text, f"{path}.adapter_size")


def hyper_parameters(body: Json) -> Json:
    found: Json = body.get("supervisedTuningSpec", {}).get("hyperParameters", {})
    return found


def _check_method(body: Json) -> Iterator[Violation]:
    if "preTunedModel" not in body and not body.get("baseModel"):
        yield Violation("tuning_job.base_model", "base_model is required.")
    if "supervisedTuningSpec" not in body:
        text = "supervised_tuning_spec is required. Only supervised tuning is supported."
        yield Violation(SPEC, text)


def _check_names(body: Json) -> Iterator[Violation]:
    if len(body.get("tunedModelDisplayName", "")) > 128:
        text = "tuned_model_display_name can have at most 128 characters."
        yield Violation("tuning_job.tuned_model_display_name", text)
    yield from labels.find_violations(body.get("labels", {}), "tuning_job.labels")
    if not re.fullmatch(r"[^@\s]+@[^@\s]+", body.get("serviceAccount") or "a@b"):
        text = "service_account must be the email address of a service account."
        yield Violation("tuning_job.service_account", text)


def _check_unsupported(body: Json) -> Iterator[Violation]:
    """Refuse fields that a caller would rely on and the engine does not support, instead of ignoring them."""
    for key, (name, text) in UNSUPPORTED_FIELDS.items():
        if body.get(key):
            yield Violation(f"tuning_job.{name}", text)
    if body.get("supervisedTuningSpec", {}).get("tuningMode") == "TUNING_MODE_FULL":
        text = "Only TUNING_MODE_PEFT_ADAPTER is supported for this base model."
        yield Violation(f"{SPEC}.tuning_mode", text)


def _check_evaluation(body: Json) -> Iterator[Violation]:
    config = body.get("supervisedTuningSpec", {}).get("evaluationConfig")
    if config is None:
        return
    field = f"{SPEC}.evaluation_config"
    if not config.get("metrics"):
        yield Violation(f"{field}.metrics", "metrics is required.")
    prefix = config.get("outputConfig", {}).get("gcsDestination", {}).get("outputUriPrefix", "")
    if not prefix.startswith("gs://"):
        path = f"{field}.output_config.gcs_destination.output_uri_prefix"
        yield Violation(path, "output_uri_prefix must be a Cloud Storage path such as gs://BUCKET/FOLDER.")
    if not 1 <= config.get("autoraterConfig", {}).get("samplingCount", 1) <= 32:
        yield Violation(f"{field}.autorater_config.sampling_count", "sampling_count must be from 1 to 32.")


def _check_datasets(body: Json) -> Iterator[Violation]:
    spec = body.get("supervisedTuningSpec", {})
    for name, key in (
        ("training_dataset_uri", "trainingDatasetUri"),
        ("validation_dataset_uri", "validationDatasetUri"),
    ):
        uri = spec.get(key, "")
        if uri and not re.fullmatch(r"gs://[^/]+/.+\.jsonl", uri):
            yield Violation(f"{SPEC}.{name}", f"{name} should be a GCS object of type JSONL.")
    if "supervisedTuningSpec" in body and not spec.get("trainingDatasetUri"):
        yield Violation(f"{SPEC}.training_dataset_uri", "training_dataset_uri is required.")


def _check_hyper_parameter_ranges(body: Json) -> Iterator[Violation]:
    found, path = hyper_parameters(body), f"{SPEC}.hyper_parameters"
    if not 1 <= int(found.get("epochCount", 1)) <= MAX_EPOCHS:
        yield Violation(f"{path}.epoch_count", f"epoch_count must be from 1 to {MAX_EPOCHS}.")
    multiplier = found.get("learningRateMultiplier", 1.0)
    if not (math.isfinite(multiplier) and multiplier > 0):
        text = "learning_rate_multiplier must be a number greater than 0."
        yield Violation(f"{path}.learning_rate_multiplier", text)
    if not 1 <= int(found.get("batchSize", 1)) <= MAX_BATCH_SIZE:
        yield Violation(f"{path}.batch_size", f"batch_size must be from 1 to {MAX_BATCH_SIZE}.")
    rate = found.get("learningRate", 1.0)
    if not (math.isfinite(rate) and rate > 0):
        yield Violation(f"{path}.learning_rate", "learning_rate must be a number greater than 0.")
    if "learningRate" in found and "learningRateMultiplier" in found:
        text = "Set learning_rate or learning_rate_multiplier, not both."
        yield Violation(f"{path}.learning_rate", text)


def check_examples(model: str, training: int, validation: int | None) -> None:
    if training == 0:
        raise invalid_argument("The training dataset has no examples.", f"{SPEC}.training_dataset_uri")
    if validation is not None and validation > max_validation_examples(model, training):
        text = (
            f"The validation dataset has {validation} examples; "
            f"at most {max_validation_examples(model, training)} are allowed for {model}."
        )
        raise invalid_argument(text, f"{SPEC}.validation_dataset_uri")


def max_validation_examples(model: str, training: int) -> int:
    """Google's documented limits: 256 for the first generations, then 5000; lately 30 % of a large set."""
    if re.search(r"gemini-1\.", model):
        return 256
    if "gemini-2.0" in model:
        return 5000
    return min(5000, max(1000, training * 3 // 10))


def count_examples(path: Path) -> int:
    """The lines that are not blank."""
    if path.stat().st_size > MAX_BYTES:
        raise ApiError("INVALID_ARGUMENT", "A dataset can be at most 1 GB. Use a smaller file.")
    with path.open("rb", buffering=BLOCK) as file:
        return sum(1 for line in file if line.strip())


def fill_defaults(body: Json, checked: ValidatedJob, training: int) -> Json:
    """The body with defaults for the fields that it leaves out."""
    spec: Mapping[str, Any] = body["supervisedTuningSpec"]
    chosen = hyper_parameters(body)
    effective = {
        "epochCount": str(checked.resolved.base.recommended_epochs(training)),
        **({} if "learningRate" in chosen else {"learningRateMultiplier": 1.0}),
        "adapterSize": checked.adapter_size,
        **{key: value for key, value in chosen.items() if value != "ADAPTER_SIZE_UNSPECIFIED"},
    }
    parent = checked.pre_tuned
    default = parent.tuned.display_name if parent else f"{checked.model}-{uuid.uuid4()}"
    return {
        **body,
        **({"preTunedModel": parent.to_resource()} if parent else {}),
        "tunedModelDisplayName": body.get("tunedModelDisplayName") or default,
        "supervisedTuningSpec": {**spec, "hyperParameters": effective},
    }
