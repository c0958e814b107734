from typing import Any

import pytest

from jobs.chat.response_parser import StreamedAnswer
from tests.jobs.chat.conftest import build_response


def test_deltas_add_up_and_the_last_response_carries_the_metadata() -> None:
    answer = StreamedAnswer()
    deltas = [
        answer.add_response(build_response("pending")),
        answer.add_response(build_response("_top_up", "STOP", promptTokenCount=33)),
    ]
    assert deltas == ["pending", "_top_up"]
    assert (answer.text, answer.finish_reason, answer.usage, answer.model_version) == (
        "pending_top_up",
        "STOP",
        {"promptTokenCount": 33},
        "studio-tiny",
    )


@pytest.mark.parametrize(
    "element",
    [
        {},
        {"candidates": []},
        {"candidates": None},
        {"candidates": [{}]},
        {"candidates": [{"content": None}]},
        {"candidates": [{"content": {"parts": []}}]},
        {"candidates": [{"content": {"parts": [{"functionCall": {}}, "odd"]}}]},
        {"candidates": "odd", "promptFeedback": "odd", "usageMetadata": []},
    ],
)
def test_responses_without_text_add_nothing(element: dict[str, Any]) -> None:
    answer = StreamedAnswer()
    assert answer.add_response(element) == "" == answer.text


def test_thoughts_are_not_part_of_the_answer() -> None:
    parts = [{"text": "let me see", "thought": True}, {"text": "42"}]
    assert StreamedAnswer().add_response({"candidates": [{"content": {"parts": parts}}]}) == "42"


def test_a_blocked_prompt_stores_its_reason() -> None:
    answer = StreamedAnswer()
    answer.add_response({"promptFeedback": {"blockReason": "SAFETY", "blockReasonMessage": "no"}})
    assert (answer.block_reason, answer.block_message) == ("SAFETY", "no")


def test_a_split_surrogate_pair_is_joined() -> None:
    answer = StreamedAnswer()
    assert [
        answer.add_response(build_response("ok \ud83d")),
        answer.add_response(build_response("\ude00!")),
    ] == ["ok ", "😀!"]
    assert (answer.text, answer.finish_text()) == ("ok 😀!", "")


def test_a_lone_surrogate_at_the_end_becomes_a_replacement_mark() -> None:
    answer = StreamedAnswer()
    answer.add_response(build_response("ok \ud83d"))
    assert answer.finish_text() == "\ufffd"
    assert answer.text == "ok \ufffd"


def test_unstorable_characters_are_replaced() -> None:
    answer = StreamedAnswer()
    assert answer.add_response(build_response("a\x00b\udc00c")) == "a\ufffdb\ufffdc"
    answer.text.encode()
