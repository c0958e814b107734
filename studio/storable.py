"""Texts from outside, fit for every database."""

from __future__ import annotations


def make_storable(text: str) -> str:
    """Surrogate pairs joined; lone halves and NUL, which databases refuse, as U+FFFD."""
    sound = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return sound.replace("\x00", "\N{REPLACEMENT CHARACTER}")
