from typing import Any

import pytest

from jobs.chat.response_parser import Answer
from tests.jobs.chat.conftest import piece


def test_deltas_add_up_and_the_last_element_brings_the_facts() -> None:
    answer = Answer()
    deltas = [answer.absorb(piece("pending")), answer.absorb(piece("_top_up", "STOP", promptTokenCount=33))]
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
def test_elements_without_text_add_nothing(element: dict[str, Any]) -> None:
    answer = Answer()
    assert answer.absorb(element) == "" == answer.text


def test_thoughts_are_not_part_of_the_answer() -> None:
    parts = [{"text": "let me see", "thought": True}, {"text": "42"}]
    assert Answer().absorb({"candidates": [{"content": {"parts": parts}}]}) == "42"


def test_a_blocked_prompt_is_remembered() -> None:
    answer = Answer()
    answer.absorb({"promptFeedback": {"blockReason": "SAFETY", "blockReasonMessage": "no"}})
    assert (answer.block_reason, answer.block_message) == ("SAFETY", "no")


def test_a_character_whose_halves_come_apart_is_joined() -> None:
    answer = Answer()
    assert [answer.absorb(piece("ok \ud83d")), answer.absorb(piece("\ude00!"))] == ["ok ", "😀!"]
    assert (answer.text, answer.end()) == ("ok 😀!", "")


def test_half_a_character_at_the_end_becomes_a_mark() -> None:
    answer = Answer()
    answer.absorb(piece("ok \ud83d"))
    assert answer.end() == "\ufffd"
    assert answer.text == "ok \ufffd"


def test_what_a_database_refuses_is_replaced() -> None:
    answer = Answer()
    assert answer.absorb(piece("a\x00b\udc00c")) == "a\ufffdb\ufffdc"
    answer.text.encode()
