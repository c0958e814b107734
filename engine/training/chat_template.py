"""A conversation as a base reads it: training and chat both render through here and agree to the token."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypedDict

from engine.queue.atomic_files import read_json

BYTE_TOKEN = re.compile(r"<0x[0-9A-F]{2}>")


class Message(TypedDict):
    """`role` is system (only as the first), user or assistant."""

    role: str
    content: str


class ChatTemplate:
    """The tokenizer and the chat template in a base's folder."""

    def __init__(self, folder: Path) -> None:
        from transformers import AutoTokenizer

        self._tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        self.pad: int = self._tokenizer.pad_token_id or 0
        self.stops = self._find_stop_tokens(folder)
        vocabulary = self._tokenizer.get_vocab()
        self.longest_token = max(map(len, vocabulary))
        self.byte_tokens = frozenset(id for token, id in vocabulary.items() if BYTE_TOKEN.fullmatch(token))
        added = self._tokenizer.added_tokens_decoder.items()
        self.unspoken = frozenset(id for id, token in added if token.special)

    def _find_stop_tokens(self, folder: Path) -> frozenset[int]:
        """The tokens that end a turn: the tokenizer's own, and those of generation_config.json."""
        also = read_json(folder / "generation_config.json").get("eos_token_id") or []
        listed = also if isinstance(also, list) else [also]
        return frozenset(token for token in (self._tokenizer.eos_token_id, *listed) if token is not None)

    def render(self, messages: Sequence[Message], *, prompt: bool) -> str:
        """The conversation as text; `prompt` opens the turn that the model is to write."""
        from jinja2 import TemplateError

        try:
            return self._apply_template(messages, prompt)
        except TemplateError:
            if messages[0]["role"] != "system" or len(messages) == 1:
                raise
            return self._apply_template(merge_system_message(messages), prompt)

    def _apply_template(self, messages: Sequence[Message], prompt: bool) -> str:
        text: str = self._tokenizer.apply_chat_template(
            list(messages), tokenize=False, add_generation_prompt=prompt, enable_thinking=False
        )
        return text

    def encode_text(self, text: str) -> list[int]:
        """The text's tokens and no others: a template writes its own opening tokens."""
        ids: list[int] = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    def encode_prompt(self, messages: Sequence[Message]) -> list[int]:
        return self.encode_text(self.render(messages, prompt=True))

    def decode_tokens(self, tokens: Sequence[int]) -> str:
        """What the tokens say; the bytes of a character that is not complete become U+FFFD."""
        text: str = self._tokenizer.decode(
            list(tokens), skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return text


def merge_system_message(messages: Sequence[Message]) -> list[Message]:
    """For templates that know no system role: its text leads the first message of the user."""
    system, first, *rest = messages
    return [Message(role=first["role"], content=f"{system['content']}\n\n{first['content']}"), *rest]
