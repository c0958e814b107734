"""Shorten texts of a file for the screen, and make them storable in a database (pure)."""

from __future__ import annotations

from studio.vertex.storable import make_storable

SAMPLE_TEXT = 600
"""Characters of one turn on a page: about eight lines."""
EXCERPT = 60
"""Half the characters that are shown of a line's beginning: 120 fit on one line of a wide screen."""
AROUND = 40
"""Characters on each side of a fault: together a line of a problem on a laptop's screen."""
ELLIPSIS = "…"


def cut_text(text: str) -> str:
    short = make_storable(text[: SAMPLE_TEXT + 1])
    return short if len(short) <= SAMPLE_TEXT else short[:SAMPLE_TEXT] + ELLIPSIS


def excerpt_head(content: bytes) -> tuple[str, str, str]:
    text = make_storable(content[: 8 * EXCERPT].decode("utf-8", "replace"))
    return (text[: 2 * EXCERPT] + (ELLIPSIS if len(text) > 2 * EXCERPT else ""), "", "")


def excerpt_around(text: str, at: int) -> tuple[str, str, str]:
    """Return (before, the character at fault, after), with an ellipsis where text was cut."""
    start, end = max(0, at - AROUND), at + 1 + AROUND
    before = (ELLIPSIS if start else "") + text[start:at]
    after = text[at + 1 : end] + (ELLIPSIS if end < len(text) else "")
    return (make_storable(before), make_storable(text[at : at + 1]), make_storable(after))
