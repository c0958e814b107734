"""Serialization of a failed call, so that it can be explained in the reader's language later (pure)."""

from __future__ import annotations

from typing import Any

from studio.vertex import errors
from studio.vertex.errors import VertexError, Violation


def serialize(error: VertexError) -> dict[str, Any]:
    return {
        "kind": type(error).__name__,
        "message": error.message,
        "code": error.code,
        "status": error.status,
        "reason": error.reason,
        "violations": [[violation.field, violation.description] for violation in error.violations],
    }


def deserialize(fault: dict[str, Any]) -> VertexError:
    kind = getattr(errors, str(fault.get("kind")), VertexError)
    return kind(
        str(fault.get("message", "")),
        code=fault.get("code"),
        status=str(fault.get("status", "")),
        reason=str(fault.get("reason", "")),
        violations=tuple(Violation(*pair) for pair in fault.get("violations", [])),
    )
