"""The local estimate of tokens, and its calibration by the service's own count."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from jobs.datasets import ingest, token_calibration
from jobs.datasets.check.tokens import SAMPLE_SIZE, compute_token_ratio, estimate_tokens, sample_for_counting
from jobs.datasets.models import Dataset
from jobs.datasets.sample_data import samples
from jobs.models import TuningJob
from jobs.tasks import count_tokens
from jobs.wizard.draft_summary import DatasetSection
from studio.models import Project
from studio.vertex.client import Vertex
from tests.engine.running_engine import Engine
from tests.jobs.datasets.check.corpus import conversation_line, example, turn
from tests.studio.vertex.double import FakeVertexServer

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(("size", "tokens"), [(0, 0), (1, 1), (4, 1), (5, 2), (400, 100)])
def test_estimate_is_a_quarter_of_the_bytes(size: int, tokens: int) -> None:
    assert estimate_tokens(size) == tokens


@pytest.mark.parametrize(
    ("counted", "ratio"),
    [([], None), ([(0, 5)], None), ([(10, 0)], None), ([(10, 12)], 1.2), ([(10, 5), (30, 25)], 0.75)],
)
def test_ratio_is_the_quotient_of_the_sums(counted: list[tuple[int, int]], ratio: float | None) -> None:
    assert compute_token_ratio(counted) == ratio


def test_sample_is_spread_and_skips_uncountable_examples() -> None:
    file = {"role": "user", "parts": [{"fileData": {"fileUri": "gs://b/a.png"}}]}
    sound = [example(f"question {n}") for n in range(100)]
    others = [b"{}", b"no", conversation_line(file, turn("model", "x")), example("x" * 40_000)]
    found = sample_for_counting([b"\xef\xbb\xbf" + b"\n".join([*others, *sound])])
    texts = [one.body["contents"][0]["parts"][0]["text"] for one in found]
    assert len(found) <= SAMPLE_SIZE and texts[0] == "question 0" and texts[-1] == "question 98"
    assert found[0].estimate == -(-len("question 0top_up") // 4)


def test_sample_has_system_instruction_in_camel_case() -> None:
    (found,) = sample_for_counting([example("a", system_instruction={"parts": [{"text": "x" * 40}]})])
    assert found.body["systemInstruction"] == {"parts": [{"text": "x" * 40}]}
    assert found.estimate == estimate_tokens(40 + len("atop_up"))


def test_only_the_beginning_of_a_large_file_is_read() -> None:
    read = 0

    def chunks() -> Any:
        nonlocal read
        for number in range(10_000):
            read += 1
            yield b"".join(example(f"{number} {n}") + b"\n" for n in range(1000))

    assert len(sample_for_counting(chunks())) == SAMPLE_SIZE
    assert read < 10


@pytest.fixture
def stored(project: Project, tuner: Any, on_engine: Engine) -> Dataset:
    return ingest.ingest_sample(project, tuner, samples()[0], "train")


def test_engine_counts_tokens_and_ratio_is_stored(
    stored: Dataset, draft: TuningJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The engine's first answer waits until it has loaded its model.
    monkeypatch.setattr(Project, "vertex", lambda self: Vertex(self.place(), timeout=(5.0, 120.0)))
    draft.training = stored
    before = DatasetSection(draft, "training").tokens
    ratio = token_calibration.calibrate_dataset(stored, "studio-tiny", "us-central1")
    assert ratio and 0.2 < ratio < 5
    kept = Dataset.objects.get(pk=stored.pk)
    assert (
        kept.get_token_ratio("studio-tiny") == pytest.approx(ratio, abs=1e-4)
        and kept.get_token_ratio("gemini-2.5-pro") is None
    )
    draft.training = kept
    section = DatasetSection(draft, "training")
    assert section.ratio and section.tokens.total == round(before.total * section.ratio)
    assert section.tokens.count == before.count > 0


def test_known_ratio_is_not_requested_again(stored: Dataset, service: FakeVertexServer) -> None:
    stored.calibration = {"studio-tiny": 1.5}
    assert token_calibration.calibrate_dataset(stored, "studio-tiny", "us-central1") == 1.5
    assert not service.asked


def test_failing_service_keeps_the_estimate(stored: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    assert token_calibration.calibrate_dataset(stored, "no-such-model", "us-central1") is None
    assert Dataset.objects.get(pk=stored.pk).calibration == {}


def test_each_model_has_its_own_ratio(stored: Dataset) -> None:
    stale = Dataset.objects.get(pk=stored.pk)
    token_calibration.save_ratio(stored, "one", 1.25)
    token_calibration.save_ratio(stale, "two", 0.5)
    assert json.loads(json.dumps(Dataset.objects.get(pk=stored.pk).calibration)) == {"one": 1.25, "two": 0.5}


def test_beat_counts_a_drafts_dataset_once(
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
    ratio = Dataset.objects.get(pk=stored.pk).get_token_ratio("studio-tiny")
    assert ratio and len(asked) == SAMPLE_SIZE
    count_tokens()
    assert len(asked) == SAMPLE_SIZE


def test_beat_ignores_an_idle_draft(stored: Dataset, draft: TuningJob) -> None:
    draft.training, draft.base_model, draft.location = stored, "studio-tiny", "us-central1"
    draft.save()
    assert draft in TuningJob.objects.with_uncounted_tokens(timezone.now())
    assert draft not in TuningJob.objects.with_uncounted_tokens(timezone.now() + timedelta(hours=1))
