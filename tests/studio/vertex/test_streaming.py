"""A streamed answer: piece by piece, to its end, or told apart from one that was cut."""

from __future__ import annotations

import json
import time
from contextlib import closing
from typing import Any

import pytest

from studio.vertex.client import Vertex
from studio.vertex.errors import NotFound, StreamBroken, TooManyRequests
from studio.vertex.streaming import events
from tests.studio.vertex.double import Answer, Double, exchanges, json_answer, recorded

ENDPOINT = "projects/123456789012/locations/us-central1/endpoints/888003"
BODY = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}


def piece(text: str, finish: str | None = None) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": [{"text": text}]}}
    return {"candidates": [candidate | ({"finishReason": finish} if finish else {})]}


def sse(*items: dict[str, Any], line_end: str = "\r\n") -> bytes:
    return "".join(f"data: {json.dumps(item, ensure_ascii=False)}{line_end * 2}" for item in items).encode()


def streamed(*chunks: bytes, cut: bool = False) -> Answer:
    return Answer(200, headers={"Content-Type": "text/event-stream"}, chunks=list(chunks), cut=cut)


def texts(vertex: Vertex) -> list[str]:
    return [
        element["candidates"][0]["content"]["parts"][0]["text"]
        for element in vertex.stream_generate_content(ENDPOINT, BODY)
    ]


def test_the_captured_stream(vertex: Vertex, double: Double) -> None:
    [exchange] = exchanges("rest.streamGenerateContent.sse")
    double.will(recorded(exchange))
    assert texts(vertex) == ["Rayleigh ", "scattering."]
    wanted = exchange["request"]
    asked = double.asked[0]
    assert (asked.method, asked.path, asked.query) == (
        wanted["method"],
        wanted["path"],
        [tuple(pair) for pair in wanted["query"]],
    )
    assert asked.body == wanted["body"]


@pytest.mark.parametrize("line_end", ["\r\n", "\n"])
def test_the_wire_may_cut_anywhere_also_inside_a_character(
    vertex: Vertex, double: Double, line_end: str
) -> None:
    whole = sse(piece("空は"), piece("青い 🙂", "STOP"), line_end=line_end)
    double.will(streamed(*(bytes([byte]) for byte in whole)))
    assert texts(vertex) == ["空は", "青い 🙂"]


def test_the_first_piece_is_there_before_the_last_is_sent(vertex: Vertex, double: Double) -> None:
    double.will(Answer(200, sse(piece("a"), piece("b", "STOP")), drip=0.002))
    begin = time.monotonic()
    stream = vertex.stream_generate_content(ENDPOINT, BODY)
    next(stream)
    first = time.monotonic() - begin
    assert len(list(stream)) == 1
    assert first < 0.8 * (time.monotonic() - begin)


def test_a_stream_without_an_end_is_broken(vertex: Vertex, double: Double) -> None:
    double.will(streamed(sse(piece("half"))))
    got = []
    with pytest.raises(StreamBroken):
        for element in vertex.stream_generate_content(ENDPOINT, BODY):
            got.append(element)
    assert got == [piece("half")]
    assert len(double.asked) == 1


@pytest.mark.parametrize("tail", [b"", b'data: {"candidates"', b"data: {]\r\n\r\n", b"data: 5\r\n\r\n"])
def test_a_stream_that_is_cut_or_garbled_is_broken(vertex: Vertex, double: Double, tail: bytes) -> None:
    double.will(streamed(sse(piece("half")), *([tail] if tail else []), cut=True))
    with pytest.raises(StreamBroken):
        texts(vertex)
    assert len(double.asked) == 1


def test_silence_in_the_middle_is_broken(hasty: Vertex, double: Double) -> None:
    first, rest = sse(piece("half")), sse(piece("x", "STOP"))
    double.will(Answer(200, first + rest, drip=0.5))
    with pytest.raises(StreamBroken, match="in time"):
        texts(hasty)


def test_an_error_in_the_middle_is_that_error(vertex: Vertex, double: Double) -> None:
    error = {"error": {"code": 429, "message": "Resource exhausted", "status": "RESOURCE_EXHAUSTED"}}
    double.will(streamed(sse(piece("half"), error)))
    with pytest.raises(TooManyRequests, match="Resource exhausted"):
        texts(vertex)


def test_a_breakdown_in_the_middle_is_broken_and_keeps_its_words(vertex: Vertex, double: Double) -> None:
    double.will(
        streamed(sse(piece("half"), {"error": {"code": 500, "message": "oops", "status": "INTERNAL"}}))
    )
    with pytest.raises(StreamBroken, match="oops") as caught:
        texts(vertex)
    assert caught.value.code == 500


def test_a_refusal_comes_before_the_first_piece(vertex: Vertex, double: Double) -> None:
    double.will(json_answer([{"error": {"code": 404, "message": "no endpoint", "status": "NOT_FOUND"}}], 404))
    with pytest.raises(NotFound, match="no endpoint"):
        next(vertex.stream_generate_content(ENDPOINT, BODY))


def test_a_blocked_prompt_is_an_end(vertex: Vertex, double: Double) -> None:
    blocked = {"promptFeedback": {"blockReason": "SAFETY"}}
    double.will(streamed(sse(blocked)))
    assert list(vertex.stream_generate_content(ENDPOINT, BODY)) == [blocked]


def test_closing_hangs_up(vertex: Vertex, double: Double) -> None:
    double.will(Answer(200, sse(piece("a")) + b" " * 10_000, drip=0.001), json_answer({"totalTokens": 1}))
    with closing(vertex.stream_generate_content(ENDPOINT, BODY)) as stream:
        assert next(stream) == piece("a")
    assert vertex.count_tokens(ENDPOINT, BODY) == {"totalTokens": 1}


def test_comments_other_fields_and_split_data_are_read_as_the_format_says() -> None:
    wire = b": hello\nevent: x\ndata: a\ndata:b\n\nid: 1\n\ndata: c\n\ndata: lost"
    assert list(events(iter([wire[:9], wire[9:]]))) == [b"a\nb", b"c"]
