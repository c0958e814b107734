"""Request body of a tuning job (pure). The same dict is displayed, stored and sent."""

from __future__ import annotations

from typing import Any, Protocol

from studio.vertex.catalog import ADAPTER_SIZE_NAMES

SUBMISSION_LABEL = "studio-submission"
"""Label with the `submission_id`, by which a job is found if its create call got no response."""


class DatasetFile(Protocol):
    @property
    def uri(self) -> str: ...


class RequestSettings(Protocol):
    """Protocol of the fields used in the body, implemented by TuningJob."""

    tuned_model_display_name: str
    description: str
    base_model: str
    pre_tuned_model: str
    pre_tuned_checkpoint: str
    labels: dict[str, str]
    service_account: str
    kms_key_name: str
    epoch_count: int | None
    adapter_size: int | None
    learning_rate_multiplier: float | None
    export_last_checkpoint_only: bool
    validation_enabled: bool
    submission_id: str

    @property
    def training(self) -> DatasetFile | None: ...
    @property
    def validation(self) -> DatasetFile | None: ...


def build_tuning_request(job: RequestSettings) -> dict[str, Any]:
    """Return the body with the fields that are set; an absent hyper-parameter means the recommended value.

    https://cloud.google.com/vertex-ai/docs/reference/rest/v1/projects.locations.tuningJobs/create
    """
    return {
        **source_model(job),
        "supervisedTuningSpec": build_tuning_spec(job),
        **({"tunedModelDisplayName": job.tuned_model_display_name} if job.tuned_model_display_name else {}),
        **({"description": job.description} if job.description else {}),
        "labels": {**job.labels, SUBMISSION_LABEL: job.submission_id},
        **({"serviceAccount": job.service_account} if job.service_account else {}),
        **({"encryptionSpec": {"kmsKeyName": job.kms_key_name}} if job.kms_key_name else {}),
    }


def source_model(job: RequestSettings) -> dict[str, Any]:
    """Return `baseModel` or `preTunedModel`; without a checkpoint ID the service uses the default
    checkpoint."""
    if not job.pre_tuned_model:
        return {"baseModel": job.base_model}
    checkpoint = {"checkpointId": job.pre_tuned_checkpoint} if job.pre_tuned_checkpoint else {}
    return {"preTunedModel": {"tunedModelName": job.pre_tuned_model, **checkpoint}}


def build_tuning_spec(job: RequestSettings) -> dict[str, Any]:
    spec: dict[str, Any] = {"trainingDatasetUri": job.training.uri if job.training else ""}
    if job.validation_enabled and job.validation:
        spec["validationDatasetUri"] = job.validation.uri
    if chosen := hyper_parameters(job):
        spec["hyperParameters"] = chosen
    if job.export_last_checkpoint_only:
        spec["exportLastCheckpointOnly"] = True
    return spec


def hyper_parameters(job: RequestSettings) -> dict[str, Any]:
    """Return the hyper-parameters in proto3 JSON: int64 as a string, the adapter size as an enum name."""
    chosen: dict[str, Any] = {}
    if job.epoch_count is not None:
        chosen["epochCount"] = str(job.epoch_count)
    if job.adapter_size is not None:
        chosen["adapterSize"] = ADAPTER_SIZE_NAMES[job.adapter_size]
    if job.learning_rate_multiplier is not None:
        chosen["learningRateMultiplier"] = job.learning_rate_multiplier
    return chosen
