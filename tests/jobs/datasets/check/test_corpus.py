"""Each of the odd files gives its one message, with the right line and field, in bounded memory and time."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest
from django.utils import translation

from jobs.datasets.check.checker import check_file, iter_problems
from jobs.datasets.check.messages import describe_problem
from jobs.datasets.transform.clean import clean_file
from tests.jobs.datasets.check.corpus import BYTES, CASES, MEANING, short_lines
from tests.paths import ROOT

WARNINGS = {"bom", "unknown_field"}
MOST_MB, MOST_SECONDS = 100, 5.0
MILLION = "a million short lines"
SLOW = {"line of 100 MB", MILLION}


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=pytest.mark.slow) if case == MILLION else case for case in CASES]
)
def test_case_has_its_expected_problems(case: str) -> None:
    chunks, expected, examples = CASES[case]
    started = time.process_time()
    report = check_file(chunks())
    took = time.process_time() - started
    assert [(problem.code, problem.line, problem.field) for problem in report.problems] == expected
    assert report.examples == examples
    for problem in report.problems:
        assert problem.severity == ("warning" if problem.code in WARNINGS else "error")
        for language in ("en", "ja"):
            with translation.override(language):
                told = describe_problem(problem)
                assert told.what and told.cure and "%(" not in told.what + told.cure
    json.dumps(report.to_json()).encode()
    assert took <= MOST_SECONDS or case in SLOW


@pytest.mark.parametrize("case", sorted(CASES.keys() - SLOW))
def test_case_can_be_listed_and_cleaned(case: str) -> None:
    chunks, _expected, examples = CASES[case]
    assert list(iter_problems(chunks())) == check_file(chunks()).problems
    clean = check_file(clean_file(chunks()))
    assert clean.examples == examples
    assert set(clean.counts) <= ({"unknown_field"} if examples else {"empty"})


def test_corpus_has_all_cases() -> None:
    assert (len(BYTES), len(MEANING)) == (27, 14)  # UTF-16 stands there in both of its orders


def test_short_lines_are_counted_one_by_one() -> None:
    assert check_file(short_lines(20_000)).examples == 20_000


@pytest.mark.parametrize("left_out", [MILLION, pytest.param("", marks=pytest.mark.slow)])
def test_memory_stays_bounded_over_all_cases(left_out: str) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "tests.jobs.datasets.check.corpus", left_out],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    assert float(run.stdout) <= MOST_MB
