"""What is said about runs side by side: which losses compare, what was set, how it is exported."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.http import QueryDict
from django.utils import translation

from jobs.models import TuningJob
from metrics.compare import comparability, csv_export
from metrics.compare.charts import setting_effect
from metrics.compare.page import Comparison
from metrics.compare.query import CompareQuery, Outcome, Setting
from metrics.run import Run
from metrics.summary import summarize_curves
from studio.csv_response import iter_csv_lines
from studio.models import Project
from tests.metrics.compare.runs import create_run, create_team, create_validation, join_ids

pytestmark = [pytest.mark.django_db, pytest.mark.sql]


@pytest.fixture
def jobs(project: Project) -> dict[str, TuningJob]:
    return dict(zip(("r8", "r16", "lr2", "r4", "e10"), create_team(project), strict=True))


def load_comparison(project: Project, user: User, jobs: Any, more: str = "") -> Comparison:
    return Comparison(project, user, CompareQuery.from_query(QueryDict(f"runs={join_ids([*jobs])}{more}")))


def test_deltas_are_ranked_only_on_the_same_validation_data(
    project: Project, tuner: User, jobs: dict[str, TuningJob]
) -> None:
    rows = load_comparison(project, tuner, jobs.values()).table.rows
    assert [(row.line.short, row.delta_text, row.ranked) for row in rows] == [
        ("r8", "", True),
        ("r16", "−0.022", True),
        ("lr2", "+0.021", True),
        ("r4", "+0.097", False),
        ("e10", "+0.007", False),
    ]
    assert [(row.line.short, sorted(row.bold)) for row in rows if row.bold] == [
        ("r8", ["accuracy"]),
        ("r16", ["best", "final"]),
    ]


def test_another_baseline_changes_the_deltas(
    project: Project, tuner: User, jobs: dict[str, TuningJob]
) -> None:
    rows = load_comparison(project, tuner, jobs.values(), f"&baseline={jobs['e10'].pk}").table.rows
    assert [row.line.short for row in rows if row.ranked] == ["r4", "e10"]
    assert next(row for row in rows if row.is_baseline).line.short == "e10"


def test_small_delta_is_shown_with_more_digits(
    project: Project, tuner: User, jobs: dict[str, TuningJob]
) -> None:
    twin = create_run(project, "r8")
    twin.summary["best"]["value"] += 0.00004
    twin.save()
    rows = load_comparison(project, tuner, [jobs["r8"], twin]).table.rows
    assert rows[1].delta_text == "+0.00004"


def test_warning_names_the_files(project: Project, tuner: User, jobs: dict[str, TuningJob]) -> None:
    [note] = load_comparison(project, tuner, jobs.values()).warnings
    assert note.title == "2 runs used different validation data, so their losses can’t be compared."
    assert note.text == (
        "r4, e10: banking77-v2.jsonl (54,002 bytes, crc32c v2AAAA==). "
        "Baseline: banking77-v3.jsonl (54,003 bytes, crc32c v3AAAA==)."
    )
    assert note.runs == (jobs["r4"].pk, jobs["e10"].pk)


def test_the_same_content_under_another_name_compares(project: Project, tuner: User) -> None:
    one, other = create_run(project, "r8"), create_run(project, "r16")
    twin = create_validation(project, "v9")
    twin.crc32c, twin.size = one.validation.crc32c, one.validation.size  # type: ignore[union-attr]
    twin.save()
    other.validation = twin
    other.save()
    assert load_comparison(project, tuner, [one, other]).warnings == []


def test_the_same_size_with_another_checksum_does_not(project: Project, tuner: User) -> None:
    one, other = create_run(project, "r8"), create_run(project, "r16")
    twin = create_validation(project, "v9")
    twin.size = one.validation.size  # type: ignore[union-attr]
    twin.save()
    other.validation = twin
    other.save()
    assert [note.runs for note in load_comparison(project, tuner, [one, other]).warnings] == [(other.pk,)]


def test_runs_of_another_base_model_are_not_comparable(project: Project, tuner: User) -> None:
    one, other = create_run(project, "r8"), create_run(project, "r16", base_model="gemini-2.5-flash")
    [note] = load_comparison(project, tuner, [one, other]).warnings
    assert note.title == "1 run has a different base model, so its loss can’t be compared."
    assert "studio-tiny" in note.text


def test_runs_without_validation_data_are_listed_and_not_ranked(project: Project, tuner: User) -> None:
    one, other = create_run(project, "r8"), create_run(project, "r16", validation=None)
    [note] = load_comparison(project, tuner, [one, other]).warnings
    assert (note.title, note.severe) == ("1 run has no validation data.", False)
    [told] = load_comparison(project, tuner, [other, one]).warnings
    assert told.title == "The baseline has no validation data."


def test_long_list_of_names_is_truncated(project: Project, tuner: User, jobs: dict[str, TuningJob]) -> None:
    lines = load_comparison(project, tuner, jobs.values()).lines
    assert comparability.join_run_names(lines) == "r8, r16, lr2, 2 more"


def test_settings_show_what_differs_from_the_baseline(
    project: Project, tuner: User, jobs: dict[str, TuningJob]
) -> None:
    rows = load_comparison(project, tuner, jobs.values()).settings
    differing = {
        str(row.label): [cell.text for cell in row.cells if cell.differs] for row in rows if row.differs
    }
    assert differing == {
        "Training dataset": ["banking77-v2.jsonl", "banking77-v2.jsonl"],
        "Validation dataset": ["banking77-v2.jsonl", "banking77-v2.jsonl"],
        "Number of epochs": ["10"],
        "Adapter size": ["16", "4"],
        "Learning rate multiplier": ["2"],
        "Steps": ["1,410"],
    }
    alike = [str(row.label) for row in rows if not row.differs]
    assert alike == ["Base model", "Export last checkpoint only", "Examples", "Billable tokens", "Region"]


def test_setting_shows_recommended_values(project: Project, tuner: User, jobs: dict[str, TuningJob]) -> None:
    rows = {str(row.label): row for row in load_comparison(project, tuner, jobs.values()).settings}
    requested = [cell.requested for cell in rows["Learning rate multiplier"].cells]
    assert requested == ["recommended", "recommended", "", "recommended", "recommended"]


def test_table_sorts_by_column(project: Project, tuner: User, jobs: dict[str, TuningJob]) -> None:
    bare = create_run(project, "r8", summary={}, tuned_model_display_name="banking77-intents-bare")
    TuningJob.objects.filter(pk=bare.pk).update(summary={})
    everyone = [*jobs.values(), bare]
    for sort, first in (("best", "r16"), ("-best", "r4"), ("name", "bare"), ("-duration", "r16")):
        rows = load_comparison(project, tuner, everyone, f"&sort={sort}").table.rows
        assert rows[0].line.short == first
        if "best" in sort:
            assert rows[-1].line.short == "bare"


def test_the_effect_of_a_setting_has_a_dot_for_each_run(
    project: Project, tuner: User, jobs: dict[str, TuningJob]
) -> None:
    found = load_comparison(project, tuner, jobs.values())
    known = setting_effect.select_drawable(found.lines, Setting.ADAPTER, Outcome.BEST)
    assert [(line.short, x, round(y, 3)) for line, x, y in known] == [
        ("r8", 8, 0.431),
        ("r16", 16, 0.409),
        ("lr2", 8, 0.452),
        ("r4", 4, 0.528),
        ("e10", 8, 0.438),
    ]
    figure = setting_effect.build_effect_figure(found.lines, found.baseline, Setting.ADAPTER, Outcome.BEST)
    hollow = [trace["marker"]["symbol"].endswith("-open") for trace in figure["data"]]
    assert hollow == [False, False, False, True, True]


def read_runs_csv(found: Comparison) -> list[dict[str, str]]:
    rows = csv_export.iter_runs_rows(found.table.rows, found.lines, found.settings)
    lines = iter_csv_lines(csv_export.build_runs_header(found.settings), rows)
    return [*csv.DictReader(io.StringIO(b"".join(lines).decode()))]


def test_csv_settings_belong_to_their_runs(project: Project, tuner: User, jobs: dict[str, TuningJob]) -> None:
    found = load_comparison(project, tuner, jobs.values(), "&sort=best")
    told = read_runs_csv(found)
    assert [(row["run"][-3:], row["Adapter size"]) for row in told] == [
        ("r16", "16"),
        ("-r8", "8"),
        ("e10", "8"),
        ("lr2", "8"),
        ("-r4", "4"),
    ]


def test_the_runs_as_csv_are_unrounded(project: Project, tuner: User, jobs: dict[str, TuningJob]) -> None:
    found = load_comparison(project, tuner, jobs.values())
    told = read_runs_csv(found)
    assert [row["run"] for row in told] == [str(job) for job in jobs.values()]
    for row, job in zip(told, jobs.values(), strict=True):
        assert float(row["best_eval_loss"]) == job.summary["best"]["value"]
        assert int(row["best_step"]) == job.summary["best"]["step"]
    assert [row["comparable"] for row in told] == ["1", "1", "1", "0", "0"]
    assert [row["Adapter size"] for row in told] == ["8", "16", "8", "4", "8"]


def test_accuracy_is_that_of_the_best_step(jobs: dict[str, TuningJob]) -> None:
    told = jobs["r16"].summary
    assert told["accuracy"]["step"] == told["best"]["step"] == 360
    assert summarize_curves({}, Run())["accuracy"] is None


def test_warnings_are_translated_to_japanese(
    project: Project, tuner: User, jobs: dict[str, TuningJob]
) -> None:
    with translation.override("ja"):
        [note] = load_comparison(project, tuner, jobs.values()).warnings
    assert "検証" in note.title
    assert "banking77-v2.jsonl" in note.text
    assert "、" in note.text and "。 " not in note.text
