"""The body of tuningJobs.create: what must hold of it, and what fills in the rest."""

import math
import re
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from engine.bases import Resolved, resolve
from engine.errors import ApiError, Violation, found_errors, invalid
from engine.objects import BLOCK
from engine.plan import RANKS

Json = dict[str, Any]

SPEC = "tuning_job.supervised_tuning_spec"
MAX_BYTES = 2**30


def check(body: Json) -> Resolved:
    """The base model that the job asks for; raises INVALID_ARGUMENT with every field that is wrong."""
    violations = [*_of_method(body), *_of_names(body), *_of_datasets(body), *_of_hyper_parameters(body)]
    resolved = resolve(body.get("baseModel", ""))
    if resolved is None and "baseModel" in body:
        text = f"Base model {body['baseModel']} is not supported."
        violations.append(Violation("tuning_job.base_model", text))
    if violations or resolved is None:
        raise found_errors(violations)
    rank = RANKS.get(hyper_parameters(body).get("adapterSize", ""))
    if rank and rank not in resolved.adapter_sizes:
        field = f"{SPEC}.hyper_parameters.adapter_size"
        raise invalid("The adapter size is not supported for this base model.", field)
    return resolved


def hyper_parameters(body: Json) -> Json:
    found: Json = body.get("supervisedTuningSpec", {}).get("hyperParameters", {})
    return found


def _of_method(body: Json) -> Iterator[Violation]:
    if "preTunedModel" in body:
        text = "Tuning on from a tuned model is not supported here: name a base_model."
        yield Violation("tuning_job.pre_tuned_model", text)
    elif not body.get("baseModel"):
        yield Violation("tuning_job.base_model", "base_model is required.")
    if "supervisedTuningSpec" not in body:
        text = "supervised_tuning_spec is required: supervised tuning is the one method that is supported."
        yield Violation(SPEC, text)


def _of_names(body: Json) -> Iterator[Violation]:
    if len(body.get("tunedModelDisplayName", "")) > 128:
        text = "tuned_model_display_name can have at most 128 characters."
        yield Violation("tuning_job.tuned_model_display_name", text)
    if len(body.get("labels", {})) > 64:
        yield Violation("tuning_job.labels", "labels can have at most 64 entries.")
    for key, value in body.get("labels", {}).items():
        if not (_label(key) and key[:1].isalpha() and (_label(value) or not value)):
            text = (
                f"Invalid label {key!r}: {value!r}. Keys and values have at most 63 lowercase letters, "
                "digits, underscores and dashes; a key starts with a letter."
            )
            yield Violation("tuning_job.labels", text)


def _label(text: str) -> bool:
    return 0 < len(text) <= 63 and all(letter in "_-" or _lowercase(letter) for letter in text)


def _lowercase(letter: str) -> bool:
    return letter.isalnum() and letter == letter.lower()


def _of_datasets(body: Json) -> Iterator[Violation]:
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


def _of_hyper_parameters(body: Json) -> Iterator[Violation]:
    found, path = hyper_parameters(body), f"{SPEC}.hyper_parameters"
    if int(found.get("epochCount", 1)) < 1:
        yield Violation(f"{path}.epoch_count", "epoch_count must be at least 1.")
    multiplier = found.get("learningRateMultiplier", 1.0)
    if not (math.isfinite(multiplier) and multiplier > 0):
        text = "learning_rate_multiplier must be a number greater than 0."
        yield Violation(f"{path}.learning_rate_multiplier", text)
    for name, key in (("batch_size", "batchSize"), ("learning_rate", "learningRate")):
        if key in found:
            yield Violation(f"{path}.{name}", f"{name} is not supported for this base model.")


def check_examples(model: str, training: int, validation: int | None) -> None:
    if training == 0:
        raise invalid("The training dataset has no examples.", f"{SPEC}.training_dataset_uri")
    if validation is not None and validation > validation_limit(model, training):
        text = (
            f"The validation dataset has {validation} examples; "
            f"at most {validation_limit(model, training)} are allowed for {model}."
        )
        raise invalid(text, f"{SPEC}.validation_dataset_uri")


def validation_limit(model: str, training: int) -> int:
    """As Google documents it: 256 for the first generations, then 5000; of late 30 % of a large set."""
    if re.search(r"gemini-1\.", model):
        return 256
    if "gemini-2.0" in model:
        return 5000
    return min(5000, max(1000, training * 3 // 10))


def count_examples(path: Path) -> int:
    """The lines that are not blank."""
    if path.stat().st_size > MAX_BYTES:
        raise ApiError("INVALID_ARGUMENT", "A dataset can have at most 1 GB.")
    with path.open("rb", buffering=BLOCK) as file:
        return sum(1 for line in file if line.strip())


def completed(body: Json, resolved: Resolved, training: int) -> Json:
    """The body with the values that will hold for what it left open."""
    spec: Mapping[str, Any] = body["supervisedTuningSpec"]
    ranks = {rank: name for name, rank in RANKS.items()}
    effective = {
        "epochCount": str(resolved.base.recommended_epochs(training)),
        "learningRateMultiplier": 1.0,
        "adapterSize": ranks[resolved.adapter_size],
        **{
            key: value for key, value in hyper_parameters(body).items() if value != "ADAPTER_SIZE_UNSPECIFIED"
        },
    }
    name = body.get("tunedModelDisplayName") or f"{body['baseModel']}-{uuid.uuid4()}"
    return {
        **body,
        "tunedModelDisplayName": name,
        "supervisedTuningSpec": {**spec, "hyperParameters": effective},
    }
