"""A sweep over rows: one that fails unexpectedly is marked and logged, and the next one is worked on."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TypeVar

from django.db import models

from studio.vertex.errors import InternalFault

Row = TypeVar("Row", bound=models.Model)
log = logging.getLogger(__name__)


def sweep_rows(
    rows: Iterable[Row],
    work: Callable[[Row], object],
    mark: Callable[[Row, InternalFault], object],
    *,
    passes: tuple[type[Exception], ...] = (),
) -> None:
    """Call `work` for each row. `mark` stores an exception that `work` doesn't expect in the row, where pages
    find it, and releases the row's claim. `passes` concerns all rows and is raised."""
    for row in rows:
        try:
            work(row)
        except passes:
            raise
        except Exception as error:  # whatever it is, it must not cost the next row its turn
            log.exception("%s %s failed", row._meta.label, row.pk)
            mark_row(row, InternalFault.from_exception(error), mark)


def mark_row(row: Row, fault: InternalFault, mark: Callable[[Row, InternalFault], object]) -> None:
    """Mark the row; where even that fails, as without a database, its claim runs out by itself."""
    try:
        mark(row, fault)
    except Exception:
        log.exception("%s %s could not be marked", row._meta.label, row.pk)
