"""The templates' source: lines fit on a screen, and comments name classes that exist."""

from __future__ import annotations

import re
from importlib import import_module

from tests.paths import ROOT

TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
LONGEST_LINE = 140
# A template tag can't be split over lines, and its sentence can be long.
MOST_LONG_LINES = 0.02
NAMED_CLASS = re.compile(r"\b(?:jobs|metrics|studio)(?:\.[a-z_]+)+\.[A-Z]\w+")
COMMENT = re.compile(r"{% comment %}(.*?){% endcomment %}", re.DOTALL)


def test_few_lines_are_long() -> None:
    lines = [
        (f"{path.relative_to(ROOT)}:{number}", len(line))
        for path in TEMPLATES
        for number, line in enumerate(path.read_text().splitlines(), 1)
    ]
    long = [place for place, length in lines if length > LONGEST_LINE]
    assert len(lines) > 1000
    assert len(long) / len(lines) <= MOST_LONG_LINES, long


def test_comments_name_classes_that_exist() -> None:
    named = {
        name: path.name
        for path in TEMPLATES
        for comment in COMMENT.findall(path.read_text())
        for name in NAMED_CLASS.findall(comment)
    }
    assert named
    missing = [f"{template}: {name}" for name, template in named.items() if not is_class(name)]
    assert missing == []


def is_class(name: str) -> bool:
    module, _, attribute = name.rpartition(".")
    try:
        return isinstance(getattr(import_module(module), attribute, None), type)
    except ModuleNotFoundError:
        return False
