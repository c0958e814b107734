"""The Details and Dataset tabs show every field of the service's response."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from jobs.datasets.check.checker import check_file
from jobs.datasets.models import Dataset
from jobs.job_page.dataset_tab import DatasetTab
from jobs.job_page.details_tab import sections
from jobs.models import TuningJob
from jobs.querysets import Submission
from studio.models import Project
from tests.jobs.datasets.check.lines import GOOD, example, line
from tests.paths import CAPTURES

pytestmark = pytest.mark.django_db
PLACE = "projects/local/locations/us-central1"
SPREAD = {
    "sum": "9600",
    "billableSum": "9600",
    "min": 4.0,
    "max": 40.0,
    "mean": 20.5,
    "median": 20.0,
    "p5": 6.0,
    "p95": 36.5,
    "buckets": [{"left": 4.0, "right": 21.0, "count": 300.0}, {"left": 22.0, "right": 40.0, "count": 180.0}],
}
STATS: dict[str, Any] = {
    "tuningDatasetExampleCount": "48000",
    "tuningStepCount": "360",
    "totalBillableTokenCount": "15123",
    "totalTuningCharacterCount": "61000",
    "totalTruncatedExampleCount": "3",
    "truncatedExampleIndices": ["7", "9"],
    "droppedExampleReasons": ["too long: 2000 tokens", "no <model> turn"],
    "userInputTokenDistribution": SPREAD,
    "userOutputTokenDistribution": {**SPREAD, "sum": "400"},
    "userMessagePerExampleDistribution": {**SPREAD, "sum": "960"},
    "userDatasetExamples": [
        {
            "role": "user",
            "parts": [{"text": "Why is <b>sky</b> blue?"}, {"fileData": {"fileUri": "gs://b/sky.png"}}],
        },
        {"role": "model", "parts": [{"text": "Light scatters..."}]},
    ],
}
FULL: dict[str, Any] = {
    "name": f"{PLACE}/tuningJobs/11",
    "tunedModelDisplayName": "answered name",
    "description": "What the service <i>keeps</i>",
    "labels": {"team": "support", "client_request_id": "abc"},
    "state": "JOB_STATE_FAILED",
    "tuningJobState": "TUNING_JOB_STATE_POST_PROCESSING",
    "tuningJobMetadata": {"completedEpochCount": "6", "completedStepCount": "360"},
    "createTime": "2026-11-23T09:59:00.123456Z",
    "startTime": "2026-11-23T10:00:00Z",
    "endTime": "2026-11-23T10:04:05Z",
    "updateTime": "2026-11-23T10:04:06Z",
    "error": {
        "code": 13,
        "message": "Failed to create <endpoint>.",
        "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "ENDPOINT_QUOTA"}],
    },
    "preTunedModel": {
        "tunedModelName": f"{PLACE}/models/100@2",
        "checkpointId": "3",
        "baseModel": "gemini-2.5-flash",
    },
    "supervisedTuningSpec": {
        "trainingDatasetUri": "gs://b/train.jsonl",
        "validationDatasetUri": "gs://b/validation.jsonl",
        "hyperParameters": {
            "epochCount": "6",
            "adapterSize": "ADAPTER_SIZE_EIGHT",
            "learningRateMultiplier": 0.75,
        },
        "exportLastCheckpointOnly": True,
    },
    "serviceAccount": "tuner@my-project.iam.gserviceaccount.com",
    "encryptionSpec": {"kmsKeyName": "projects/p/locations/l/keyRings/r/cryptoKeys/k"},
    "experiment": f"{PLACE}/metadataStores/default/contexts/tuning-experiment-11",
    "pipelineJob": f"{PLACE}/pipelineJobs/12",
    "outputUri": "gs://b/out/",
    "gcsMetricsUri": "gs://b/metrics.jsonl",
    "tunedModel": {
        "model": f"{PLACE}/models/110@2",
        "endpoint": f"{PLACE}/endpoints/11002",
        "checkpoints": [
            {"checkpointId": "1", "epoch": "1", "step": "61", "endpoint": f"{PLACE}/endpoints/11001"},
            {"checkpointId": "2", "epoch": "2", "step": "120", "endpoint": f"{PLACE}/endpoints/11002"},
        ],
    },
    "tuningDataStats": {"supervisedTuningDataStats": STATS},
}
UNKNOWN = {"partnerModelTuningSpec": {"hyperParameters": {"beta": {"value": 0.125}}}, "satisfiesPzs": True}
MOMENT = re.compile(r"(\d{4}-\d\d-\d\dT[\d:.]+)Z")
OTHERWISE = {
    # Enums stand as what they mean, a state without its prefix.
    "ADAPTER_SIZE_EIGHT": "→ 8",
    "ADAPTER_SIZE_FOUR": "→ 4",
    "1.0": "Learning rate multiplier recommended → 1 ",
    "TUNING_JOB_STATE_POST_PROCESSING": "POST_PROCESSING",
    "0.75": "→ 0.75",
    "True": "Export last checkpoint only Yes",
    "13": "13 INTERNAL",
}


@pytest.fixture
def job(project: Project, tuner: User) -> TuningJob:
    return TuningJob.objects.create(
        project=project,
        owner=tuner,
        tuned_model_display_name="intents",
        base_model="studio-tiny",
        location="us-central1",
        submission=Submission.CREATED,
        state="JOB_STATE_RUNNING",
        name=f"{PLACE}/tuningJobs/11",
    )


@pytest.fixture
def read(tuner: User, browser_of: Callable[[User], Client]) -> Callable[[TuningJob, str], str]:
    def get(job: TuningJob, tab: str) -> str:
        answer = browser_of(tuner).get(f"/p/local/jobs/{job.pk}/{tab}/")
        assert answer.status_code == 200
        return answer.content.decode()

    return get


Read = Callable[[TuningJob, str], str]


def load_captured_job() -> dict[str, Any]:
    """Return the last response of a complete job, captured from Google's own client."""
    exchanges = json.loads((CAPTURES / "genai-2.34.0.tunings.get.json").read_text())["exchanges"]
    answer: dict[str, Any] = exchanges[-1]["response"]["body"]
    assert answer["state"] == "JOB_STATE_SUCCEEDED" and answer["tunedModel"]["checkpoints"]
    return answer


def iter_leaves(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from iter_leaves(inner, f"{path}.{key}")
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from iter_leaves(inner, f"{path}[{number}]")
    else:
        yield path, str(value)


def extract_visible_text(page: str) -> str:
    """Return the text of a page, including titles and times."""
    kept = re.sub(r'<time datetime="([^"]*)"', r" \1 <x", page)
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", kept)))


def extract_main(page: str) -> str:
    return page.partition('<main class="main" id="main">')[2].partition('<ul class="nav nav-tabs">')[2]


# ---- details ----


@pytest.mark.parametrize("remote", [FULL, load_captured_job()], ids=["every field", "captured"])
def test_every_field_of_the_resource_is_on_one_of_the_two_tabs(
    job: TuningJob, read: Read, remote: dict[str, Any]
) -> None:
    """The raw response, which contains every field anyway, doesn't count."""
    job.update_from_remote({**remote, "name": job.name})
    details = extract_main(read(job, "details")).partition('id="answer-title"')[0]
    both = extract_visible_text(details) + extract_visible_text(extract_main(read(job, "data")))
    for path, value in iter_leaves({**remote, "name": job.name}):
        if "Distribution" in path and "buckets" not in path:
            continue  # the figures have a test of their own
        if "buckets" not in path and value != "False":
            assert_value_shown(both, path, value)


def assert_value_shown(page: str, path: str, value: str) -> None:
    told = OTHERWISE.get(value, MOMENT.sub(r"\1+00:00", value))
    grouped = f"{int(value):,}" if value.isdecimal() else told
    assert told in page or grouped in page, path


def test_the_raw_answer_shows_unknown_fields(job: TuningJob, read: Read) -> None:
    job.update_from_remote({**FULL, **UNKNOWN})
    page = read(job, "details")
    [whole] = re.findall(r'<pre[^>]*id="answer"[^>]*>(.*?)</pre>', page, re.DOTALL)
    assert json.loads(html.unescape(whole)) == {**FULL, **UNKNOWN}
    assert "<endpoint>" not in page and "<i>keeps" not in page


def test_settings_show_requested_and_resolved_values(job: TuningJob, read: Read) -> None:
    TuningJob.objects.filter(pk=job.pk).update(adapter_size=8, epoch_count=None, learning_rate_multiplier=1.0)
    job.update_from_remote(FULL)
    page = " ".join(read(job, "details").split())
    assert "recommended</span></span> → 6" in page and '<span class="changed">8</span> </dd>' in page
    assert '<span class="changed">1</span> → 0.75' in page


def test_each_id_can_be_copied(job: TuningJob, read: Read) -> None:
    job.update_from_remote(FULL)
    page = read(job, "details")
    ids = [
        job.name,
        FULL["tunedModel"]["model"],
        FULL["tunedModel"]["endpoint"],
        FULL["tunedModel"]["checkpoints"][0]["endpoint"],
        FULL["preTunedModel"]["tunedModelName"],
        FULL["experiment"],
        FULL["serviceAccount"],
        "gs://b/validation.jsonl",
    ]
    for resource in ids:
        assert f'data-copy="{resource}"' in page, resource
    assert 'data-copy-from="#answer"' in page


def test_model_and_endpoint_are_labelled_apart(job: TuningJob, read: Read) -> None:
    job.update_from_remote(FULL)
    said = extract_visible_text(read(job, "details"))
    assert f"{PLACE}/endpoints/11002 Use this endpoint for inference." in said
    assert (
        f"{PLACE}/models/110@2 Use this to deploy or continue tuning; it can’t be called directly. Version 2"
        in said
    )


def test_a_model_without_an_endpoint_shows_the_reason(job: TuningJob) -> None:
    model = {"model": FULL["tunedModel"]["model"]}
    job.update_from_remote({**FULL, "tunedModel": model, "state": "JOB_STATE_RUNNING"})
    assert "Endpoint" not in get_field_values(job)
    job.update_from_remote({**FULL, "tunedModel": model})
    assert get_field_values(job)["Endpoint"].startswith("None (the default checkpoint isn’t deployed")


def get_field_values(job: TuningJob) -> dict[str, Any]:
    return {field.label: field.value for section in sections(job) for field in section.fields}


def test_a_field_without_a_value_has_no_line(job: TuningJob, read: Read) -> None:
    titles = [section.title for section in sections(job)]
    assert titles == ["Tuned model", "Job", "Settings"] and "Code" not in get_field_values(job)
    assert "Raw API response" not in read(job, "details")


# ---- dataset ----


def test_sums_name_their_source_field(job: TuningJob, read: Read) -> None:
    job.update_from_remote(FULL)
    page = read(job, "data")
    for source, label, value in (
        ("tuningDatasetExampleCount", "Examples", "48,000"),
        ("userInputTokenDistribution.sum + userOutputTokenDistribution.sum", "Tokens", "10,000"),
        ("totalBillableTokenCount", "Billable tokens", "15,123"),
        ("totalTruncatedExampleCount", "Dropped", "3"),
    ):
        assert f'<div title="{source}"><dt>{label}</dt><dd>{value}</dd></div>' in page
    said = extract_visible_text(page)
    assert "From the service’s tuningDataStats" in said and "From userDatasetExamples" in said


def test_dropped_examples_show_their_reasons(job: TuningJob, read: Read) -> None:
    job.update_from_remote(FULL)
    said = extract_visible_text(read(job, "data"))
    assert "2 of 3, with reasons" in said
    assert "7 too long: 2000 tokens 9 no <model> turn" in said


def test_no_dropped_examples_are_shown_as_zero(job: TuningJob, read: Read) -> None:
    job.update_from_remote(make_remote(tuningDatasetExampleCount="5"))
    assert [(sum.label, sum.value) for sum in DatasetTab(job).sums] == [("Examples", 5), ("Dropped", 0)]
    assert "Dropped examples" not in read(job, "data")


def make_remote(**told: Any) -> dict[str, Any]:
    return {**FULL, "tuningDataStats": {"supervisedTuningDataStats": told}}


@pytest.mark.parametrize(
    ("told", "dropped"),
    [
        ({"truncatedExampleIndices": ["1", "2"], "droppedExampleReasons": ["a"]}, [("1", "a"), ("2", "")]),
        ({"droppedExampleReasons": ["a"]}, [("", "a")]),
        ({"truncatedExampleIndices": "7", "droppedExampleReasons": None}, []),
    ],
    ids=["a reason is missing", "the lines are missing", "another shape"],
)
def test_lists_of_unequal_length_are_padded(job: TuningJob, told: dict[str, Any], dropped: list[Any]) -> None:
    job.update_from_remote(make_remote(**told))
    assert DatasetTab(job).dropped_examples == dropped


def test_distributions_show_six_statistics_and_a_table(job: TuningJob, read: Read) -> None:
    job.update_from_remote(FULL)
    spreads = DatasetTab(job).spreads
    assert [spread.title for spread in spreads] == [
        "Input tokens per example",
        "Output tokens per example",
        "Messages per example",
    ]
    figure = spreads[0].figure
    assert figure["data"][0]["y"] == [300, 180]
    assert [note["text"] for note in figure["layout"]["annotations"]] == [
        "Min 4",
        "p5 6",
        "Median 20",
        "Mean 20.5",
        "p95 36.5",
        "Max 40",
    ]
    said = extract_visible_text(read(job, "data"))
    assert "Min p5 Median Mean p95 Max 4 6 20 20.5 36.5 40" in said
    assert "4–21 300 22–40 180" in said


@pytest.mark.parametrize(
    "told",
    [{}, {"buckets": "many"}, {"buckets": [1, {"left": "x"}]}, {"min": "NaN", "buckets": None}, []],
)
def test_malformed_distributions_are_omitted(job: TuningJob, read: Read, told: Any) -> None:
    job.update_from_remote(make_remote(userInputTokenDistribution=told))
    assert not DatasetTab(job).spreads
    read(job, "data")


def test_the_services_samples_are_shown_as_chat_bubbles(job: TuningJob, read: Read) -> None:
    job.update_from_remote(FULL)
    page = read(job, "data")
    assert "Why is &lt;b&gt;sky&lt;/b&gt; blue?" in page and "gs://b/sky.png" in page
    assert page.count('class="bubble') == 2


def test_both_files_are_shown_with_our_own_check(
    job: TuningJob, read: Read, project: Project, tuner: User
) -> None:
    for purpose, content in (("training", GOOD * 3), ("validation", line(example("Second?", "yes")))):
        dataset = Dataset.objects.create(
            project=project,
            owner=tuner,
            uri=f"gs://b/{purpose}.jsonl",
            generation="17",
            crc32c="AAAAAA==",
            size=len(content),
            source=Dataset.Source.UPLOAD,
            report=check_file([content]).to_json(),
        )
        TuningJob.objects.filter(pk=job.pk).update(**{purpose: dataset})
    page = extract_main(read(job, "data"))
    assert "Statistics appear after the dataset has been checked." in page
    training, validation = page.split('id="file-2"')
    assert "<dt>Examples</dt><dd>3</dd>" in training and "<dt>Duplicates</dt><dd>2</dd>" in training
    assert "Where is my &lt;b&gt;card&lt;/b&gt;?" in training
    assert "<dt>Examples</dt><dd>1</dd>" in validation and "Second?" in validation
    assert page.count("From Tuning Studio’s own check of this version of the file.") == 2


def test_files_that_are_not_in_the_library_are_named(job: TuningJob, read: Read) -> None:
    job.update_from_remote(FULL)
    said = extract_visible_text(read(job, "data"))
    assert "gs://b/train.jsonl" in said and "gs://b/validation.jsonl" in said
    assert said.count("This file isn’t in this project’s library") == 2
