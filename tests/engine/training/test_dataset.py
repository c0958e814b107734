"""Lines of chat to tokens and the mask of those to learn."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.training.chat_template import ChatTemplate, Message
from engine.training.dataset import (
    TokenSequence,
    UnusableExample,
    encode_example,
    parse_example,
    read_dataset,
)
from tests.engine.tiny_base import TEMPLATE, example, write_base, write_lines

pytestmark = pytest.mark.engine

# Writes an answer otherwise once another turn follows it, as models do that think before their last answer.
THINKS_LAST = TEMPLATE.replace(
    "{{ message['content'] }}",
    "{%- if loop.last and message['role'] == 'assistant' -%}<think>{%- endif -%}{{ message['content'] }}",
).replace("<|assistant|>{%- endif", "<|assistant|><think>{%- endif")
NO_SYSTEM = (
    "{%- if messages[0]['role'] == 'system' -%}{{ raise_exception('No system role') }}{%- endif -%}"
    + TEMPLATE
)
NEWLINE_AFTER_TURN = TEMPLATE.replace("<|end|>", "<|end|>\n")


@pytest.fixture
def chat_with(tmp_path: Path) -> Callable[[str], ChatTemplate]:
    return lambda template: ChatTemplate(write_base(tmp_path / "base", template=template))


def turns(*texts: str, system: str | None = None) -> list[Message]:
    messages = [Message(role=("user", "assistant")[n % 2], content=text) for n, text in enumerate(texts)]
    return [Message(role="system", content=system), *messages] if system else messages


def find_target_texts(chat: ChatTemplate, tokens: TokenSequence) -> list[str]:
    """The stretches of text that are to be learned, special tokens included."""
    decode, found, last = chat._tokenizer.decode, [], False
    for id, target in zip(tokens.ids, tokens.target, strict=True):
        if target and not last:
            found.append("")
        if target:
            found[-1] += decode([id])
        last = target
    return found


def test_only_model_turns_and_their_end_tokens_are_targets(chat: ChatTemplate) -> None:
    (tokens,) = encode_example(turns("hi", "yes", "and?", "no", system="Say."), chat, 100)
    assert chat._tokenizer.decode(tokens.ids) == (
        "<|system|>Say.<|end|><|user|>hi<|end|><|assistant|>yes<|end|><|user|>and?<|end|><|assistant|>no<|end|>"
    )
    assert find_target_texts(chat, tokens) == ["yes<|end|>", "no<|end|>"]


def test_training_prompt_equals_chat_prompt(chat: ChatTemplate) -> None:
    messages = turns("hi", "yes", system="Say.")
    (tokens,) = encode_example(messages, chat, 100)
    assert tokens.ids[: tokens.target.index(True)] == chat.encode_prompt(messages[:-1])


def test_text_after_the_end_of_a_turn_is_not_a_target(chat_with: Callable[[str], ChatTemplate]) -> None:
    chat = chat_with(NEWLINE_AFTER_TURN)
    (tokens,) = encode_example(turns("hi", "yes", "and?", "no"), chat, 100)
    assert find_target_texts(chat, tokens) == ["yes<|end|>", "no<|end|>"]


def test_a_template_that_rewrites_earlier_turns_gives_one_sequence_per_answer(
    chat_with: Callable[[str], ChatTemplate],
) -> None:
    chat = chat_with(THINKS_LAST)
    first, second = encode_example(turns("hi", "yes", "and?", "no"), chat, 100)
    assert (find_target_texts(chat, first), find_target_texts(chat, second)) == (
        ["yes<|end|>"],
        ["no<|end|>"],
    )
    assert chat._tokenizer.decode(second.ids).startswith("<|user|>hi<|end|><|assistant|>yes<|end|>")


def test_template_without_a_system_role_puts_it_in_the_first_user_turn(
    chat_with: Callable[[str], ChatTemplate],
) -> None:
    chat = chat_with(NO_SYSTEM)
    (tokens,) = encode_example(turns("hi", "yes", system="Say."), chat, 100)
    assert chat._tokenizer.decode(tokens.ids) == "<|user|>Say.\n\nhi<|end|><|assistant|>yes<|end|>"
    assert chat.render(turns("hi", system="Say."), prompt=True) == "<|user|>Say.\n\nhi<|end|><|assistant|>"


def test_a_template_that_hides_where_an_answer_begins_is_refused(
    chat_with: Callable[[str], ChatTemplate],
) -> None:
    chat = chat_with("{{ messages | length }}" + TEMPLATE)
    with pytest.raises(UnusableExample, match="chat template"):
        encode_example(turns("hi", "yes"), chat, 100)


def test_example_at_the_token_limit_is_kept_and_one_over_is_dropped(chat: ChatTemplate) -> None:
    size = len(encode_example(turns("hi", "yes"), chat, 100)[0])
    assert encode_example(turns("hi", "yes"), chat, size)
    with pytest.raises(
        UnusableExample, match=f"has {size} tokens; the base model accepts at most {size - 1}"
    ):
        encode_example(turns("hi", "yes"), chat, size - 1)


def test_a_text_of_many_megabytes_is_refused_before_its_tokens_are_counted(chat: ChatTemplate) -> None:
    with pytest.raises(UnusableExample, match="far more than the 100 tokens"):
        encode_example(turns("x" * 50_000_000, "yes"), chat, 100)


@pytest.mark.parametrize(
    "line",
    [
        example("hi", "yes", system="Say."),
        {"system_instruction": {"parts": {"text": "Say."}}, "contents": example("hi", "yes")["contents"]},
        {
            "messages": [
                {"role": r, "content": c} for r, c in (("system", "Say."), ("USER", "hi"), ("model", "yes"))
            ]
        },
    ],
)
def test_every_format_gives_the_same_messages(line: dict[str, Any]) -> None:
    assert parse_example(json.dumps(line).encode()) == turns("hi", "yes", system="Say.")


def test_texts_of_several_parts_are_joined() -> None:
    line = example("", "yes")
    line["contents"][0] = {"role": "USER", "parts": [{"text": "h"}, {"text": "i\u2028"}]}
    assert parse_example(json.dumps(line, ensure_ascii=False).encode()) == turns("hi\u2028", "yes")


BROKEN = [
    (b"{", "not valid JSON"),
    (b'{"contents": [\xff]}', "not valid UTF-8"),
    (b"[" * 100_000, "too deep"),
    (b"[1]", "not a JSON object"),
    (b"{}", "contents is missing or empty"),
    (b'{"contents": []}', "contents is missing or empty"),
    (b'{"contents": ["hi"]}', r"contents\[0\].role is null. Use user or model"),
    (b'{"contents": [{"role": "tool", "parts": [{"text": "a"}]}]}', r'role is "tool"'),
    (b'{"contents": [{"role": "user", "parts": []}]}', r"contents\[0\].parts is missing or empty"),
    (b'{"contents": [{"role": "user", "parts": [{"text": null}]}]}', r"parts\[0\] has no text"),
    (b'{"contents": [{"role": "user", "parts": [{"fileData": {}}]}]}', "learns from text only"),
    (b'{"contents": [{"role": "user", "parts": [{"text": " "}]}]}', r"contents\[0\] has no text"),
    (b'{"contents": [{"role": "user", "parts": [{"text": "\\ud800"}]}]}', "lone surrogate"),
    (b'{"contents": [{"role": "user", "parts": [{"text": "a"}]}]}', "must end with a model message"),
    (b'{"contents": [{"role": "model", "parts": [{"text": "a"}]}]}', "must start with a user message"),
    (b'{"messages": [{"role": "user", "content": 7}]}', r"messages\[0\].content has no text"),
    (b'{"messages": [{"role": "system", "content": "a"}]}', "must start with a user message"),
]


@pytest.mark.parametrize(("line", "reason"), BROKEN)
def test_broken_line_error_names_place_and_problem(line: bytes, reason: str) -> None:
    with pytest.raises(UnusableExample, match=reason):
        parse_example(line)


def test_consecutive_turns_of_one_role_are_refused() -> None:
    twice = {"contents": [*example("a", "b")["contents"], *example("a", "b")["contents"][1:]]}
    with pytest.raises(UnusableExample, match="must take turns"):
        parse_example(json.dumps(twice).encode())


def test_dropped_lines_have_number_and_reason_and_blank_lines_are_ignored(
    chat: ChatTemplate, tmp_path: Path
) -> None:
    path = tmp_path / "data.jsonl"
    good = json.dumps(example("hi", "yes")).encode()
    long = json.dumps(example("x" * 200, "yes")).encode()
    path.write_bytes(b"\xef\xbb\xbf" + b"\n".join([good, b"{", b"", good + b"\r", long, good]))
    dataset = read_dataset(path, chat, 100)
    assert len(dataset.examples) == 3
    assert [line.index for line in dataset.dropped] == [2, 5]
    assert "not valid JSON" in dataset.dropped[0].reason
    assert "at most 100" in dataset.dropped[1].reason


def test_reading_beats_once_per_line(chat: ChatTemplate, tmp_path: Path) -> None:
    beats: list[int] = []
    read_dataset(
        write_lines(tmp_path / "data.jsonl", [example("hi", "yes")] * 3), chat, 100, lambda: beats.append(1)
    )
    assert len(beats) == 3
