"""Parse the error of a call or a job into one detail per named field (pure).

Three shapes are accepted: a raised VertexError, its serialized form (lifecycle.stored_errors), and the
`error` of a TuningJob, a google.rpc.Status with a gRPC code.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from jobs.lifecycle.stored_errors import KINDS, deserialize
from studio.vertex.errors import (
    MESSAGE_LIMIT,
    CredentialsFailed,
    NotSent,
    OutcomeUnknown,
    VertexError,
    Violation,
    from_error,
)

Fault = VertexError | Mapping[str, Any]

SPEC = "supervised_tuning_spec"
FORM_FIELDS = {
    "base_model": "base_model",
    "tuned_model_display_name": "tuned_model_display_name",
    "description": "description",
    "labels": "labels",
    "service_account": "service_account",
    "encryption_spec": "kms_key_name",
    "pre_tuned_model": "pre_tuned_model",
    "pre_tuned_model.checkpoint_id": "pre_tuned_checkpoint",
    f"{SPEC}.training_dataset_uri": "training",
    f"{SPEC}.validation_dataset_uri": "validation",
    f"{SPEC}.export_last_checkpoint_only": "export_last_checkpoint_only",
    f"{SPEC}.hyper_parameters.epoch_count": "epoch_count",
    f"{SPEC}.hyper_parameters.adapter_size": "adapter_size",
    f"{SPEC}.hyper_parameters.learning_rate_multiplier": "learning_rate_multiplier",
}
"""Request path -> wizard field. A path also covers all fields below it."""

STATUS_BY_CODE = {
    1: "CANCELLED",
    3: "INVALID_ARGUMENT",
    4: "DEADLINE_EXCEEDED",
    5: "NOT_FOUND",
    7: "PERMISSION_DENIED",
    8: "RESOURCE_EXHAUSTED",
    9: "FAILED_PRECONDITION",
    13: "INTERNAL",
    14: "UNAVAILABLE",
    16: "UNAUTHENTICATED",
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
}
LISTED_VIOLATION = re.compile(r"\d+\.Field: (?P<field>[^;\t]*); Message: (?P<text>[^\t]*)")
"""Vertex repeats the violations in the message, which is all that a failed job has."""


@dataclass(frozen=True, slots=True)
class ErrorDetail:
    """`field` is the wizard field ("" if none is named), `text` the service's message about it."""

    field: str
    text: str
    status: str = ""
    reason: str = ""


def parse_error_details(fault: Fault) -> list[ErrorDetail]:
    """Return the details, or [] if the request didn't arrive or its response was lost."""
    error = to_vertex_error(fault)
    if isinstance(error, NotSent | OutcomeUnknown) and is_call_error(fault):
        return []
    status = "UNAUTHENTICATED" if isinstance(error, CredentialsFailed) else error.status
    status = status or STATUS_BY_CODE.get(error.code or 0, "")
    return [ErrorDetail(field, text, status, error.reason) for field, text in group_by_field(error).items()]


def to_vertex_error(fault: Fault) -> VertexError:
    if isinstance(fault, VertexError):
        return fault
    return deserialize(fault) if is_call_error(fault) else from_error(dict(fault))


def is_call_error(fault: Fault) -> bool:
    """Whether this is an error of our call rather than of the job itself."""
    return isinstance(fault, VertexError) or str(fault.get("kind")) in KINDS


def group_by_field(error: VertexError) -> dict[str, str]:
    """Return {field: text}, with one line per violation."""
    found: dict[str, str] = {}
    for violation in error.violations or tuple(parse_listed_violations(error.message)):
        field, text = find_form_field(violation.field), violation.description[:MESSAGE_LIMIT]
        found[field] = f"{found[field]}\n{text}" if field in found else text
    return found or {"": error.message}


def parse_listed_violations(message: str) -> Iterator[Violation]:
    for each in LISTED_VIOLATION.finditer(message):
        yield Violation(each["field"].strip(), each["text"].strip())


def find_form_field(path: str) -> str:
    """Return the wizard field of a path: `tuning_job...hyper_parameters.epoch_count` -> `epoch_count`."""
    snake = re.sub(r"(?<=[a-z0-9])([A-Z])", lambda letter: f"_{letter[0].lower()}", path)
    steps = re.sub(r"\[.*?\]", "", snake).removeprefix("tuning_job.").split(".")
    shorter = (".".join(steps[:length]) for length in range(len(steps), 0, -1))
    return next((FORM_FIELDS[each] for each in shorter if each in FORM_FIELDS), "")
