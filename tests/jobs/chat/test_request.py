from dataclasses import dataclass, field
from typing import Any

from jobs.chat.request import build_generate_request


@dataclass
class FakeTurn:
    prompt: str
    reply: str = ""
    finish_reason: str = ""


@dataclass
class FakeSettings:
    system_instruction: str = ""
    generation_config: dict[str, Any] = field(default_factory=dict)


def list_texts(body: dict[str, Any]) -> list[tuple[str, str]]:
    return [(content["role"], content["parts"][0]["text"]) for content in body["contents"]]


def test_a_first_question_without_settings_is_sent_alone() -> None:
    assert build_generate_request([FakeTurn("hi")], FakeSettings()) == {
        "contents": [{"role": "user", "parts": [{"text": "hi"}]}]
    }


def test_the_whole_history_is_sent_and_the_last_question_stays_open() -> None:
    turns = [
        FakeTurn("one?", "1", "STOP"),
        FakeTurn("two?", "2", "MAX_TOKENS"),
        FakeTurn("three?", "an old reply"),
    ]
    assert list_texts(build_generate_request(turns, FakeSettings())) == [
        ("user", "one?"),
        ("model", "1"),
        ("user", "two?"),
        ("model", "2"),
        ("user", "three?"),
    ]


def test_a_stopped_answer_stays_in_the_history() -> None:
    turns = [FakeTurn("tell me", "Once upon", ""), FakeTurn("go on")]
    assert list_texts(build_generate_request(turns, FakeSettings()))[1] == ("model", "Once upon")


def test_unanswered_questions_are_omitted_so_that_roles_alternate() -> None:
    turns = [FakeTurn("failed"), FakeTurn("blank", " \n"), FakeTurn("good", "yes", "STOP"), FakeTurn("next")]
    assert [role for role, _ in list_texts(build_generate_request(turns, FakeSettings()))] == [
        "user",
        "model",
        "user",
    ]


def test_a_blocked_exchange_is_not_sent_again() -> None:
    turns = [FakeTurn("bad", "part of it", "SAFETY"), FakeTurn("next")]
    assert list_texts(build_generate_request(turns, FakeSettings())) == [("user", "next")]


def test_settings_are_sent_as_generation_config() -> None:
    config = {"temperature": 0, "topK": 40, "stopSequences": ["\n\n"]}
    body = build_generate_request([FakeTurn("hi")], FakeSettings("Be brief.", config))
    assert body["systemInstruction"] == {"role": "system", "parts": [{"text": "Be brief."}]}
    assert body["generationConfig"] == config


def test_a_blank_instruction_is_not_sent() -> None:
    assert "systemInstruction" not in build_generate_request([FakeTurn("hi")], FakeSettings(" \n"))
