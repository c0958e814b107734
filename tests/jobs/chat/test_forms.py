import pytest

from jobs.chat.forms import AskForm, SettingsForm
from jobs.chat.models import Conversation

GOOD = {
    "prompt": "hi",
    "system_instruction": "Be brief.",
    "temperature": "0",
    "max_output_tokens": "64",
    "top_p": "0.95",
    "top_k": "40",
    "stop_sequences": "END\r\n\r\n  two words \n",
    "seed": "7",
}


def test_filled_in_fields_become_generation_config() -> None:
    form = AskForm(GOOD)
    assert form.is_valid(), form.errors
    assert form.generation_config() == {
        "temperature": 0.0,
        "maxOutputTokens": 64,
        "topP": 0.95,
        "topK": 40,
        "stopSequences": ["END", "  two words "],
        "seed": 7,
    }


def test_blank_fields_are_not_sent() -> None:
    form = SettingsForm({})
    assert form.is_valid()
    assert form.generation_config() == {}


def test_saved_settings_round_trip(conversation: Conversation) -> None:
    form = AskForm(GOOD)
    assert form.is_valid()
    form.save(conversation)
    conversation.refresh_from_db()
    shown = AskForm.from_conversation(conversation)
    assert shown["temperature"].value() == 0.0
    assert shown["stop_sequences"].value() == "END\n  two words "
    assert conversation.system_instruction == "Be brief."


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("temperature", "2.1", "Enter a temperature from 0 to 2."),
        ("temperature", "hot", "Enter a temperature from 0 to 2."),
        ("temperature", "nan", "Enter a temperature from 0 to 2."),
        ("temperature", "1e999", "Enter a temperature from 0 to 2."),
        ("max_output_tokens", "0", "Enter a whole number from 1 to 65535 for the output token limit."),
        ("max_output_tokens", "1.5", "Enter a whole number from 1 to 65535 for the output token limit."),
        ("top_p", "-0.1", "Enter a Top-P value from 0 to 1."),
        ("top_k", "65", "Enter a whole number from 1 to 64 for Top-K."),
        ("seed", str(2**31), "Enter a whole number from 0 to 2147483647 for the seed."),
        ("stop_sequences", "a\nb\nc\nd\ne\nf", "Enter at most 5 stop sequences. Remove some lines."),
        (
            "stop_sequences",
            "x" * 101,
            "Stop sequences can have up to 100 characters each. Shorten the long line.",
        ),
        ("system_instruction", "x" * 200_000, "The text is 200 kB; the limit is 100 kB. Shorten it."),
        ("prompt", "", "Enter a message."),
    ],
)
def test_an_invalid_value_gets_one_error_message(field: str, value: str, sentence: str) -> None:
    form = AskForm({**GOOD, field: value})
    assert not form.is_valid()
    assert form.errors == {field: [sentence]}


@pytest.mark.parametrize("value", ["\x00", "a\x00b"])
def test_a_nul_character_gets_an_error_message(value: str) -> None:
    assert "prompt" in AskForm({**GOOD, "prompt": value}).errors
