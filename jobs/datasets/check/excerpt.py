"""Texts of a file as they may be shown and stored: cut, and fit for a database (pure)."""

from __future__ import annotations

SAMPLE_TEXT = 600
EXCERPT = 60
AROUND = 40
ELLIPSIS = "…"


def storable(text: str) -> str:
    """Lone surrogates and NUL become replacement marks."""
    sound = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return sound.replace("\x00", "\ufffd")


def cut(text: str) -> str:
    short = storable(text[: SAMPLE_TEXT + 1])
    return short if len(short) <= SAMPLE_TEXT else short[:SAMPLE_TEXT] + ELLIPSIS


def head(content: bytes) -> tuple[str, str, str]:
    text = storable(content[: 8 * EXCERPT].decode("utf-8", "replace"))
    return (text[: 2 * EXCERPT] + (ELLIPSIS if len(text) > 2 * EXCERPT else ""), "", "")


def around(text: str, at: int) -> tuple[str, str, str]:
    """(before, the character at fault, after), with an ellipsis where it was cut."""
    start, end = max(0, at - AROUND), at + 1 + AROUND
    before = (ELLIPSIS if start else "") + text[start:at]
    after = text[at + 1 : end] + (ELLIPSIS if end < len(text) else "")
    return (storable(before), storable(text[at : at + 1]), storable(after))
