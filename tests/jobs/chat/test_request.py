from dataclasses import dataclass, field
from typing import Any

from jobs.chat.request import generate_request


@dataclass
class Asked:
    prompt: str
    reply: str = ""
    finish_reason: str = ""


@dataclass
class Chosen:
    system_instruction: str = ""
    generation_config: dict[str, Any] = field(default_factory=dict)


def texts(body: dict[str, Any]) -> list[tuple[str, str]]:
    return [(content["role"], content["parts"][0]["text"]) for content in body["contents"]]


def test_a_first_question_without_settings_is_all_there_is() -> None:
    assert generate_request([Asked("hi")], Chosen()) == {
        "contents": [{"role": "user", "parts": [{"text": "hi"}]}]
    }


def test_the_whole_history_is_sent_and_the_last_question_stays_open() -> None:
    turns = [Asked("one?", "1", "STOP"), Asked("two?", "2", "MAX_TOKENS"), Asked("three?", "an old reply")]
    assert texts(generate_request(turns, Chosen())) == [
        ("user", "one?"),
        ("model", "1"),
        ("user", "two?"),
        ("model", "2"),
        ("user", "three?"),
    ]


def test_an_answer_that_was_stopped_is_part_of_the_talk_as_far_as_it_came() -> None:
    turns = [Asked("tell me", "Once upon", ""), Asked("go on")]
    assert texts(generate_request(turns, Chosen()))[1] == ("model", "Once upon")


def test_questions_without_an_answer_are_left_out_so_that_roles_alternate() -> None:
    turns = [Asked("failed"), Asked("blank", " \n"), Asked("good", "yes", "STOP"), Asked("next")]
    assert [role for role, _ in texts(generate_request(turns, Chosen()))] == ["user", "model", "user"]


def test_what_a_filter_refused_is_not_said_again() -> None:
    turns = [Asked("bad", "part of it", "SAFETY"), Asked("next")]
    assert texts(generate_request(turns, Chosen())) == [("user", "next")]


def test_settings_go_with_it_in_the_wires_own_words() -> None:
    config = {"temperature": 0, "topK": 40, "stopSequences": ["\n\n"]}
    body = generate_request([Asked("hi")], Chosen("Be brief.", config))
    assert body["systemInstruction"] == {"role": "system", "parts": [{"text": "Be brief."}]}
    assert body["generationConfig"] == config


def test_a_blank_instruction_is_not_sent() -> None:
    assert "systemInstruction" not in generate_request([Asked("hi")], Chosen(" \n"))
