"""manage.py check_dataset FILE [--validation FILE] [--model ID] [--json]: the check, on a terminal."""

from __future__ import annotations

import json
import os
import sys
from argparse import ArgumentTypeError
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import translation
from django.utils.translation import gettext as _

from jobs.datasets.check.checker import check_file
from jobs.datasets.check.lines import BLOCK
from jobs.datasets.check.messages import describe_problem
from jobs.datasets.check.model_limits import Purpose, check_model_limits
from jobs.datasets.check.report import Distribution, Problem, Report
from jobs.datasets.leakage.detector import Leaks, find_leaks
from studio.vertex import catalog
from studio.vertex.catalog import BaseModel

CheckResult = tuple[Path, Report, list[Problem]]
Files = dict[Purpose, CheckResult]


class Command(BaseCommand):
    help = "Checks a tuning dataset (JSONL), without a database. Exits with 1 where there are errors."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=parse_existing_path, help="the training data, a .jsonl file")
        parser.add_argument(
            "--validation", type=parse_existing_path, metavar="FILE", help="the validation data"
        )
        parser.add_argument("--model", metavar="ID", help="a base model, to check against its limits")
        parser.add_argument("--json", action="store_true", help="write the result as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        model = get_base_model(options["model"])
        files: Files = {"training": check_path(options["file"], model, "training")}
        leaks = None
        if validation := options["validation"]:
            files["validation"] = check_path(validation, model, "validation")
            leaks = find_leaks(chunks(options["file"]), chunks(validation))
        with translation.override(get_terminal_language()):
            if options["json"]:
                self.stdout.write(json.dumps(as_json(files, leaks), ensure_ascii=False, indent=2))
            else:
                self.stdout.write("\n".join(as_text(files, leaks)))
        if any(count_errors(found) for found in files.values()):
            sys.exit(1)


def get_terminal_language() -> str:
    """Return the terminal's language if the site has it, else English."""
    names = (os.environ.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    return "ja" if next(filter(None, names), "").startswith("ja") else "en"


def parse_existing_path(name: str) -> Path:
    path = Path(name)
    if not path.is_file():
        raise ArgumentTypeError(f"{name} is not a file.")
    return path


def get_base_model(id: str | None) -> BaseModel | None:
    model = catalog.find_model(id) if id else None
    if id and not model:
        known = {model.id: None for backend in ("google", "engine") for model in catalog.models(backend)}
        raise CommandError(f"Unknown base model {id}. Choose one of: {', '.join(known)}.")
    return model


def chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(BLOCK):
            yield chunk


def check_path(path: Path, model: BaseModel | None, purpose: Purpose) -> CheckResult:
    report = check_file(chunks(path), name=path.name)
    judged = check_model_limits(report, model, purpose) if model else []
    return path, report, sorted([*judged, *report.problems], key=lambda each: (each.severity, each.line))


def count_errors(found: CheckResult) -> int:
    """Return the number of errors, including those beyond the truncated list of problems."""
    _path, report, problems = found
    judged = sum(problem.severity == "error" for problem in problems if problem not in report.problems)
    return report.errors + judged


def as_json(files: Files, leaks: Leaks | None) -> dict[str, Any]:
    """Return the training file's statistics, both files' problems, and the leaks between them."""
    _path, training, _problems = files["training"]
    result: dict[str, Any] = {
        "examples": training.examples,
        "tokens": {**asdict(training.tokens), "estimated": True},
        "turns": asdict(training.turns),
        "counts": training.counts,
        "convertible": training.convertible,
        "problems": [
            problem_as_json(path, each) for path, _report, problems in files.values() for each in problems
        ],
    }
    if "validation" in files:
        result["validation_examples"] = files["validation"][1].examples
    return result if leaks is None else {**result, "leaks": asdict(leaks)}


def problem_as_json(path: Path, problem: Problem) -> dict[str, Any]:
    message = describe_problem(problem)
    return {
        "file": str(path),
        "line": problem.line,
        "severity": problem.severity,
        "field": problem.field,
        "code": problem.code,
        "message": message.what,
        "cure": message.cure,
    }


def as_text(files: Files, leaks: Leaks | None) -> Iterator[str]:
    for found in files.values():
        yield from file_text(found)
    if leaks is not None:
        yield _("Validation examples also in the training data: %(exact)s exact, %(near)s similar.") % {
            "exact": leaks.exact,
            "near": leaks.near,
        }
        for pair in leaks.pairs:
            yield _(
                "  validation line %(validation)s: training line %(training)s, similarity %(similarity)s"
            ) % {
                "validation": pair.validation,
                "training": pair.training,
                "similarity": f"{pair.similarity:.2f}",
            }


def file_text(found: CheckResult) -> Iterator[str]:
    path, report, problems = found
    yield _("%(file)s: examples %(examples)s, lines %(lines)s") % {
        "file": path,
        "examples": report.examples,
        "lines": report.lines,
    }
    yield spread_text(_("tokens (estimated)"), report.tokens)
    yield spread_text(_("turns"), report.turns)
    for problem in problems:
        message = describe_problem(problem)
        place = f"{path}:{problem.line}" if problem.line else str(path)
        severity = _("error") if problem.severity == "error" else _("warning")
        yield f"{place}: {severity}: {message.what} {message.cure}"
    for code, count in report.counts.items():
        listed = sum(problem.code == code for problem in report.problems)
        if count > listed:
            yield _("%(file)s: %(code)s: %(count)s more") % {
                "file": path,
                "count": count - listed,
                "code": code,
            }


def spread_text(name: str, spread: Distribution) -> str:
    return (
        f"  {name}: min {spread.minimum}, p5 {spread.p5}, median {spread.median}, mean {spread.mean:.1f}, "
        f"p95 {spread.p95}, max {spread.maximum}"
    )
