"""Every CSV download of the site is written here, so that no spreadsheet program runs one of its cells."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from itertools import chain

from django.http import StreamingHttpResponse
from django.utils.http import content_disposition_header

CONTENT_TYPE = "text/csv; charset=utf-8"
BOM = "\ufeff"
"""Excel reads a file as UTF-8 only if it starts with this. Programs that read figures may not expect it."""
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""Spreadsheet programs run a cell that starts with one of these as a formula (OWASP: CSV injection)."""


class _Echo:
    """A file for csv.writer that returns each line instead of storing it."""

    def write(self, line: str) -> str:
        return line


def stream_csv(
    filename: str, header: Iterable[object], rows: Iterable[Iterable[object]], *, bom: bool = False
) -> StreamingHttpResponse:
    """Return a download whose rows are written while they are sent."""
    response = StreamingHttpResponse(iter_csv_lines(header, rows, bom=bom), content_type=CONTENT_TYPE)
    response["Content-Disposition"] = content_disposition_header(True, filename)
    return response


def iter_csv_lines(
    header: Iterable[object], rows: Iterable[Iterable[object]], *, bom: bool = False
) -> Iterator[bytes]:
    """Yield the lines of the file. A lone surrogate, which UTF-8 cannot express, becomes a "?"."""
    writer = csv.writer(_Echo(), lineterminator="\r\n")
    if bom:
        yield BOM.encode()
    for cells in chain([header], rows):
        yield writer.writerow(map(guard_cell, cells)).encode("utf-8", "replace")


def guard_cell(cell: object) -> object:
    """Return text that a spreadsheet program does not run. Numbers stay numbers, negative ones too.

    csv.writer writes None as an empty cell, and a float with all the digits it takes to read it back exactly.
    """
    if cell is None or isinstance(cell, int | float):
        return cell
    text = str(cell)
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text
