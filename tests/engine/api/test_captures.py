"""Requests as Google's own clients sent them, played to the engine.

The files of tests/captures/ hold each call's requests and the answers that the client could read. An answer
of ours must have everything that the recorded one has, with the same kinds of values.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
import requests

from engine.api.tensorboard import BOARD
from engine.api.time_series import series_id
from tests.engine.running_engine import Engine
from tests.paths import CAPTURES

SERIES = {
    "101": "/train_total_loss",
    "102": "/train_fraction_of_correct_next_step_preds",
    "103": "/train_num_predictions",
    "201": "/eval_total_loss",
    "202": "/eval_fraction_of_correct_next_step_preds",
    "203": "/eval_num_predictions",
}
# The server of the recording gave requests back as they had come, and said things of its own making.
ECHOED = re.compile(r".*([a-z]_[a-z].*|adapterSize|epochCount|exportLastCheckpointOnly|preTunedModel)")
MADE_UP = re.compile(
    r".*\.(safetyRatings|blobStoragePathPrefix|description|labels|index|nextPageToken|trafficSplit\.\d+)"
    r"|\.(items\[0\]\.)?(createTime|updateTime|timeCreated|updated|error\.status)"
)


def captures(*patterns: str) -> list[str]:
    found = {path.name for pattern in patterns for path in CAPTURES.glob(f"{pattern}.json")}
    assert found
    return sorted(found)


def exchanges(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((CAPTURES / name).read_text())["exchanges"]
    return found


def replay_request(
    engine: Engine, request: dict[str, Any], rename: Callable[[str], str]
) -> requests.Response:
    body = request["body"]
    raw = body["_raw"] if isinstance(body, dict) and set(body) == {"_raw"} else json.dumps(body)
    unsent = ("content-length", "host", "accept-encoding", "connection")
    headers = {key: value for key, value in request["headers"].items() if key.lower() not in unsent}
    return engine.call(
        request["method"],
        rename(request["target"]).removeprefix("/"),
        data=None if body is None else rename(raw).encode(),
        headers=headers,
    )


def find_missing(recorded: Any, answered: Any, path: str = "") -> list[str]:
    """Where the answer has less than the recorded one, or a value of another kind."""
    if MADE_UP.fullmatch(path) or ECHOED.fullmatch(path):
        return []
    match recorded, answered:
        case {}, {}:
            return [
                gap
                for key in recorded
                for gap in find_missing(recorded[key], answered.get(key), f"{path}.{key}")
            ]
        case [first, *_], [ours, *_]:
            return find_missing(first, ours, f"{path}[0]")
        case [], [*_]:
            return []
    return [] if json_type(recorded) == json_type(answered) and not isinstance(recorded, list) else [path]


def json_type(value: Any) -> str:
    return (
        "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__
    )


@pytest.fixture(scope="module")
def rename(engine: Engine, tuned: dict[str, Any]) -> Callable[[str], str]:
    """Names of the recording -> names of the tuned job, in paths and bodies, encoded or not."""
    for name in ("t", "train", "val"):
        engine.upload_examples(f"{name}.jsonl", 4)
    last = {
        part: tuned["tunedModel"][part].rpartition("/")[2].partition("@")[0] for part in ("model", "endpoint")
    }
    replaced = {
        r"123456789012|projects/1(?=/)": lambda match: (
            "myproject" if match[0][0] == "1" else "projects/myproject"
        ),
        r"tuningJobs/10\d\d": f"tuningJobs/{tuned['name'].rpartition('/')[2]}",
        r"(tuningJobs%2F)10\d\d": rf"\g<1>{tuned['name'].rpartition('/')[2]}",
        r"endpoints/888\d+": f"endpoints/{last['endpoint']}",
        r"models/777\d+": f"models/{last['model']}",
        r"tuning-experiment-20261122000000": tuned["experiment"].rpartition("/")[2],
        r"(tensorboards(?:/|%2F))555": rf"\g<1>{BOARD}",
        r"(timeSeries(?:/|%2F))([12]0[123])": lambda match: match[1] + series_id(SERIES[match[2]]),
        r"gs://b/": "gs://data/",
    }

    def apply(text: str) -> str:
        for pattern, replacement in replaced.items():
            text = re.sub(pattern, replacement, text)
        return text

    return apply


READS = captures(
    "*.get",
    "*.tunings.get*",
    "*.sft.get*",
    "*.list",
    "*.models.get*",
    "*.models.list*",
    "*.notebook-metrics.*",
    "*.experiment",
    "*.ts.*",
    "rest.tensorboards.*",
    "*.versions",
    "*.list_models",
    "*.tuningJobs.list",
)


@pytest.mark.parametrize("name", READS)
def test_captured_reads_are_answered_alike(engine: Engine, rename: Callable[[str], str], name: str) -> None:
    for exchange in exchanges(name):
        recorded = exchange["response"]
        if re.search("pageToken=|filter=labels.a", exchange["request"]["target"]):
            continue
        response = replay_request(engine, exchange["request"], rename)
        assert response.status_code == recorded["status"], response.text
        assert find_missing(recorded["body"], response.json()) == []


@pytest.mark.parametrize(
    "name",
    captures(
        "page-curl.*create*", "*.sft.train", "*.tune", "*.tune-minimal", "*.tune-continuous*", "*.create"
    ),
)
def test_captured_creates_are_answered_alike(engine: Engine, rename: Callable[[str], str], name: str) -> None:
    (exchange,) = [one for one in exchanges(name) if one["request"]["method"] == "POST"]
    response = replay_request(engine, exchange["request"], rename)
    job = response.json()
    assert response.status_code == 200, job
    engine.post(f"v1/{job['name']}:cancel")
    assert find_missing(exchange["response"]["body"], job) == []
    hyper_parameters = job["supervisedTuningSpec"]["hyperParameters"]
    assert hyper_parameters["adapterSize"].startswith("ADAPTER_SIZE_")
    assert isinstance(hyper_parameters["epochCount"], str)


@pytest.mark.parametrize("name", captures("*.cancel"))
def test_captured_cancels_are_answered_alike(engine: Engine, name: str) -> None:
    request = next(
        one["request"]
        for one in exchanges(name)
        if one["request"]["target"].endswith(":cancel") or ":cancel?" in one["request"]["target"]
    )
    job = engine.tune(epochs=5000)
    parent = r"projects/\w+/locations/[\w-]+/tuningJobs/\d+"
    response = replay_request(engine, request, lambda text: re.sub(parent, job["name"], text))
    assert (response.status_code, response.json()) == (200, {})
    assert engine.wait(job)["state"] == "JOB_STATE_CANCELLED"


@pytest.mark.parametrize("name", captures("*.models.update*"))
def test_captured_updates_are_answered_alike(engine: Engine, name: str) -> None:
    """On a model of its own: the others are read by everybody."""
    (exchange,) = exchanges(name)
    tuned = engine.wait(engine.tune(epochs=2))["tunedModel"]
    model = r"projects/\w+/locations/[\w-]+/models/\d+@\d+"
    response = replay_request(engine, exchange["request"], lambda text: re.sub(model, tuned["model"], text))
    assert response.status_code == 200, response.text
    assert response.json()["defaultCheckpointId"] == exchange["request"]["body"]["defaultCheckpointId"]


GENERATES = captures("*generate*", "*.count_tokens", "*.chat.*")


def replay_until_text(
    engine: Engine, request: dict[str, Any], rename: Callable[[str], str]
) -> requests.Response:
    """The base is tiny and the prompts strange to it: now and then it says nothing, and is asked again."""
    for _ in range(10):
        response = replay_request(engine, request, rename)
        if response.status_code != 200 or "candidatesTokenCount" in response.text:
            break
    return response


@pytest.mark.parametrize("name", GENERATES)
def test_captured_generations_are_answered_alike(
    engine: Engine, rename: Callable[[str], str], name: str
) -> None:
    for exchange in exchanges(name):
        response = replay_until_text(engine, exchange["request"], rename)
        assert response.status_code == 200, response.text
        if "_raw" not in exchange["response"]["body"]:
            answered, recorded = response.json(), exchange["response"]["body"]
            whole = (answered[-1], recorded[-1]) if isinstance(recorded, list) else (answered, recorded)
            assert find_missing(whole[1], whole[0]) == []
        else:
            assert response.text.startswith("data: {") and response.text.endswith("}\r\n\r\n")


GCS = ("get_bucket", "list_buckets", "upload_from_string", "list_blobs", "get_blob", "blob_reload_exists")


@pytest.mark.parametrize("name", [*GCS, "download_as_bytes", "get_404", "delete"])
def test_captured_storage_calls_are_answered_alike(engine: Engine, name: str) -> None:
    for object_name in ("ds/train.jsonl", "ds/t2.jsonl"):
        engine.upload(object_name, '{"a":1}\n', bucket="demo")
    for exchange in exchanges(f"gcs-3.17.{name}.json"):
        recorded = exchange["response"]
        response = replay_request(engine, exchange["request"], lambda text: text)
        assert response.status_code == recorded["status"], response.text
        if recorded["body"] is not None:
            assert find_missing(recorded["body"], response.json()) == []
