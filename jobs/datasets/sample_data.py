"""The built-in sample data: samples/samples.json and the folders it names."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from django.utils.translation import get_language

FOLDER = Path(__file__).parent / "samples"
COUNT = re.compile(r"^\| (?P<part>\w+)\.jsonl \| (?P<count>\d+) \|", re.MULTILINE)
Part = Literal["train", "validation"]


@dataclass(frozen=True, slots=True)
class SampleData:
    """`words` has title, description, language and licence, each in English and Japanese; `counts` has the
    number of examples of each part, from the folder's README."""

    name: str
    words: dict[str, dict[str, str]]
    counts: dict[str, int]

    def path(self, part: Part) -> Path:
        return FOLDER / self.name / f"{part}.jsonl"

    def object_name(self, part: Part) -> str:
        """The object's name in a bucket. The file's name includes the sample's, since it is often shown
        alone."""
        return f"samples/{self.name}/{self.name}-{part}.jsonl"

    @property
    def title(self) -> str:
        return self._get_text("title")

    @property
    def description(self) -> str:
        return self._get_text("description")

    @property
    def language(self) -> str:
        return self._get_text("language")

    @property
    def licence(self) -> str:
        return self._get_text("licence")

    def _get_text(self, what: str) -> str:
        return self.words[what]["ja" if (get_language() or "").startswith("ja") else "en"]


@cache
def samples() -> tuple[SampleData, ...]:
    return tuple(load_sample(entry) for entry in json.loads((FOLDER / "samples.json").read_text()))


def load_sample(entry: dict[str, Any]) -> SampleData:
    readme = (FOLDER / entry["name"] / "README.md").read_text()
    counts = {found["part"]: int(found["count"]) for found in COUNT.finditer(readme)}
    return SampleData(entry["name"], {key: entry[key] for key in entry if key != "name"}, counts)


def get_sample(name: str) -> SampleData | None:
    """The sample called `name`, or the first one if the name is blank."""
    return next((sample for sample in samples() if sample.name == name or not name), None)
