"""Serialization of a failed call, so that it can be explained in the reader's language later (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

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


def deserialize(fault: Mapping[str, Any]) -> VertexError:
    """Return the error as it was, from what `serialize` made or from anything else that a service wrote."""
    kind = KINDS.get(str(fault.get("kind")), VertexError)
    code, violations = fault.get("code"), fault.get("violations")
    return kind(
        str(fault.get("message", "")),
        code=code if isinstance(code, int) else None,
        status=str(fault.get("status", "")),
        reason=str(fault.get("reason", "")),
        violations=tuple(
            Violation.from_texts(*pair)
            for pair in (violations if isinstance(violations, list) else [])
            if isinstance(pair, list | tuple) and len(pair) == 2
        ),
    )


def _iter_kinds(kind: type[VertexError]) -> Iterator[type[VertexError]]:
    yield kind
    for special in kind.__subclasses__():
        yield from _iter_kinds(special)


KINDS = {kind.__name__: kind for kind in _iter_kinds(VertexError)}
