"""Requests that no client of Google's sends: each gets an error in Google's form, soon, and never a 500."""

from __future__ import annotations

import http.client
import json
import re
import socket
import time
from collections.abc import Callable, Iterator
from random import Random
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import pytest
import requests

from engine.protojson.schema import MESSAGES
from engine.urls import urlpatterns
from tests.engine.running_engine import PROJECT, Engine
from tests.odd_values import ODD_TEXTS, pick_json, pick_text
from tests.paths import ROOT

LONG = "9" * 5000
QUESTION = {"contents": [{"role": "user", "parts": [{"text": "word 1"}]}]}
# A whole answer of the tests' base takes a few milliseconds; this is for a busy machine.
PATIENCE = 60


def read_error(response: requests.Response) -> dict[str, Any]:
    """The error in either of Google's two forms."""
    error: dict[str, Any] = response.json()["error"]
    assert error["code"] == response.status_code and error["message"]
    assert "status" in error or error["errors"][0]["reason"]
    return error


def expect_400(response: requests.Response) -> dict[str, Any]:
    assert response.status_code == 400, response.text[:500]
    return read_error(response)


@pytest.mark.parametrize(
    "size", [LONG, "²", "1.5", "-1"], ids=["long", "superscript", "fraction", "negative"]
)
@pytest.mark.parametrize(
    "path",
    [
        f"{PROJECT}/tuningJobs?pageSize=",
        f"{PROJECT}/models?pageSize=",
        "storage/v1/b?pageSize=",
        "storage/v1/b/data/o?maxResults=",
    ],
)
def test_page_size_of_many_digits_is_refused(engine: Engine, path: str, size: str) -> None:
    expect_400(engine.get(f"{path}{size}"))


@pytest.mark.parametrize(
    ("query", "word"),
    [(f"maxDataPoints={LONG}", "max_data_points"), (f"filter=step > {LONG}", "filter")],
    ids=["points", "filter"],
)
def test_numbers_of_a_time_series_are_bounded(
    engine: Engine, tuned: dict[str, Any], query: str, word: str
) -> None:
    series = find_series(engine, tuned)
    assert word in json.dumps(expect_400(engine.get(f"v1/{series}:read?{query}")))
    body = {"pageToken": LONG}
    expect_400(engine.post(f"v1/{series}:exportTensorboardTimeSeries", body))


def find_series(engine: Engine, job: dict[str, Any]) -> str:
    board = engine.get(f"v1/{job['experiment']}").json()["metadata"]["backing_tensorboard_resource"]
    run = f"{board}/experiments/{job['experiment'].rpartition('/')[2]}/runs/tuning-run-1"
    name: str = engine.get(f"v1/{run}/timeSeries").json()["tensorboardTimeSeries"][0]["name"]
    return name


def test_operation_with_a_long_number_is_not_found(engine: Engine) -> None:
    response = engine.get(f"{PROJECT}/operations/{LONG}")
    assert (response.status_code, read_error(response)["status"]) == (404, "NOT_FOUND")


@pytest.mark.parametrize(
    "span", [f"bytes={LONG}-", f"bytes=0-{LONG}", f"bytes=-{LONG}"], ids=["first", "last", "length"]
)
def test_range_of_many_digits_is_refused(engine: Engine, span: str) -> None:
    engine.upload("ranged.txt", "hello")
    expect_400(engine.get("storage/v1/b/data/o/ranged.txt?alt=media", headers={"Range": span}))


@pytest.mark.parametrize(
    "span", [f"bytes 0-{LONG}/*", f"bytes 0-4/{LONG}", f"bytes */{LONG}"], ids=["last", "total", "question"]
)
def test_content_range_of_many_digits_is_refused(engine: Engine, span: str) -> None:
    path = "upload/storage/v1/b/data/o?uploadType=resumable&name=session.txt"
    address = urlsplit(engine.post(path).headers["Location"])
    response = engine.call(
        "PUT", f"{address.path[1:]}?{address.query}", data=b"hello", headers={"Content-Range": span}
    )
    assert "Content-Range" in expect_400(response)["message"]


@pytest.mark.parametrize("chunk", [b"xyz\r\n", b"-5\r\n", b"5\r\nhelloX", b"5;\r\x00\r\nhello"])
@pytest.mark.parametrize("path", [f"/{PROJECT}/tuningJobs", "/upload/storage/v1/b/data/o?name=broken.txt"])
def test_broken_chunk_is_refused(engine: Engine, path: str, chunk: bytes) -> None:
    address = urlsplit(engine.url)
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    with socket.create_connection((address.hostname, address.port), timeout=PATIENCE) as link:
        link.sendall(head + chunk + b"\r\n0\r\n\r\n")
        answer = http.client.HTTPResponse(link, method="POST")
        answer.begin()
        error = json.loads(answer.read())["error"]
    assert (answer.status, error["code"]) == (400, 400)
    assert "malformed" in error["message"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("storage/v1/b", {"name": "half\ud800"}),
        ("upload/storage/v1/b/data/o?uploadType=resumable", {"name": "half\udc00.jsonl"}),
        (f"{PROJECT}/tuningJobs", {"baseModel": "studio-tiny", "tunedModelDisplayName": "\ud83d"}),
        (f"{PROJECT}/tuningJobs", {"labels": {"\ud83d": "x"}}),
    ],
)
def test_half_a_surrogate_is_refused(engine: Engine, path: str, body: dict[str, Any]) -> None:
    assert "half of a character" in expect_400(engine.post(path, body))["message"]


def test_number_beyond_a_double_is_refused(engine: Engine) -> None:
    """It would be sent again as Infinity, which is not JSON."""
    spec = {"evaluationConfig": {"datasetCustomMetrics": ["LARGE"]}}
    text = json.dumps({"supervisedTuningSpec": spec}).replace('"LARGE"', "1e999")
    assert "too large" in expect_400(engine.call("POST", f"{PROJECT}/tuningJobs", data=text))["message"]


def test_line_break_in_a_content_type_is_refused(engine: Engine) -> None:
    body = {"name": "injected.txt", "contentType": "text/plain\r\nSet-Cookie: a=b"}
    response = engine.post("upload/storage/v1/b/data/o?uploadType=resumable", body)
    assert "contentType" in expect_400(response)["message"]


def test_object_stored_with_a_line_break_in_its_content_type_is_sent(engine: Engine) -> None:
    """An older engine stored what it was told."""
    engine.upload("older.txt", "hello")
    meta = engine.root / "storage" / "data" / "older.txt" / "meta.json"
    meta.write_text(json.dumps({**json.loads(meta.read_text()), "content_type": "text/plain\r\nX: y"}))
    found = engine.get("storage/v1/b/data/o/older.txt?alt=media")
    assert (found.status_code, found.content) == (200, b"hello")
    assert found.headers["Content-Type"] == "application/octet-stream"


def test_metadata_of_another_type_is_refused(engine: Engine) -> None:
    body = {"name": "tagged.txt", "metadata": "x"}
    expect_400(engine.post("upload/storage/v1/b/data/o?uploadType=resumable", body))


@pytest.mark.parametrize("epochs", [0, 10_001, str(2**63 - 1)])
def test_endless_job_is_refused(engine: Engine, epochs: Any) -> None:
    uri = engine.upload_examples("endless.jsonl", 4)
    spec = {"trainingDatasetUri": uri, "hyperParameters": {"epochCount": epochs}}
    error = expect_400(engine.create(baseModel="studio-tiny", supervisedTuningSpec=spec))
    assert "epoch_count must be from 1 to 10000" in error["message"]


@pytest.mark.parametrize("verb", ["generateContent", "streamGenerateContent", "countTokens"])
def test_prompt_of_a_megabyte_is_refused_before_it_is_counted(engine: Engine, verb: str) -> None:
    engine.post(
        f"{PROJECT}/publishers/google/models/studio-tiny:countTokens", QUESTION
    )  # loads the tokenizer
    body = {"contents": [{"role": "user", "parts": [{"text": "ab" * 1_000_000}]}]}
    begun = time.monotonic()
    response = engine.post(f"{PROJECT}/publishers/google/models/studio-tiny:{verb}", body)
    assert "far more than" in expect_400(response)["message"]
    assert time.monotonic() - begun < 30


def test_prompt_of_many_messages_is_refused_before_it_is_counted(engine: Engine) -> None:
    turns = [{"role": "user", "parts": [{"text": "a"}]}] * 20_000
    response = engine.post(f"{PROJECT}/publishers/google/models/studio-tiny:countTokens", {"contents": turns})
    assert "far more than" in expect_400(response)["message"]


def test_long_stop_sequence_does_not_hold_the_model(engine: Engine) -> None:
    config = {"stopSequences": ["x" * 200_000] * 5, "maxOutputTokens": 8}
    begun = time.monotonic()
    response = engine.post(
        f"{PROJECT}/publishers/google/models/studio-tiny:generateContent",
        {**QUESTION, "generationConfig": config},
    )
    assert response.status_code == 200
    assert time.monotonic() - begun < 30


@pytest.mark.parametrize(
    "parameter",
    [
        "charset=hex",
        "charset=zip",
        "charset=utf-7",
        "charset=undefined",
        "charset=no-such",
        "a*=no-such''b",
        "a*; a*0",
    ],
)
def test_charset_of_a_request_changes_nothing(engine: Engine, parameter: str) -> None:
    headers = {"Content-Type": f"application/json; {parameter}"}
    assert engine.get(f"{PROJECT}/tuningJobs?pageSize=1", headers=headers).status_code == 200


def test_thousands_of_parameters_are_refused(engine: Engine) -> None:
    expect_400(engine.get(f"{PROJECT}/tuningJobs?{'a&' * 3000}"))


@pytest.mark.parametrize(
    "text", ["NOT " * 1250 + "a=b", "(" * 60 + "a=b" + ")" * 60], ids=["NOT", "parentheses"]
)
def test_nested_filter_is_refused(engine: Engine, text: str) -> None:
    assert "filter" in expect_400(engine.get(f"{PROJECT}/tuningJobs", params={"filter": text}))["message"]


# ---- any route, any parameter, any field ----

PARAMETER = re.compile(r'(?:GET\.get|GET\.getlist|query\.get|_parse_number)\((?:request, )?"(\w+)"')
PARAMETERS = sorted(
    {name for file in (ROOT / "engine").rglob("*.py") for name in PARAMETER.findall(file.read_text())}
)
HEADERS = ("Range", "Content-Range", "Content-Type", "X-Goog-Hash", "X-Upload-Content-Type", "Upload-Id")
HEADER_TEXTS = [
    text for text in ODD_TEXTS if text.strip() and text.isascii() and text.isprintable() and len(text) < 6000
]
METHODS = ("PATCH", "PUT", "DELETE")
READING_VERBS = ("generateContent", "streamGenerateContent", "countTokens", "exportTensorboardTimeSeries")
# It would start a trainer, whatever the request holds.
ROUTES = [
    route for each in urlpatterns if "warm-up" not in (route := str(each.pattern).strip("^$")) and route
]
LONGEST_ADDRESS = 6000  # gunicorn answers longer ones itself


def shorten_address(address: str) -> str:
    """Cut it, but not inside a percent-encoded byte, which the client would encode again."""
    return re.sub("%[0-9A-F]?$", "", address[:LONGEST_ADDRESS])


class OddRequests:
    """Requests to every route of the engine, the same for the same seed."""

    def __init__(self, seed: int, job: dict[str, Any], series: str, share: float = 0.2) -> None:
        """`share` of the parts of paths are odd."""
        self.random, self.share = Random(seed), share
        self.number = job["name"].rpartition("/")[2]
        self.series = series.rpartition("/")[2]
        self.board = series.partition("/tensorboards/")[2].partition("/")[0]

    def make(self, route: str, method: str) -> dict[str, Any]:
        """The arguments of Engine.call."""
        query = urlencode([(name, pick_text(self.random)) for name in self._choose(PARAMETERS, 6)])
        made: dict[str, Any] = {
            "method": method,
            "path": shorten_address(f"{self.make_path(route, method)}?{query}"),
            "headers": {name: self.random.choice(HEADER_TEXTS) for name in self._choose(HEADERS, 1)},
        }
        return made if method in ("GET", "DELETE") else {**made, "data": self._make_body()}

    def _choose(self, names: Any, most: int) -> list[str]:
        return self.random.sample(list(names), min(self.random.randint(0, most), len(names)))

    def make_path(self, route: str, method: str) -> str:
        known = self._make_ids(method == "GET" or route.endswith(READING_VERBS) or "<verb>" in route)
        return re.sub(r"\(\?P<(\w+)>[^)]*\)", lambda group: self._make_part(known.get(group[1], "")), route)

    def _make_part(self, usual: str) -> str:
        odd = not usual or self.random.random() < self.share
        return quote(pick_text(self.random)[:300] or "x", safe="") if odd else usual

    def _make_ids(self, reads: bool) -> dict[str, str]:
        """The parts of a path by their names: of the tuned model, or of none where it could be changed."""
        job = self.number if reads else "1" * 19
        return {
            "version": self.random.choice(["v1", "v1beta1"]),
            "project": "myproject",
            "location": "us-central1",
            "job": job,
            "model": self.random.choice([f"{job}0", f"{job}0@1", "studio-tiny"]),
            "endpoint": f"{job}001",
            "verb": self.random.choice(READING_VERBS),
            "board": self.board,
            "experiment": f"tuning-experiment-{job}",
            "context": f"tuning-experiment-{job}",
            "run": "tuning-run-1",
            "series": self.series,
            "bucket": "odd",
        }

    def _make_body(self) -> bytes:
        if self.random.random() < 0.1:
            return pick_text(self.random).encode()
        return json.dumps(self._make_message(self.random.choice(list(MESSAGES)), 3)).encode()

    def _make_message(self, name: str, depth: int) -> Any:
        fields = MESSAGES[name]
        return {field: self._make_value(fields[field], depth) for field in self._choose(fields, 4)}

    def _make_value(self, kind: str, depth: int) -> Any:
        bare = kind.strip("[]{}")
        if bare not in MESSAGES or not depth or self.random.random() < 0.2:
            return pick_json(self.random)
        inner = self._make_message(bare, depth - 1)
        return [inner] if kind.startswith("[") else inner


def send_odd(engine: Engine, options: dict[str, Any]) -> None:
    """The arguments of Engine.call get an answer or an error in Google's form, soon."""
    begun = time.monotonic()
    response = engine.call(**options)
    told = f"{options}"[:2000], response.status_code, response.text[:500]
    # 501 is rebaseTunedModel, which the engine does not have.
    assert response.status_code < 500 or response.status_code == 501, told
    assert time.monotonic() - begun < PATIENCE, told
    if response.status_code >= 400:
        read_error(response)


# Each round sends three requests to every route; the slow ones together make more than a thousand.
@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 10))])
def test_odd_requests_get_googles_errors(engine: Engine, tuned: dict[str, Any], seed: int) -> None:
    odd = OddRequests(seed, tuned, find_series(engine, tuned))
    for route in ROUTES:
        for method in ("GET", "POST", odd.random.choice(METHODS)):
            send_odd(engine, odd.make(route, method))


QUICK = {"digits": LONG, "NOT": "NOT " * 1250}


@pytest.mark.parametrize(
    ("text", "most"),
    [
        *(pytest.param(text, None, id=name) for name, text in QUICK.items()),
        *(
            pytest.param(text, 100, id=f"text {number}", marks=pytest.mark.slow)
            for number, text in enumerate(ODD_TEXTS)
        ),
    ],
)
def test_one_odd_text_in_every_parameter_gets_googles_errors(
    engine: Engine, tuned: dict[str, Any], text: str, most: int | None
) -> None:
    """Of addresses that are right otherwise; `most` of them, chosen by the text."""
    odd = OddRequests(0, tuned, find_series(engine, tuned), share=0)
    pairs = [(route, name) for route in ROUTES for name in PARAMETERS]
    for route, name in Random(text).sample(pairs, most) if most else pairs:
        address = f"{odd.make_path(route, 'GET')}?{urlencode({name: text})}"
        send_odd(engine, {"method": "GET", "path": shorten_address(address)})


# Right but for one field each. The file does not exist, so that no job is created.
SPEC = {"trainingDatasetUri": "gs://odd/none.jsonl", "hyperParameters": {"epochCount": 1}}
MODEL = f"{PROJECT}/publishers/google/models/studio-tiny"
BODIES: dict[str, tuple[str, dict[str, Any]]] = {
    "TuningJob": (f"{PROJECT}/tuningJobs", {"baseModel": "studio-tiny", "supervisedTuningSpec": SPEC}),
    "GenerateContentRequest": (
        f"{MODEL}:generateContent",
        {**QUESTION, "generationConfig": {"maxOutputTokens": 2}},
    ),
    "CountTokensRequest": (f"{MODEL}:countTokens", QUESTION),
}


def iter_leaves(message: str, depth: int = 5) -> Iterator[tuple[str, ...]]:
    """The paths of all fields of a message, at every depth."""
    for field, kind in MESSAGES[message].items():
        yield (field,)
        bare = kind.strip("[]{}")
        if bare in MESSAGES and depth:
            yield from ((field, *inner) for inner in iter_leaves(bare, depth - 1))


def set_leaf(body: dict[str, Any], path: tuple[str, ...], value: Any) -> dict[str, Any]:
    """A copy of the body with that value; of a list of messages, in the first one."""
    first, *rest = path
    if not rest:
        return {**body, first: value}
    held = body.get(first, {})
    if isinstance(held, list):
        return {**body, first: [set_leaf(held[0], tuple(rest), value), *held[1:]]}
    return {**body, first: set_leaf(held, tuple(rest), value)}


def send_odd_fields(engine: Engine, message: str, pick: Callable[[], Any]) -> None:
    path, body = BODIES[message]
    for leaf in iter_leaves(message):
        odd = json.dumps(set_leaf(body, leaf, pick()))
        send_odd(engine, {"method": "POST", "path": path, "data": odd.encode()})


@pytest.mark.parametrize("message", BODIES)
@pytest.mark.parametrize("value", ["\ud800", 10**400], ids=["half a surrogate", "401 digits"])
def test_one_odd_value_in_every_field_gets_googles_errors(engine: Engine, message: str, value: Any) -> None:
    send_odd_fields(engine, message, lambda: value)


@pytest.mark.slow
@pytest.mark.parametrize("message", BODIES)
@pytest.mark.parametrize("seed", range(10))
def test_odd_values_in_every_field_get_googles_errors(engine: Engine, message: str, seed: int) -> None:
    random = Random(seed)
    send_odd_fields(engine, message, lambda: pick_json(random))


def test_what_is_tried_covers_the_engine() -> None:
    assert {"pageSize", "filter", "orderBy", "maxDataPoints", "generation", "updateMask"} <= {*PARAMETERS}
    assert len(ROUTES) > 40
    leaves = {leaf for message in BODIES for leaf in iter_leaves(message)}
    assert ("supervisedTuningSpec", "hyperParameters", "epochCount") in leaves and len(leaves) > 150
