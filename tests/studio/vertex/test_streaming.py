"""Streamed answers: read piece by piece, and complete ones told apart from interrupted ones."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from threading import Event
from typing import Any

import pytest

from studio.vertex.client import Vertex
from studio.vertex.errors import NotFound, StreamBroken, TooManyRequests
from studio.vertex.streaming import events
from tests.studio.vertex.double import Answer, FakeVertexServer, json_answer, load_exchanges, replay_answer

ENDPOINT = "projects/123456789012/locations/us-central1/endpoints/888003"
BODY = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}


def make_chunk(text: str, finish: str | None = None) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": [{"text": text}]}}
    return {"candidates": [candidate | ({"finishReason": finish} if finish else {})]}


def format_sse(*items: dict[str, Any], line_end: str = "\r\n") -> bytes:
    return "".join(f"data: {json.dumps(item, ensure_ascii=False)}{line_end * 2}" for item in items).encode()


def stream_answer(*chunks: bytes, cut: bool = False) -> Answer:
    return Answer(200, headers={"Content-Type": "text/event-stream"}, chunks=list(chunks), cut=cut)


def read_texts(vertex: Vertex) -> list[str]:
    return [
        element["candidates"][0]["content"]["parts"][0]["text"]
        for element in vertex.stream_generate_content(ENDPOINT, BODY)
    ]


def test_captured_stream_is_read(vertex: Vertex, double: FakeVertexServer) -> None:
    [exchange] = load_exchanges("rest.streamGenerateContent.sse")
    double.queue_answers(replay_answer(exchange))
    assert read_texts(vertex) == ["Rayleigh ", "scattering."]
    wanted = exchange["request"]
    asked = double.asked[0]
    assert (asked.method, asked.path, asked.query) == (
        wanted["method"],
        wanted["path"],
        [tuple(pair) for pair in wanted["query"]],
    )
    assert asked.body == wanted["body"]


@pytest.mark.parametrize("line_end", ["\r\n", "\n"])
def test_stream_can_be_split_anywhere_even_inside_a_character(
    vertex: Vertex, double: FakeVertexServer, line_end: str
) -> None:
    whole = format_sse(make_chunk("空は"), make_chunk("青い 🙂", "STOP"), line_end=line_end)
    double.queue_answers(stream_answer(*(bytes([byte]) for byte in whole)))
    assert read_texts(vertex) == ["空は", "青い 🙂"]


def test_first_chunk_arrives_before_the_last_is_sent(vertex: Vertex, double: FakeVertexServer) -> None:
    read = Event()

    def send_chunks() -> Iterator[bytes]:
        yield format_sse(make_chunk("a"))
        assert read.wait(60)
        yield format_sse(make_chunk("b", "STOP"))

    double.queue_answers(Answer(chunks=send_chunks()))
    stream = vertex.stream_generate_content(ENDPOINT, BODY)
    assert next(stream) == make_chunk("a")
    read.set()
    assert list(stream) == [make_chunk("b", "STOP")]


def test_stream_without_an_end_raises(vertex: Vertex, double: FakeVertexServer) -> None:
    double.queue_answers(stream_answer(format_sse(make_chunk("half"))))
    got = []
    with pytest.raises(StreamBroken):
        for element in vertex.stream_generate_content(ENDPOINT, BODY):
            got.append(element)
    assert got == [make_chunk("half")]
    assert len(double.asked) == 1


@pytest.mark.parametrize("tail", [b"", b'data: {"candidates"', b"data: {]\r\n\r\n", b"data: 5\r\n\r\n"])
def test_cut_or_garbled_stream_raises(vertex: Vertex, double: FakeVertexServer, tail: bytes) -> None:
    double.queue_answers(stream_answer(format_sse(make_chunk("half")), *([tail] if tail else []), cut=True))
    with pytest.raises(StreamBroken):
        read_texts(vertex)
    assert len(double.asked) == 1


def test_silence_in_mid_stream_raises(hasty: Vertex, double: FakeVertexServer) -> None:
    first, rest = format_sse(make_chunk("half")), format_sse(make_chunk("x", "STOP"))
    double.queue_answers(Answer(200, first + rest, drip=0.5))
    with pytest.raises(StreamBroken, match="in time"):
        read_texts(hasty)


def test_error_in_mid_stream_is_raised(vertex: Vertex, double: FakeVertexServer) -> None:
    error = {"error": {"code": 429, "message": "Resource exhausted", "status": "RESOURCE_EXHAUSTED"}}
    double.queue_answers(stream_answer(format_sse(make_chunk("half"), error)))
    with pytest.raises(TooManyRequests, match="Resource exhausted"):
        read_texts(vertex)


def test_outage_in_mid_stream_raises_with_its_message(vertex: Vertex, double: FakeVertexServer) -> None:
    double.queue_answers(
        stream_answer(
            format_sse(make_chunk("half"), {"error": {"code": 500, "message": "oops", "status": "INTERNAL"}})
        )
    )
    with pytest.raises(StreamBroken, match="oops") as caught:
        read_texts(vertex)
    assert caught.value.code == 500


def test_refusal_is_raised_before_the_first_chunk(vertex: Vertex, double: FakeVertexServer) -> None:
    double.queue_answers(
        json_answer([{"error": {"code": 404, "message": "no endpoint", "status": "NOT_FOUND"}}], 404)
    )
    with pytest.raises(NotFound, match="no endpoint"):
        next(vertex.stream_generate_content(ENDPOINT, BODY))


def test_blocked_prompt_ends_the_stream(vertex: Vertex, double: FakeVertexServer) -> None:
    blocked = {"promptFeedback": {"blockReason": "SAFETY"}}
    double.queue_answers(stream_answer(format_sse(blocked)))
    assert list(vertex.stream_generate_content(ENDPOINT, BODY)) == [blocked]


def test_closing_the_stream_closes_the_connection(vertex: Vertex, double: FakeVertexServer) -> None:
    double.queue_answers(
        Answer(200, format_sse(make_chunk("a")) + b" " * 10_000, drip=0.001), json_answer({"totalTokens": 1})
    )
    with closing(vertex.stream_generate_content(ENDPOINT, BODY)) as stream:
        assert next(stream) == make_chunk("a")
    assert vertex.count_tokens(ENDPOINT, BODY) == {"totalTokens": 1}


def test_sse_comments_other_fields_and_split_data_are_parsed() -> None:
    wire = b": hello\nevent: x\ndata: a\ndata:b\n\nid: 1\n\ndata: c\n\ndata: lost"
    assert list(events(iter([wire[:9], wire[9:]]))) == [b"a\nb", b"c"]
