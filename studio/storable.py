"""Makes texts from outside storable in every database."""

from __future__ import annotations


def make_storable(text: str) -> str:
    """Join surrogate pairs, and replace lone halves and NUL, which databases reject, by U+FFFD."""
    sound = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return sound.replace("\x00", "\N{REPLACEMENT CHARACTER}")
