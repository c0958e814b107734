"""A problem before it has a line."""

from __future__ import annotations

import dataclasses
from typing import Any

from jobs.datasets.check.report import Severity


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    severity: Severity
    field: str
    code: str
    params: dict[str, Any] = dataclasses.field(default_factory=dict)
