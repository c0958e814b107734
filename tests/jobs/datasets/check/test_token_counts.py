"""The local estimate of tokens, and its calibration by the service's own count."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from jobs.datasets import ingest, token_calibration
from jobs.datasets.check.tokens import COUNTED, calibrate, estimate, sample_for_counting
from jobs.datasets.models import Dataset
from jobs.datasets.sample_data import samples
from jobs.models import TuningJob
from jobs.tasks import count_tokens
from jobs.wizard.draft_summary import Section
from studio.models import Project
from studio.vertex.client import Vertex
from tests.engine.running_engine import Engine
from tests.jobs.datasets.check.corpus import example, of, turn
from tests.studio.vertex.double import Double

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(("size", "tokens"), [(0, 0), (1, 1), (4, 1), (5, 2), (400, 100)])
def test_the_estimate_is_a_quarter_of_the_bytes(size: int, tokens: int) -> None:
    assert estimate(size) == tokens


@pytest.mark.parametrize(
    ("counted", "ratio"),
    [([], None), ([(0, 5)], None), ([(10, 0)], None), ([(10, 12)], 1.2), ([(10, 5), (30, 25)], 0.75)],
)
def test_the_ratio_is_that_of_the_sums(counted: list[tuple[int, int]], ratio: float | None) -> None:
    assert calibrate(counted) == ratio


def test_the_sample_is_spread_and_leaves_out_what_cannot_be_counted() -> None:
    file = {"role": "user", "parts": [{"fileData": {"fileUri": "gs://b/a.png"}}]}
    sound = [example(f"question {n}") for n in range(100)]
    others = [b"{}", b"no", of(file, turn("model", "x")), example("x" * 40_000)]
    found = sample_for_counting([b"\xef\xbb\xbf" + b"\n".join([*others, *sound])])
    texts = [one.body["contents"][0]["parts"][0]["text"] for one in found]
    assert len(found) <= COUNTED and texts[0] == "question 0" and texts[-1] == "question 98"
    assert found[0].estimate == -(-len("question 0top_up") // 4)


def test_the_sample_has_the_instruction_in_camel_case() -> None:
    (found,) = sample_for_counting([example("a", system_instruction={"parts": [{"text": "x" * 40}]})])
    assert found.body["systemInstruction"] == {"parts": [{"text": "x" * 40}]}
    assert found.estimate == estimate(40 + len("atop_up"))


def test_little_of_a_great_file_is_read() -> None:
    read = 0

    def chunks() -> Any:
        nonlocal read
        for number in range(10_000):
            read += 1
            yield b"".join(example(f"{number} {n}") + b"\n" for n in range(1000))

    assert len(sample_for_counting(chunks())) == COUNTED
    assert read < 10


@pytest.fixture
def stored(project: Project, tuner: Any, on_engine: Engine) -> Dataset:
    return ingest.sample(project, tuner, samples()[0], "train")


def test_the_engine_counts_and_its_ratio_is_kept(
    stored: Dataset, draft: TuningJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The engine's first answer waits until it has loaded its model.
    monkeypatch.setattr(Project, "vertex", lambda self: Vertex(self.place(), timeout=(5.0, 120.0)))
    draft.training = stored
    before = Section(draft, "training").tokens
    ratio = token_calibration.calibrated(stored, "studio-tiny", "us-central1")
    assert ratio and 0.2 < ratio < 5
    kept = Dataset.objects.get(pk=stored.pk)
    assert (
        kept.ratio("studio-tiny") == pytest.approx(ratio, abs=1e-4) and kept.ratio("gemini-2.5-pro") is None
    )
    draft.training = kept
    section = Section(draft, "training")
    assert section.ratio and section.tokens.total == round(before.total * section.ratio)
    assert section.tokens.count == before.count > 0


def test_a_known_ratio_is_not_asked_for_again(stored: Dataset, service: Double) -> None:
    stored.calibration = {"studio-tiny": 1.5}
    assert token_calibration.calibrated(stored, "studio-tiny", "us-central1") == 1.5
    assert not service.asked


def test_a_service_that_fails_leaves_the_estimate(stored: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    assert token_calibration.calibrated(stored, "no-such-model", "us-central1") is None
    assert Dataset.objects.get(pk=stored.pk).calibration == {}


def test_two_models_keep_a_ratio_each(stored: Dataset) -> None:
    stale = Dataset.objects.get(pk=stored.pk)
    token_calibration.keep(stored, "one", 1.25)
    token_calibration.keep(stale, "two", 0.5)
    assert json.loads(json.dumps(Dataset.objects.get(pk=stored.pk).calibration)) == {"one": 1.25, "two": 0.5}


def test_the_beat_has_the_data_of_a_draft_counted_once(
    stored: Dataset, draft: TuningJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def count(vertex: Vertex, model: str, body: Any) -> dict[str, int]:
        asked.append(model)
        return {"totalTokens": 10}

    monkeypatch.setattr(Vertex, "count_tokens", count)
    draft.training, draft.base_model, draft.location = stored, "studio-tiny", "us-central1"
    draft.save()
    count_tokens()
    ratio = Dataset.objects.get(pk=stored.pk).ratio("studio-tiny")
    assert ratio and len(asked) == COUNTED
    count_tokens()
    assert len(asked) == COUNTED


def test_the_beat_leaves_a_draft_that_nobody_works_on(stored: Dataset, draft: TuningJob) -> None:
    draft.training, draft.base_model, draft.location = stored, "studio-tiny", "us-central1"
    draft.save()
    assert draft in TuningJob.objects.uncounted(timezone.now())
    assert draft not in TuningJob.objects.uncounted(timezone.now() + timedelta(hours=1))
