"""What people write about: everyday things, and the matters that can be raised about each of them.

A message is a sentence of a matter with a thing put in. In lists/matters.txt a line with the matter's names
and the kinds of things that it suits leads its sentences; `{x}` stands for the thing with its article, `{n}`
for the bare noun. The first of a matter's names is the one used when no choice of labels is given.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.base.build.corpus import lists


@dataclass(frozen=True, slots=True)
class Matter:
    names: list[str]
    kinds: list[str]
    sentences: list[str]


def _read_domains() -> dict[str, tuple[str, list[str]]]:
    """domain: (kind of its things, the things)"""
    found = {}
    for heading, things in lists.read_words("things").items():
        domain, kinds = _heading(heading)
        found[domain] = (kinds[0], things)
    return found


def _read_matters() -> list[Matter]:
    found: list[Matter] = []
    for line in (lists.FOLDER / "matters.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith(" "):
            found[-1].sentences.append(line.strip())
        else:
            names, kinds = _heading(line)
            found.append(Matter(names.split(), kinds, []))
    return found


def _heading(text: str) -> tuple[str, list[str]]:
    """What stands before the brackets, and the words in them."""
    name, _, kinds = text.rstrip(")").partition(" (")
    return name, kinds.split()


DOMAINS = _read_domains()
MATTERS = _read_matters()
