"""manage.py check_dataset FILE [--validation FILE] [--model ID] [--json]: the wizard's check, on a terminal."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentTypeError
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _

from jobs.datasets.check import check
from jobs.datasets.limits import Purpose, judge
from jobs.datasets.lines import BLOCK
from jobs.datasets.report import Distribution, Problem, Report
from jobs.datasets.words import words
from studio.vertex import catalog
from studio.vertex.catalog import BaseModel

Found = tuple[Path, Report, list[Problem]]


class Command(BaseCommand):
    help = "Checks a tuning dataset (JSONL). Exits with 1 where there are errors."
    requires_system_checks = []
    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=existing, help="the training data, a .jsonl file")
        parser.add_argument("--validation", type=existing, metavar="FILE", help="the validation data")
        parser.add_argument("--model", metavar="ID", help="a base model, to check against its limits")
        parser.add_argument("--json", action="store_true", help="write the result as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        model = chosen_model(options["model"])
        found = [looked_at(options["file"], model, "training")]
        if options["validation"]:
            found.append(looked_at(options["validation"], model, "validation"))
        if options["json"]:
            self.stdout.write(json.dumps(as_json(found), ensure_ascii=False, indent=2))
        else:
            for line in as_text(found):
                self.stdout.write(line)
        if any(problem.severity == "error" for _path, _report, problems in found for problem in problems):
            sys.exit(1)


def existing(name: str) -> Path:
    path = Path(name)
    if not path.is_file():
        raise ArgumentTypeError(f"{name} is not a file.")
    return path


def chosen_model(id: str | None) -> BaseModel | None:
    model = catalog.get(id) if id else None
    if id and not model:
        known = ", ".join(model.id for model in catalog.models("google") + catalog.models("engine"))
        raise CommandError(f"{id} is not a known base model. Known are: {known}.")
    return model


def chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(BLOCK):
            yield chunk


def looked_at(path: Path, model: BaseModel | None, purpose: Purpose) -> Found:
    report = check(chunks(path), name=path.name)
    judged = judge(report, model, purpose) if model else []
    return path, report, sorted([*judged, *report.problems], key=lambda each: (each.line, each.severity))
