"""Requests to Vertex AI equal those captured from Google's clients and the reference page's curl."""

from __future__ import annotations

import re
from typing import Any

import pytest

from studio.vertex.client import Vertex
from studio.vertex.errors import BadName, BadRequest, NotFound, OutcomeUnknown
from studio.vertex.time_series import TimeSeries
from tests.studio.vertex.double import (
    Answer,
    FakeVertexServer,
    ReceivedRequest,
    json_answer,
    load_exchanges,
    replay_answer,
)

JOB = "projects/myproject/locations/us-central1/tuningJobs/1002"
EXPERIMENT = (
    "projects/123456789012/locations/us-central1/metadataStores/default/contexts/"
    "tuning-experiment-20261122000000"
)
RUN = (
    "projects/123456789012/locations/us-central1/tensorboards/555/experiments/"
    "tuning-experiment-20261122000000/runs/tuning-run-1"
)


def strip_version(path: str) -> str:
    return re.sub(r"^/v1(beta1)?/", "", path)


def assert_same_request(asked: ReceivedRequest, exchange: dict[str, Any]) -> None:
    """Return method, path after the version, query, and parsed body."""
    wanted = exchange["request"]
    query = [(name, value) for name, value in wanted["query"] if name != "$alt"]
    assert (asked.method, strip_version(asked.path)) == (wanted["method"], strip_version(wanted["path"]))
    assert asked.query == [tuple(pair) for pair in query]
    assert asked.body == wanted["body"]


def test_create_sends_the_body_unchanged(vertex: Vertex, double: FakeVertexServer) -> None:
    [exchange] = load_exchanges("page-curl.tuningJobs.create-snake")
    double.queue_answers(replay_answer(exchange))
    job = vertex.create_tuning_job("us-central1", exchange["request"]["body"])
    assert_same_request(double.asked[0], exchange)
    assert double.asked[0].path.startswith("/v1/")
    assert double.asked[0].headers["Content-Type"].startswith("application/json")
    assert job == exchange["response"]["body"]


def test_get_uses_v1beta1(vertex: Vertex, double: FakeVertexServer) -> None:
    [exchange] = load_exchanges("page-curl.tuningJobs.get")
    double.queue_answers(replay_answer(exchange))
    assert vertex.get_tuning_job(JOB) == exchange["response"]["body"]
    assert_same_request(double.asked[0], exchange)
    assert double.asked[0].path.startswith("/v1beta1/")


def test_cancel_has_no_body(vertex: Vertex, double: FakeVertexServer) -> None:
    [exchange] = load_exchanges("page-curl.tuningJobs.cancel")
    double.queue_answers(replay_answer(exchange))
    assert vertex.cancel_tuning_job(JOB) == {}
    assert_same_request(double.asked[0], exchange)
    assert double.asked[0].headers["Content-Length"] == "0"


def test_list_sends_the_filter(vertex: Vertex, double: FakeVertexServer) -> None:
    [exchange] = load_exchanges("genai-2.34.0.tunings.list-filter")
    double.queue_answers(replay_answer(exchange))
    jobs = list(vertex.list_tuning_jobs("us-central1", filter="labels.a=b", page_size=10))
    assert_same_request(double.asked[0], exchange)
    assert jobs == exchange["response"]["body"]["tuningJobs"]


def test_list_follows_every_page(vertex: Vertex, double: FakeVertexServer) -> None:
    pages = load_exchanges("sdk-2.7.0-more.gapic-v1.list-pages")
    double.queue_answers(*map(replay_answer, pages))
    jobs = list(vertex.list_tuning_jobs("us-central1", page_size=2))
    assert len(double.asked) == len(pages)
    for asked, exchange in zip(double.asked, pages, strict=True):
        assert_same_request(asked, exchange)
    assert jobs == [job for exchange in pages for job in exchange["response"]["body"]["tuningJobs"]]


def test_empty_page_and_repeated_page_token_end_correctly(vertex: Vertex, double: FakeVertexServer) -> None:
    double.queue_answers(
        json_answer({"nextPageToken": "a"}),
        json_answer({"tuningJobs": [{"name": "1"}], "nextPageToken": "b"}),
        json_answer({"tuningJobs": [{"name": "2"}], "nextPageToken": "a"}),
    )
    assert [job["name"] for job in vertex.list_tuning_jobs("us-central1")] == ["1", "2"]
    assert [dict(asked.query).get("pageToken") for asked in double.asked] == [None, "a", "b"]


def test_refused_filter_is_left_out_on_retry(vertex: Vertex, double: FakeVertexServer) -> None:
    double.queue_answers(
        json_answer({"error": {"code": 400, "message": "bad filter", "status": "INVALID_ARGUMENT"}}, 400),
        json_answer({"tuningJobs": [{"name": "1"}]}),
    )
    assert [job["name"] for job in vertex.list_tuning_jobs("us-central1", filter="x")] == ["1"]
    assert [dict(asked.query).get("filter") for asked in double.asked] == ["x", None]


def test_list_refused_without_a_filter_raises(vertex: Vertex, double: FakeVertexServer) -> None:
    double.queue_answers(json_answer({"error": {"code": 400, "message": "no"}}, 400))
    with pytest.raises(BadRequest):
        list(vertex.list_tuning_jobs("us-central1"))
    assert len(double.asked) == 1


def test_expired_page_token_raises(vertex: Vertex, double: FakeVertexServer) -> None:
    double.queue_answers(
        json_answer({"tuningJobs": [{"name": "1"}], "nextPageToken": "a"}),
        json_answer({"error": {"code": 400, "message": "page token expired"}}, 400),
    )
    with pytest.raises(BadRequest):
        list(vertex.list_tuning_jobs("us-central1", filter="x"))
    assert len(double.asked) == 2


def test_missing_job_raises_not_found(vertex: Vertex, double: FakeVertexServer) -> None:
    exchange = load_exchanges("sdk-2.7.0.sft.get-404")[-1]
    double.queue_answers(replay_answer(exchange))
    with pytest.raises(NotFound, match="424242") as caught:
        vertex.get_tuning_job("projects/myproject/locations/us-central1/tuningJobs/424242")
    assert_same_request(double.asked[0], exchange)
    assert caught.value.status == "NOT_FOUND"


@pytest.mark.parametrize(("written", "read"), [(r'"\ud83d"', "\ufffd"), ("-Infinity", "-Infinity")])
def test_almost_valid_json_is_read(vertex: Vertex, double: FakeVertexServer, written: str, read: Any) -> None:
    double.queue_answers(Answer(200, f'{{"name": {written}}}'))
    assert vertex.get(JOB)["name"] == read


def test_too_deeply_nested_json_raises(vertex: Vertex, double: FakeVertexServer) -> None:
    double.queue_answers(*[Answer(200, '{"a":' * 100_000)] * 2)
    with pytest.raises(OutcomeUnknown):
        vertex.get(JOB)


def test_generate_content_sends_the_captured_request(vertex: Vertex, double: FakeVertexServer) -> None:
    [exchange] = load_exchanges("page-curl.endpoints.generateContent")
    double.queue_answers(replay_answer(exchange))
    endpoint = "projects/myproject/locations/us-central1/endpoints/888002"
    answer = vertex.generate_content(endpoint, exchange["request"]["body"])
    assert_same_request(double.asked[0], exchange)
    assert answer == exchange["response"]["body"]


def test_count_tokens_sends_the_captured_request(vertex: Vertex, double: FakeVertexServer) -> None:
    [exchange] = load_exchanges("genai-2.34.0.endpoint.count_tokens")
    double.queue_answers(replay_answer(exchange))
    endpoint = "projects/123456789012/locations/us-central1/endpoints/888008"
    assert vertex.count_tokens(endpoint, exchange["request"]["body"])["totalTokens"] == 5
    assert_same_request(double.asked[0], exchange)


def test_publisher_model_returns_the_resource_name(vertex: Vertex) -> None:
    assert vertex.publisher_model("us-central1", "gemini-2.5-flash") == (
        "projects/myproject/locations/us-central1/publishers/google/models/gemini-2.5-flash"
    )


def test_metrics_are_found_like_in_googles_notebook(vertex: Vertex, double: FakeVertexServer) -> None:
    [context] = load_exchanges("sdk-2.7.0.notebook-metrics.1-experiment")
    [children] = load_exchanges("sdk-2.7.0.notebook-metrics.2-contexts.list")
    listed, read = load_exchanges("sdk-2.7.0.notebook-metrics.5-read")
    double.queue_answers(*map(replay_answer, (context, children, listed)))
    series = vertex.list_time_series(EXPERIMENT)
    assert_same_request(double.asked[0], context)
    assert_same_request(double.asked[2], listed)
    # The SDK writes the project's id where the server writes its number; both name the same project.
    children["request"]["path"] = children["request"]["path"].replace("myproject", "123456789012")
    assert_same_request(double.asked[1], children)
    assert [one["displayName"] for one in series] == [
        "/train_total_loss",
        "/train_fraction_of_correct_next_step_preds",
        "/train_num_predictions",
        "/eval_total_loss",
        "/eval_fraction_of_correct_next_step_preds",
        "/eval_num_predictions",
    ]
    assert series[0]["maxStep"] == 20
    assert series[0]["name"] == f"{RUN}/timeSeries/101"

    double.queue_answers(replay_answer(read))
    curves = vertex.read_time_series(series)
    assert_same_request(double.asked[3], read)
    assert [(step, value) for step, _, value in curves["/train_total_loss"]] == [
        (1, 2.0),
        (2, 1.0),
        (3, 0.6666666666666666),
    ]
    assert curves["/train_total_loss"][0][1] == pytest.approx(1795380892.627758, abs=1e-6)


def test_a_known_run_saves_two_requests(vertex: Vertex, double: FakeVertexServer) -> None:
    listed = load_exchanges("sdk-2.7.0.notebook-metrics.5-read")[0]
    double.queue_answers(replay_answer(listed))
    assert len(vertex.list_time_series(RUN)) == 6
    assert len(double.asked) == 1


@pytest.mark.parametrize(
    "metadata", [{}, {"backing_tensorboard_resource": "projects/1/locations/l/tensorboards/5"}]
)
def test_series_are_empty_before_the_first_run(
    vertex: Vertex, double: FakeVertexServer, metadata: dict[str, str]
) -> None:
    double.queue_answers(json_answer({"name": EXPERIMENT, "metadata": metadata}), json_answer({}))
    assert vertex.list_time_series(EXPERIMENT) == []


def make_series(number: int, max_step: int = 10) -> TimeSeries:
    return TimeSeries(
        name=f"{RUN}/timeSeries/{number}", displayName=f"/{number}", maxStep=max_step, maxWallTime=""
    )


def test_series_are_read_twenty_at_a_time(vertex: Vertex, double: FakeVertexServer) -> None:
    double.queue_answers(
        json_answer({}), json_answer({"timeSeriesData": [{"tensorboardTimeSeriesId": "21"}]})
    )
    assert vertex.read_time_series([make_series(number) for number in range(22)])["/21"] == []
    assert [len(asked.query) for asked in double.asked] == [20, 2]


def test_long_series_is_read_in_full_instead_of_sampled(vertex: Vertex, double: FakeVertexServer) -> None:
    values = [{"step": "1", "scalar": {"value": 1.5}}]
    double.queue_answers(
        json_answer({"timeSeriesData": {"values": values}}),
        json_answer({"timeSeriesData": {"values": []}}),
        json_answer({"timeSeriesData": [{"tensorboardTimeSeriesId": "3", "values": values}]}),
    )
    curves = vertex.read_time_series([make_series(1, 1000), make_series(2, 10_000), make_series(3, 999)])
    assert curves == {"/1": [(1, 0.0, 1.5)], "/2": [], "/3": [(1, 0.0, 1.5)]}
    assert [asked.path.rpartition(":")[2] for asked in double.asked] == ["read", "read", "batchRead"]
    assert [asked.query[0][1] for asked in double.asked[:2]] == ["10000", "-1"]


@pytest.mark.parametrize(
    "name",
    [
        "projects/p/locations/us-central1/../../x",
        "projects/p/locations/us-central1/endpoints/1?key=1",
        "projects/p/locations/us-central1/endpoints/1#",
        "projects/p/locations/evil.example#/endpoints/1",
        "http://169.254.169.254/latest",
        "projects/p/locations/us-central1/endpoints/1\n",
        "",
    ],
)
def test_invalid_resource_name_is_never_requested(
    vertex: Vertex, double: FakeVertexServer, name: str
) -> None:
    with pytest.raises(BadName):
        vertex.get(name)
    assert double.asked == []


@pytest.mark.parametrize("location", ["", "evil.example#", "us-central1.evil", "../x", "US"])
def test_invalid_location_is_never_requested(vertex: Vertex, double: FakeVertexServer, location: str) -> None:
    with pytest.raises(BadName):
        vertex.create_tuning_job(location, {})
    assert double.asked == []
