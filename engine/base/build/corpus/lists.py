"""The lists in lists/. Of words: `name: word word`, going on in indented lines; a pair is `left=right`.
Of sentences: a line that names the group, then each of its sentences, indented.
"""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent / "lists"


def read_words(name: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in (FOLDER / f"{name}.txt").read_text(encoding="utf-8").splitlines():
        if not line.startswith(" "):
            group, _, line = line.partition(":")
            found[group] = []
        found[group] += line.split()
    return found


def read_sentences(name: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in (FOLDER / f"{name}.txt").read_text(encoding="utf-8").splitlines():
        if not line.startswith(" "):
            found[line] = sentences = []
        else:
            sentences.append(line.strip())
    return found


def split_pairs(words: list[str]) -> list[tuple[str, str]]:
    """`good_morning=x` becomes ("good morning", "x")."""
    halves = (word.replace("_", " ").split("=") for word in words)
    return [(left, right) for left, right in halves]
