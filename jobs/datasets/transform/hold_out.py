"""Hold out a part of the training file for validation: two new files from one, stored and checked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Any

from django.conf import settings

from jobs.datasets import ingest
from jobs.datasets.models import Dataset
from jobs.datasets.transform.split import Part, SplitPlan, plan_split, split_lines

if TYPE_CHECKING:
    from django.contrib.auth.models import User

PARTS: tuple[Part, Part] = ("training", "validation")
HOW = "held_out"


class HasProblems(Exception):
    """Lines that are not examples would be counted as examples."""


def is_part(dataset: Dataset | None, part: Part) -> bool:
    return bool(dataset and dataset.derivation.get("how") == HOW and dataset.derivation.get("part") == part)


def get_original(training: Dataset) -> Dataset:
    """Return the file that a part was made from, so that nothing is held out from a part again."""
    return training.parent if is_part(training, "training") and training.parent else training


def are_halves(training: Dataset | None, validation: Dataset | None) -> bool:
    """Whether the two are the parts of one file."""
    if not (training and validation and is_part(training, "training") and is_part(validation, "validation")):
        return False
    facts = [
        (one.parent_id, one.derivation.get("percent"), one.derivation.get("seed"))
        for one in (training, validation)
    ]
    return training.parent_id is not None and facts[0] == facts[1]


def hold_out(user: User, training: Dataset, percent: int, seed: int, folder: str = "") -> list[Dataset]:
    """Return the training and the validation part, which are created once for each file, percentage and seed.
    Raises HasProblems, TooFew, NoBucket, VertexError."""
    whole = get_original(training)
    if not whole.parsed_report.ok:
        raise HasProblems
    derivation = {"how": HOW, "percent": percent, "seed": seed}
    known = [find_part(whole, {**derivation, "part": part}) for part in PARTS]
    made = [one for one in known if one]
    return made if len(made) == len(PARTS) else create_parts(user, whole, derivation, folder)


def find_part(whole: Dataset, derivation: dict[str, Any]) -> Dataset | None:
    """Derivations are compared here, since databases compare JSON differently."""
    return next((child for child in whole.children.all() if child.derivation == derivation), None)


def create_parts(user: User, whole: Dataset, derivation: dict[str, Any], folder: str) -> list[Dataset]:
    cutting = plan_split(whole.iter_chunks(), derivation["percent"], derivation["seed"])
    with write_parts(whole, cutting) as files:
        parts = [(file, {**derivation, "part": part}) for part, file in files.items()]
        return [
            ingest.ingest_derived(whole, user, file, build_part_name(whole, facts), facts, folder)
            for file, facts in parts
        ]


@contextmanager
def write_parts(whole: Dataset, cutting: SplitPlan) -> Iterator[dict[Part, IO[bytes]]]:
    """The two parts as temporary files, which are deleted when they are stored."""
    place = settings.FILE_UPLOAD_TEMP_DIR
    with TemporaryFile(dir=place) as training, TemporaryFile(dir=place) as validation:
        files: dict[Part, IO[bytes]] = {"training": training, "validation": validation}
        for part, line in split_lines(whole.iter_chunks(), cutting):
            files[part].write(line)
        yield files


def build_part_name(whole: Dataset, derivation: dict[str, Any]) -> str:
    """banking77-training-90.jsonl or banking77-validation-10.jsonl, followed by the seed if it isn't 0."""
    percent = derivation["percent"] if derivation["part"] == "validation" else 100 - derivation["percent"]
    seed = f"-seed-{derivation['seed']}" if derivation["seed"] else ""
    return f"{str(whole).removesuffix('.jsonl')}-{derivation['part']}-{percent}{seed}.jsonl"
