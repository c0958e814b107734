"""Whatever a service answers: reading ends, with an error that says why, in a bounded amount of memory."""

from __future__ import annotations

import gzip
import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest

from studio.vertex import client, object_info, storage, streaming
from studio.vertex.auth import Place
from studio.vertex.client import Vertex
from studio.vertex.errors import (
    AnswerTooLarge,
    BadRequest,
    CredentialsFailed,
    NotFound,
    OutcomeUnknown,
    PermissionDenied,
    VertexError,
)
from studio.vertex.storage import Storage
from studio.vertex.time_series import TimeSeries
from tests.studio.vertex.conftest import ReroutingAdapter
from tests.studio.vertex.double import Answer, FakeVertexServer, ReceivedRequest, json_answer
from tests.studio.vertex.test_storage import URI, make_object

PLACE = "projects/myproject/locations/us-central1"
JOB = f"{PLACE}/tuningJobs/1"
RUN = f"{PLACE}/tensorboards/5/experiments/e/runs/r"
MEGABYTE = b"x" * 2**20


def stream_forever(first: bytes = MEGABYTE) -> Iterator[bytes]:
    yield first
    while True:
        yield MEGABYTE


# ---- size ----


@pytest.fixture
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A megabyte instead of 32: the limit is the same, and reached sooner."""
    monkeypatch.setattr(streaming, "MAX_STREAM", 2**20)
    monkeypatch.setattr("studio.vertex.auth.MAX_ANSWER", 2**20)
    monkeypatch.setattr(streaming.read_all, "__defaults__", (2**20,))


@pytest.mark.usefixtures("small_limits")
def test_an_answer_without_end_is_given_up_and_not_asked_for_again(
    vertex: Vertex, double: FakeVertexServer
) -> None:
    double.queue_answers(Answer(200, chunks=stream_forever(b'{"a": "')))
    with pytest.raises(AnswerTooLarge, match="more than 1 MB"):
        vertex.get_tuning_job(JOB)
    assert len(double.asked) == 1


@pytest.mark.usefixtures("small_limits")
def test_an_answer_counts_unpacked(vertex: Vertex, double: FakeVertexServer) -> None:
    packed = gzip.compress(b'{"a": "' + b" " * 2**22 + b'"}')
    assert len(packed) < 2**14
    double.queue_answers(Answer(200, packed, {"Content-Encoding": "gzip"}))
    with pytest.raises(AnswerTooLarge):
        vertex.get_tuning_job(JOB)


def test_the_limit_leaves_room_for_the_largest_answers(vertex: Vertex, double: FakeVertexServer) -> None:
    """100,000 points, as a very long run has them."""
    point = '{"step": "%d", "wallTime": "2026-11-22T20:53:01.12345Z", "scalar": {"value": 0.142857142857142}}'
    values = ", ".join(point % number for number in range(100_000))
    double.queue_answers(Answer(200, f'{{"timeSeriesData": {{"values": [{values}]}}}}'.encode()))
    series = TimeSeries(name=f"{RUN}/timeSeries/1", displayName="/l", maxStep=99_999, maxWallTime="")
    assert len(vertex.read_time_series([series])["/l"]) == 100_000


@pytest.mark.parametrize(("code", "kind"), [(403, PermissionDenied), (503, OutcomeUnknown)])
def test_the_body_of_an_error_is_read_only_so_far(
    vertex: Vertex, double: FakeVertexServer, code: int, kind: type[VertexError]
) -> None:
    double.otherwise = lambda asked: Answer(code, chunks=stream_forever(b'{"error": {"message": "'))
    with pytest.raises(kind) as caught:
        vertex.get_tuning_job(JOB)
    assert type(caught.value) is kind and "without an explanation" in caught.value.message


def test_an_error_of_any_shape_fits_into_a_row(vertex: Vertex, double: FakeVertexServer) -> None:
    violations = [
        {"field": "f\0" * 500, "description": "d\ud800" * 1500},
        {"field": {}, "description": []},
    ] * 50
    error = {
        "code": 10**30,
        "message": "m\0\ud800" + "x" * 10_000,
        "status": "s\0" * 1000,
        "details": [
            {"@type": "google.rpc.BadRequest", "fieldViolations": violations},
            {"@type": "google.rpc.ErrorInfo", "reason": "r\0" * 1000},
        ],
    }
    double.queue_answers(json_answer({"error": error}, 400))
    with pytest.raises(BadRequest) as caught:
        vertex.get_tuning_job(JOB)
    told = caught.value
    assert told.message.startswith("m\ufffd\ufffdxxx") and len(told.message) == 2000
    assert told.code == 400 and len(told.violations) == 50
    written = json.dumps(
        [told.message, told.status, told.reason, [[v.field, v.description] for v in told.violations]]
    )
    assert "\\u0000" not in written and "\\ud800" not in written
    assert len(written) < 600_000


@pytest.mark.usefixtures("small_limits")
def test_a_stream_without_end_is_given_up(vertex: Vertex, double: FakeVertexServer) -> None:
    element = b'data: {"candidates": [{"content": {"parts": [{"text": "word"}]}}]}\r\n\r\n'
    double.queue_answers(Answer(200, chunks=itertools.repeat(element * 1000)))
    texts = []
    with pytest.raises(AnswerTooLarge, match="more than 1 MB"):
        for each in vertex.stream_generate_content(f"{PLACE}/endpoints/1", {}):
            texts.append(each["candidates"][0]["content"]["parts"][0]["text"])
    assert 10_000 < len(texts) < 20_000


def test_an_element_without_end_is_given_up(
    vertex: Vertex, double: FakeVertexServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "MAX_EVENT", 2**20)
    double.queue_answers(Answer(200, chunks=stream_forever(b"data: ")))
    with pytest.raises(AnswerTooLarge, match="element of the stream"):
        list(vertex.stream_generate_content(f"{PLACE}/endpoints/1", {}))


ODD_ELEMENTS: list[Any] = [
    {"candidates": "odd", "promptFeedback": "odd"},
    {"candidates": {"finishReason": "STOP"}},
    {"candidates": ["x", None, 5]},
    {"promptFeedback": []},
]


@pytest.mark.parametrize("odd", ODD_ELEMENTS, ids=str)
def test_an_odd_element_of_a_stream_ends_nothing(vertex: Vertex, double: FakeVertexServer, odd: Any) -> None:
    last = {"candidates": [{"finishReason": "STOP"}]}
    double.queue_answers(Answer(200, chunks=[f"data: {json.dumps(one)}\n\n".encode() for one in (odd, last)]))
    assert list(vertex.stream_generate_content(f"{PLACE}/endpoints/1", {})) == [odd, last]


# ---- lists ----


BAD_LISTS: list[Any] = [{}, {"name": JOB}, "x", 5, None, [], ["x", None, 5, []]]


@pytest.mark.parametrize("listed", BAD_LISTS, ids=str)
def test_a_list_of_another_shape_is_empty(vertex: Vertex, double: FakeVertexServer, listed: Any) -> None:
    double.queue_answers(
        json_answer({"tuningJobs": listed, "nextPageToken": "a"}),
        json_answer({"tuningJobs": [{"name": JOB}]}),
    )
    assert list(vertex.list_tuning_jobs("us-central1")) == [{"name": JOB}]


def name_pages_forever(asked: ReceivedRequest) -> Answer:
    number = int(dict(asked.query).get("pageToken", "0"))
    return json_answer(
        {"tuningJobs": [{"name": f"{PLACE}/tuningJobs/{number}"}], "nextPageToken": str(number + 1)}
    )


def test_a_list_without_end_ends_with_an_error(
    vertex: Vertex, double: FakeVertexServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "MAX_PAGES", 5)
    double.otherwise = name_pages_forever
    found = []
    with pytest.raises(AnswerTooLarge, match="more than 5 pages"):
        for job in vertex.list_tuning_jobs("us-central1"):
            found.append(job["name"])
    assert len(found) == len(double.asked) == 5


@pytest.mark.parametrize("token", [5, {"a": 1}, ["a"], True])
def test_a_page_token_that_is_no_text_is_an_error(
    vertex: Vertex, double: FakeVertexServer, token: Any
) -> None:
    double.otherwise = lambda asked: json_answer({"tuningJobs": [], "nextPageToken": token})
    with pytest.raises(OutcomeUnknown, match="next page"):
        list(vertex.list_tuning_jobs("us-central1"))


@pytest.mark.parametrize(
    "name", [None, 5, {}, "", "x", f"{PLACE}/tuningJobs/1?x=1", f"{PLACE}/tuningJobs/{'9' * 300}", JOB + "\0"]
)
def test_a_created_job_without_a_usable_name_is_an_unknown_outcome(
    vertex: Vertex, double: FakeVertexServer, name: Any
) -> None:
    double.queue_answers(json_answer({"name": name}))
    with pytest.raises(OutcomeUnknown, match="does not name"):
        vertex.create_tuning_job("us-central1", {})


# ---- time series ----


def make_series(number: int, last: int = 10) -> TimeSeries:
    return TimeSeries(
        name=f"{RUN}/timeSeries/{number}", displayName=f"/{number}", maxStep=last, maxWallTime=""
    )


def refuse_series(bad: int) -> Any:
    """A service that refuses a request that names one series, however it is asked."""

    def answer(asked: ReceivedRequest) -> Answer:
        numbers = [name.rpartition("/")[2] for key, name in asked.query if key == "timeSeries"]
        numbers = numbers or [asked.path.rpartition("/")[2].partition(":")[0]]
        if str(bad) in numbers:
            return json_answer({"error": {"code": 404, "message": "no such series"}}, 404)
        values = [{"step": "1", "scalar": {"value": 2.0}}]
        data = [{"tensorboardTimeSeriesId": number, "values": values} for number in numbers]
        return json_answer({"timeSeriesData": data if asked.path.endswith(":batchRead") else data[0]})

    return answer


def test_one_bad_series_costs_the_others_nothing(vertex: Vertex, double: FakeVertexServer) -> None:
    double.otherwise = refuse_series(2)
    found = vertex.read_time_series([make_series(1), make_series(2), make_series(3, 5000)])
    assert found == {"/1": [(1, 0.0, 2.0)], "/2": [], "/3": [(1, 0.0, 2.0)]}


def test_a_refusal_of_every_series_is_raised(vertex: Vertex, double: FakeVertexServer) -> None:
    double.otherwise = refuse_series(2)
    with pytest.raises(NotFound, match="no such series"):
        vertex.read_time_series([make_series(2), make_series(2, 5000)])


@pytest.mark.parametrize("data", [None, 5, "x", {}, [], [None, 5, {"values": 5}], {"values": {"step": 1}}])
def test_odd_points_are_none(vertex: Vertex, double: FakeVertexServer, data: Any) -> None:
    double.otherwise = lambda asked: json_answer({"timeSeriesData": data})
    assert vertex.read_time_series([make_series(1), make_series(2, 5000)]) == {"/1": [], "/2": []}


@pytest.mark.parametrize(
    "context",
    [
        {"name": 5},
        {},
        {
            "name": f"{PLACE}/metadataStores/default/contexts/e",
            "metadata": {"backing_tensorboard_resource": 5},
        },
        {
            "name": f"{PLACE}/metadataStores/default/contexts/e",
            "metadata": {"backing_tensorboard_resource": "../x"},
        },
    ],
    ids=str,
)
def test_an_odd_context_is_an_error(vertex: Vertex, double: FakeVertexServer, context: Any) -> None:
    double.otherwise = lambda asked: json_answer(context)
    with pytest.raises(OutcomeUnknown, match="does not name its TensorBoard"):
        vertex.tensorboard_run(f"{PLACE}/metadataStores/default/contexts/e")


# ---- Cloud Storage ----


BAD_OBJECTS: list[Any] = [
    None,
    "x",
    {},
    {**make_object(b""), "name": None},
    {**make_object(b""), "name": "a\0b"},
    {**make_object(b""), "name": "a\ud800"},
    {**make_object(b""), "size": "many"},
    {**make_object(b""), "size": "-1"},
    {**make_object(b""), "size": str(2**63)},
    {**make_object(b""), "generation": "9" * 5000},
    {**make_object(b""), "generation": {}},
]


@pytest.mark.parametrize("bad", BAD_OBJECTS, ids=lambda bad: str(bad)[:60])
def test_a_bad_object_is_left_out_and_counted(storage: Storage, double: FakeVertexServer, bad: Any) -> None:
    good = make_object(b"1", "good.jsonl")
    double.queue_answers(json_answer({"items": [bad, good], "prefixes": [None, {}, "b/", "\ud800"]}))
    listing = storage.list("demo")
    assert [one.uri for one in listing.objects] == ["gs://demo/good.jsonl"]
    assert (listing.prefixes, listing.left_out) == (("b/",), 4)


def test_odd_metadata_is_left_blank(storage: Storage, double: FakeVertexServer) -> None:
    odd = {"crc32c": "c" * 100, "md5Hash": {}, "contentType": "a\0b", "updated": "9999-12-31T23:59:59-23:59"}
    double.queue_answers(json_answer({**make_object(b"1"), **odd}))
    info = storage.stat(URI)
    assert (info.crc32c, info.md5, info.content_type, info.updated) == ("", "", "a\ufffdb", None)
    assert (info.size, info.generation) == (1, 7)


@pytest.mark.parametrize("answer", [{"items": 5}, [], 5, {**make_object(b""), "generation": "x"}], ids=str)
def test_an_answer_of_another_shape_is_an_error_in_words(
    storage: Storage, double: FakeVertexServer, answer: Any
) -> None:
    double.otherwise = lambda asked: json_answer(answer)
    with pytest.raises(OutcomeUnknown, match="can't be read"):
        storage.stat(URI)
        storage.list("demo")


@pytest.mark.parametrize("error", ["text", {"error": "text"}, [1], {"error": {"errors": {}}}], ids=str)
def test_an_odd_error_is_still_one(storage: Storage, double: FakeVertexServer, error: Any) -> None:
    double.otherwise = lambda asked: json_answer(error, 403)
    with pytest.raises(VertexError):
        storage.list("demo")


def test_buckets_without_end_end_with_an_error(
    storage: Storage, double: FakeVertexServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("studio.vertex.storage.MAX_PAGES", 3)
    numbers = itertools.count()
    double.otherwise = lambda asked: json_answer(
        {"items": [{"name": "b"}], "nextPageToken": str(next(numbers))}
    )
    with pytest.raises(AnswerTooLarge, match="more than 3 pages"):
        storage.buckets()
    assert len(double.asked) == 3


def test_bad_buckets_are_left_out(storage: Storage, double: FakeVertexServer) -> None:
    double.queue_answers(
        json_answer({"items": ["x", None, {"name": "\ud800"}, {"name": "good"}], "nextPageToken": "a"}),
        json_answer({"items": {}}),
    )
    assert storage.buckets() == ("good",)


@pytest.mark.usefixtures("small_limits")
def test_answers_to_googles_library_have_a_limit_too(storage: Storage, double: FakeVertexServer) -> None:
    double.otherwise = lambda asked: Answer(200, chunks=stream_forever(b'{"items": ['))
    with pytest.raises(AnswerTooLarge):
        storage.list("demo")
    with pytest.raises(AnswerTooLarge):
        storage.stat(URI)


@pytest.mark.usefixtures("small_limits")
def test_a_block_without_end_is_given_up(storage: Storage, double: FakeVertexServer) -> None:
    double.queue_answers(json_answer(make_object(b"x" * 100)))
    double.otherwise = lambda asked: Answer(206, chunks=stream_forever())
    with storage.open(URI) as file, pytest.raises(AnswerTooLarge):
        file.read()


# ---- tokens ----


@pytest.mark.parametrize(
    "answer",
    [
        {"expires_in": 10**20},
        {"expires_in": "soon"},
        {"expires_in": {}},
        {"expires_in": "9" * 5000},
        [],
        "text",
        5,
    ],
    ids=lambda answer: str(answer)[:40],
)
def test_an_odd_token_is_an_error_before_anything_was_sent(
    google: Place, double: FakeVertexServer, rerouted: ReroutingAdapter, answer: Any
) -> None:
    token = {"access_token": "t", "token_type": "Bearer"}
    double.otherwise = lambda asked: json_answer(token | answer if isinstance(answer, dict) else answer)
    with pytest.raises(CredentialsFailed):
        Vertex(google).create_tuning_job("us-central1", {})
    assert {asked.path for asked in double.asked} == {"/token"}


@pytest.mark.parametrize("seconds", [-5, 0, 10**9])
def test_a_token_of_any_lifetime_is_used(
    google: Place, double: FakeVertexServer, rerouted: ReroutingAdapter, seconds: int
) -> None:
    token = {"access_token": "t", "token_type": "Bearer", "expires_in": seconds}
    double.otherwise = lambda asked: json_answer(token if asked.path == "/token" else {"name": JOB})
    assert Vertex(google).get_tuning_job(JOB) == {"name": JOB}


@pytest.mark.usefixtures("small_limits")
def test_the_answer_of_the_token_service_has_a_limit_too(
    google: Place, double: FakeVertexServer, rerouted: ReroutingAdapter
) -> None:
    double.otherwise = lambda asked: Answer(200, chunks=stream_forever(b'{"access_token": "'))
    with pytest.raises(CredentialsFailed, match="more than 1 MB"):
        Vertex(google).get_tuning_job(JOB)


def test_limits_are_above_what_services_send() -> None:
    """In the order in which they contain one another."""
    assert streaming.MAX_ERROR < streaming.MAX_EVENT < streaming.MAX_ANSWER < streaming.MAX_STREAM
    assert storage.BLOCK < streaming.MAX_ANSWER
    assert client.MAX_PAGES * 100 >= 100_000 and object_info.MAX_NUMBER == 2**63 - 1
