"""Labelled curves: each gives exactly the sentences that belong to it, in English and in Japanese."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from django.utils import translation
from django.utils.html import strip_tags

from jobs.tuning_job_resource import Checkpoint
from metrics.diagnosis.analysis import (
    ALERTS,
    MIN_EVALUATIONS,
    EvaluationCurve,
    analyze_curves,
    estimate_noise,
    find_alerts,
)
from metrics.diagnosis.findings import CheckpointChoice, Finding, Overfitting, Plateau
from metrics.diagnosis.messages import Note, build_notes
from metrics.metric_names import EVAL_LOSS, TRAIN_LOSS
from metrics.point_store import NO_POINTS, Points
from metrics.run import Run
from studio.formats import join_sentences

STEPS, EPOCHS, EVERY = 400, 4, 20
AT = np.arange(1, STEPS + 1)
CHECKS = np.arange(EVERY, STEPS + 1, EVERY)
PLACE = "projects/local/locations/us-central1/endpoints/"
DRAWN = np.random.default_rng(3).normal(0, 1, STEPS)
TRAINING = 0.3 + 3 * np.exp(-AT / 90) + 0.01 * DRAWN


def make_points(steps: np.ndarray, values: np.ndarray) -> Points:
    return Points.from_arrays(steps, steps, values)


def make_run(default: int | None = 4, *, over: bool = True, kept: int = 4) -> Run:
    """A checkpoint each 100 steps."""
    made = tuple(Checkpoint(str(n), n, 100 * n, f"{PLACE}{n}") for n in range(1, kept + 1))
    return Run(STEPS, EPOCHS, over=over, checkpoints=made, endpoint=f"{PLACE}{default}" if default else "")


@dataclass(frozen=True)
class Case:
    evaluation: np.ndarray | None
    en: list[str]
    ja: list[str]
    training: np.ndarray = field(default_factory=lambda: TRAINING)
    run: Run = field(default_factory=make_run)
    validated: bool = True
    kinds: tuple[str, ...] = ()
    default: str = ""

    @property
    def series(self) -> dict[str, Points]:
        found = {TRAIN_LOSS: make_points(AT[: len(self.training)], self.training)}
        if self.evaluation is not None:
            found[EVAL_LOSS] = make_points(CHECKS[: len(self.evaluation)], self.evaluation)
        return found

    @property
    def findings(self) -> list[Finding]:
        return analyze_curves(self.series, self.run, validated=self.validated)

    @property
    def notes(self) -> list[Note]:
        return build_notes(
            self.findings, over=self.run.over, settable=self.run.over and bool(self.run.endpoint)
        )


def replace_values(values: np.ndarray, **changed: float) -> np.ndarray:
    """By place: `at7=nan`, `from7=nan`."""
    new = values.copy()
    for where, value in changed.items():
        if where.startswith("at"):
            new[int(where[2:])] = value
        else:
            new[int(where[4:]) :] = value
    return new


FALL = 0.4 + 2.5 * np.exp(-CHECKS / 150)
VALLEY = 0.4 + 2.5 * np.exp(-CHECKS / 40) + np.maximum(0, CHECKS - 200) / 1000
LEVEL = 0.4 + 2.5 * np.exp(-CHECKS / 40)
NOISY = 0.5 + 0.02 * DRAWN[:20]
TIED = np.array([3.0, 2.0, 1.2, 0.8, 0.6, 0.5, 0.5, 0.5, 0.5, 0.5])
SPIKY = np.array([6.0, 0.45, 0.18, 0.15, 0.127, 0.14, 0.5, 0.17, 0.605, 0.218])
BLOWN = np.where(AT > 240, 0.5 + (AT - 240) / 60, TRAINING)
NAN = float("nan")

OVERFITTING = (
    "Overfitting began at step 200 (epoch 2.00). Validation loss has risen from 0.417 to 0.600 "
    "since then, while"
    " training loss kept falling."
)
OVERFITTING_JA = (
    "ステップ 200（エポック 2.00）から過学習が始まりました。それ以降、トレーニング損失は下がり続けています"
    "が、検証損失は 0.417 から 0.600 に上がりました。"
)
NO_MORE = "More epochs are unlikely to help."
NO_MORE_JA = "エポック数を増やしても、改善する見込みはほとんどありません。"
CLOSEST = "Checkpoint {} is the saved checkpoint closest to the best step."
CLOSEST_JA = "チェックポイント {} が、保存されたものの中で最良のステップに最も近いものです。"
DEFAULT = "Checkpoint {}, the default, is the saved checkpoint closest to the best step."
DEFAULT_JA = "デフォルトのチェックポイント {} が、保存されたものの中で最良のステップに最も近いものです。"
FALLING = (
    "Validation loss was still falling at the end. It fell from 0.659 to 0.574 in the last evaluations. More"
    " epochs may help."
)
FALLING_JA = (
    "検証損失は、最後まで下がり続けていました。最後の数回の評価で 0.659 から 0.574 に下がりました。"
    "エポック数を増やすと改善する可能性があります。"
)
PLATEAU = "Validation loss hasn’t improved noticeably in the last {} evaluations, since step {}."
PLATEAU_JA = "検証損失は、ステップ {1} 以降の {0} 回の評価で目立って改善していません。"
LOWER = "Tune again with a lower learning rate multiplier, and check the data used in these steps."
LOWER_JA = "学習率の乗数を下げて再チューニングし、これらのステップのデータを確認してください。"
GOING = {"over": False, "default": None}

CASES = {
    "falling": Case(FALL, [FALLING], [FALLING_JA], kinds=("falling", "kept")),
    "falling, stopped before its planned end": Case(FALL[:12], [], [], kinds=("kept",)),
    "falling, still running": Case(FALL, [], [], run=make_run(**GOING), kinds=("kept",)),
    "a valley, the default is the last": Case(
        VALLEY,
        [
            f"{OVERFITTING} {CLOSEST.format(2)} Validation loss at the last checkpoint (the "
            "default) is 0.183 higher"
            f" (+44%). {NO_MORE}"
        ],
        [
            f"{OVERFITTING_JA}{CLOSEST_JA.format(2)}"
            "最後のチェックポイント（デフォルト）の検証損失は、それより 0.183"
            f" 高くなっています（+44%）。{NO_MORE_JA}"
        ],
        kinds=("overfitting", "kept"),
        default="2",
    ),
    "a valley, the default is neither": Case(
        VALLEY,
        [
            f"{OVERFITTING} {CLOSEST.format(2)} Validation loss at the last checkpoint is 0.183 "
            "higher (+44%). Validation loss at"
            f" checkpoint 3 (the default) is 0.085 higher (+20%). {NO_MORE}"
        ],
        [
            f"{OVERFITTING_JA}{CLOSEST_JA.format(2)}最後のチェックポイントの検証損失は、"
            "それより 0.183 高くなって"
            "います（+44%）。デフォルトのチェックポイント 3 の検証損失は、それより 0.085 高くなっています"
            f"（+20%）。{NO_MORE_JA}"
        ],
        run=make_run(3),
        kinds=("overfitting", "kept"),
        default="2",
    ),
    "a valley, the default is the best": Case(
        VALLEY,
        [
            f"{OVERFITTING} {DEFAULT.format(2)} Validation loss at the last checkpoint is 0.183 "
            f"higher (+44%). {NO_MORE}"
        ],
        [
            f"{OVERFITTING_JA}{DEFAULT_JA.format(2)}最後のチェックポイントの検証損失は、"
            "それより 0.183 高くなって"
            f"います（+44%）。{NO_MORE_JA}"
        ],
        run=make_run(2),
        kinds=("overfitting", "kept"),
    ),
    "flat noise": Case(
        NOISY,
        [f"{PLATEAU.format(18, 40)} {DEFAULT.format(4)} {NO_MORE}"],
        [f"{PLATEAU_JA.format(18, 40)}{DEFAULT_JA.format(4)}{NO_MORE_JA}"],
        kinds=("plateau", "kept"),
    ),
    "spikes, which make nothing before the lowest equal to it": Case(
        SPIKY,
        [
            f"{PLATEAU.format(5, 100)} {CLOSEST.format(1)} Validation loss at the last "
            "checkpoint is 0.091 higher (+72%)."
            f" {NO_MORE}"
        ],
        [
            f"{PLATEAU_JA.format(5, 100)}{CLOSEST_JA.format(1)}"
            "最後のチェックポイントの検証損失は、それより 0.091"
            f" 高くなっています（+72%）。{NO_MORE_JA}"
        ],
        run=make_run(over=False, default=None, kept=2),
        kinds=("plateau", "kept"),
    ),
    "a plateau while it runs": Case(
        LEVEL[:18],
        [f"{PLATEAU.format(4, 280)} {CLOSEST.format(3)} {NO_MORE}"],
        [f"{PLATEAU_JA.format(4, 280)}{CLOSEST_JA.format(3)}{NO_MORE_JA}"],
        run=make_run(**GOING, kept=3),
        kinds=("plateau", "kept"),
    ),
    "ties: the earliest counts": Case(
        TIED,
        [f"{PLATEAU.format(4, 120)} {NO_MORE}"],
        [f"{PLATEAU_JA.format(4, 120)}{NO_MORE_JA}"],
        run=make_run(**GOING, kept=0),
        kinds=("plateau",),
    ),
    "too few points": Case(VALLEY[:2], [], [], run=make_run(**GOING)),
    "no validation data": Case(
        None,
        ["No validation curve. No validation dataset was set, so only training curves are shown."],
        [
            "検証曲線はありません。"
            "検証データセットが指定されていないため、トレーニングの曲線だけを表示しています。"
        ],
        validated=False,
        kinds=("no_evaluation",),
    ),
    "validation data, yet no evaluation": Case(
        None,
        [
            "The service recorded no validation loss. Training loss can’t show which checkpoint is best."
            " Test the checkpoints instead."
        ],
        [
            "サービスに検証損失が記録されていません。トレーニング損失からは、どのチェックポイントが最良か"
            "判断できません。チェックポイントをテストして比べてください。"
        ],
        kinds=("no_evaluation",),
    ),
    "no evaluation so far": Case(None, [], [], run=make_run(**GOING)),
    "NaN and infinity in passing": Case(
        FALL,
        ["Training loss is NaN or infinite at 2 steps. The first gap in the curve is at step 51.", FALLING],
        [
            "2 個のステップで、トレーニング損失が NaN または無限大です。曲線が最初に途切れるのは"
            "ステップ 51 です。",
            FALLING_JA,
        ],
        training=replace_values(TRAINING, at50=NAN, at70=float("inf")),
        kinds=("not_a_number", "falling", "kept"),
    ),
    "NaN in one evaluation": Case(
        replace_values(VALLEY[:6], at1=NAN),
        ["Validation loss is NaN or infinite at 1 step. The first gap in the curve is at step 40."],
        ["1 個のステップで、検証損失が NaN または無限大です。曲線が最初に途切れるのはステップ 40 です。"],
        run=make_run(**GOING),
        kinds=("not_a_number", "kept"),
    ),
    "NaN to the end": Case(
        replace_values(LEVEL, from10=NAN),
        [
            f"Training loss has been NaN or infinite since step 201. {LOWER}",
            f"Validation loss has been NaN or infinite since step 220. {LOWER}",
        ],
        [
            f"トレーニング損失は、ステップ 201 から NaN または無限大になっています。{LOWER_JA}",
            f"検証損失は、ステップ 220 から NaN または無限大になっています。{LOWER_JA}",
        ],
        training=replace_values(TRAINING, from200=NAN),
        kinds=("not_a_number", "not_a_number", "kept"),
    ),
    "training diverges while it runs": Case(
        None,
        [
            "Training loss has diverged, from 0.525 at step 240 to 3.008. Cancel the job, then "
            "tune again with"
            " a lower learning rate multiplier."
        ],
        [
            "トレーニング損失が発散しました（ステップ 240 の 0.525 から 3.008 へ）。ジョブをキャンセルし、"
            "学習率の乗数を下げて再チューニングしてください。"
        ],
        training=BLOWN,
        run=make_run(**GOING),
        kinds=("diverged",),
    ),
    "validation diverges, training stands": Case(
        np.where(CHECKS > 240, 3 * LEVEL, LEVEL),
        [
            f"Validation loss has diverged, from 0.408 at step 240 to 1.200. {LOWER}",
            "Checkpoint 2 has a lower validation loss than the default checkpoint. Validation "
            "loss at the last"
            " checkpoint (the default) is 0.783 higher (+188%).",
        ],
        [
            f"検証損失が発散しました（ステップ 240 の 0.408 から 1.200 へ）。{LOWER_JA}",
            "チェックポイント 2 の検証損失は、デフォルトのチェックポイントより低くなっています。"
            "最後のチェックポイント（デフォルト）の検証損失は、それより 0.783 高くなっています（+188%）。",
        ],
        training=np.full(STEPS, 0.5),
        kinds=("diverged", "kept"),
        default="2",
    ),
    "one spike is no divergence": Case(
        FALL,
        [FALLING],
        [FALLING_JA],
        training=replace_values(TRAINING, at300=50.0),
        kinds=("falling", "kept"),
    ),
}


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_curve_produces_its_notes(case: Case, language: str) -> None:
    with translation.override(language):
        said = [strip_tags(join_sentences([note.title, note.text])) for note in case.notes]
    assert said == (case.en if language == "en" else case.ja)
    assert not any("。 " in note.text for note in case.notes)
    assert tuple(found.kind for found in case.findings) == case.kinds
    assert [note.default for note in case.notes if note.default] == ([case.default] if case.default else [])


def test_alerts_list_each_kind_once() -> None:
    shown = {name: find_alerts(case.series, case.run) for name, case in CASES.items()}
    assert shown["NaN to the end"] == ["not_a_number"]
    assert shown["training diverges while it runs"] == ["diverged"]
    assert shown["a valley, the default is the last"] == ["overfitting"]
    assert shown["flat noise"] == ["plateau"]
    assert shown["falling"] == shown["no validation data"] == []
    kinds = {kind.kind for kind in ALERTS}
    assert {one for found in shown.values() for one in found} == kinds


def test_every_number_cites_its_source() -> None:
    [note] = CASES["a valley, the default is neither"].notes
    said = f"{note.title} {note.text}"
    for number, source in {
        "200": "/eval_total_loss at step 200, raw",
        "2.00": "/eval_total_loss at step 200, raw",
        "0.600": "/eval_total_loss at step 400, raw",
        "0.183": "/eval_total_loss at step 400 minus step 200, raw",
        "0.085": "/eval_total_loss at step 300 minus step 200, raw",
    }.items():
        assert f'<span class="num" title="{source}">{number}</span>' in said
    [note] = CASES["training diverges while it runs"].notes
    assert 'title="/train_total_loss, median of steps 381 to 400">3.008</span>' in note.title


def test_best_is_the_earliest_evaluation_within_noise() -> None:
    """Half a percent where the curve is calm, twice the scatter of neighboring values where it is not."""
    calm = EvaluationCurve(make_points(CHECKS, np.where(CHECKS > 200, 0.400, 0.4015)))
    assert (calm.best_index, calm.noise) == (0, 0)
    assert EvaluationCurve(make_points(CHECKS, np.where(CHECKS > 200, 0.400, 0.403))).best_index == 10
    rough = EvaluationCurve(make_points(CHECKS, NOISY[::-1]))
    assert 0.01 < rough.noise < 0.06
    assert rough.best_index < int(rough.values.argmin()) == 18


def test_noise_estimate_ignores_the_curve() -> None:
    assert estimate_noise(0.4 + ((CHECKS - 200) / 200.0) ** 2) < 1e-9, "a parabola has none"
    assert estimate_noise(FALL) < 0.005 * FALL.min()
    assert estimate_noise(NOISY[:7]) == 0, "too few to tell"


@pytest.mark.parametrize("checks", [5, 8, 12, 20, 60])
def test_flat_noise_is_rarely_called_overfitting(checks: int) -> None:
    """200 flat curves with 3 % noise beside a training loss that falls."""
    chance, steps = np.random.default_rng(11), np.arange(1, checks + 1) * 10
    at = np.arange(1, 10 * checks + 1)
    training = make_points(at, 2 * np.exp(-at / len(at)))
    called = [
        isinstance(found, Overfitting)
        for _ in range(200)
        for found in analyze_curves(
            {TRAIN_LOSS: training, EVAL_LOSS: make_points(steps, 0.5 + chance.normal(0, 0.015, checks))},
            Run(len(at), 4, over=True),
        )
    ]
    assert sum(called) <= 8


def test_rise_without_falling_training_loss_is_not_overfitting() -> None:
    flat = {TRAIN_LOSS: make_points(AT, np.full(STEPS, 0.5)), EVAL_LOSS: make_points(CHECKS, VALLEY)}
    assert [type(one) for one in analyze_curves(flat, make_run(over=False))] == [Plateau, CheckpointChoice]
    alone = {EVAL_LOSS: make_points(CHECKS, VALLEY)}
    assert [type(one) for one in analyze_curves(alone, make_run(over=False))] == [Plateau, CheckpointChoice]


def test_checkpoint_after_a_nan_evaluation_is_not_measured() -> None:
    series = {EVAL_LOSS: make_points(CHECKS, replace_values(VALLEY, from12=NAN))}
    [found] = [one for one in analyze_curves(series, make_run()) if isinstance(one, CheckpointChoice)]
    assert (found.best.checkpoint.id, found.default, found.last) == ("2", None, None)


@pytest.mark.parametrize(
    "values", [[], [1.0], [NAN], [0.0] * MIN_EVALUATIONS, [-1.0] * 12, [float("inf")] * 9]
)
def test_strange_curves_do_not_raise(values: list[float]) -> None:
    found = Points.from_arrays(range(len(values)), range(len(values)), values)
    for series in ({EVAL_LOSS: found}, {TRAIN_LOSS: found}, {TRAIN_LOSS: found, EVAL_LOSS: found}):
        build_notes(analyze_curves(series, make_run()), over=True, settable=True)
    assert analyze_curves({TRAIN_LOSS: NO_POINTS}, make_run()) == []
