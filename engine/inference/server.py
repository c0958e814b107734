"""Answers of bases and adapters in memory. The first request imports torch, not this module."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from engine.base_models.registry import LocalBaseModel
from engine.inference.options import GenerationChunk, Options
from engine.queue.atomic_files import read_json
from engine.training.chat_template import ChatTemplate, Message

if TYPE_CHECKING:
    from engine.inference.generation import Generation
    from engine.training.lora import MultiAdapterModel

TURN = 0.02  # seconds that an answer is written for before another gets its turn


class ModelServer:
    """One per process. Answers take turns of a few tokens; between turns an answer holds nothing."""

    def __init__(self) -> None:
        self._chats: dict[str, ChatTemplate] = {}
        self._adapted: dict[str, MultiAdapterModel] = {}
        self._loading = threading.Lock()
        self._next = threading.Lock()
        self._model = threading.Lock()

    def count_tokens(self, base: LocalBaseModel, messages: Sequence[Message]) -> int:
        """Raises: ValueError: for a prompt that would take seconds to count"""
        return len(self._encode_prompt(base, messages))

    def _encode_prompt(self, base: LocalBaseModel, messages: Sequence[Message]) -> list[int]:
        """The characters come first: counting the tokens of a megabyte takes half a minute."""
        chat = self._load_chat(base)
        size = sum(len(message["content"]) for message in messages)
        if size > base.context_tokens * chat.longest_token or len(messages) > base.context_tokens:
            raise ValueError(
                f"The prompt has {size:,} characters in {len(messages):,} messages, far more than the "
                f"{base.context_tokens:,} tokens that {base.id} accepts. Shorten the prompt."
            )
        return chat.encode_prompt(messages)

    def generate(
        self, base: LocalBaseModel, adapter: Path | None, messages: Sequence[Message], options: Options
    ) -> Iterator[GenerationChunk]:
        """The answer piece by piece; closing the iterator ends it.

        Raises: ValueError, at once: for a prompt without room for an answer, for an adapter of another base
        """
        prompt = self._encode_prompt(base, messages)
        if len(prompt) >= base.context_tokens:
            limit = f"{base.id} accepts at most {base.context_tokens:,}, including the answer"
            raise ValueError(f"The prompt has {len(prompt):,} tokens; {limit}. Shorten the prompt.")
        if adapter and read_json(adapter / "checkpoint.json").get("baseSha256") != base.sha256:
            raise ValueError(f"This model was tuned on another build of {base.id}. Tune it again.")
        return self._stream_chunks(base, adapter, prompt, options)

    def _stream_chunks(
        self, base: LocalBaseModel, adapter: Path | None, prompt: list[int], options: Options
    ) -> Iterator[GenerationChunk]:
        from engine.inference.generation import Generation

        answer = Generation(self._load_chat(base), prompt, options, room=base.context_tokens - len(prompt))
        turn = 0.0  # the first token goes out at once
        while answer.finish_reason is None:
            self._generate_turn(answer, base, adapter, turn)
            piece, turn = answer.take_chunk(), TURN
            if piece.text or piece.chosen or piece.finish_reason:
                yield piece

    def _generate_turn(
        self, answer: Generation, base: LocalBaseModel, adapter: Path | None, seconds: float
    ) -> None:
        with self._hold_model():
            adapted = self._load_model(base)
            adapted.activate(adapter)
            answer.generate_for(adapted.model, seconds)

    @contextmanager
    def _hold_model(self) -> Iterator[None]:
        """Wait for the model in order of arrival: the last user cannot take it again out of turn."""
        with self._next:
            self._model.acquire()
        try:
            yield
        finally:
            self._model.release()

    def _load_chat(self, base: LocalBaseModel) -> ChatTemplate:
        with self._loading:
            if base.id not in self._chats:
                self._chats[base.id] = ChatTemplate(base.folder)
            return self._chats[base.id]

    def _load_model(self, base: LocalBaseModel) -> MultiAdapterModel:
        if base.id not in self._adapted:
            import torch

            from engine.training.lora import MultiAdapterModel

            torch.set_num_threads(1)  # as fast as more for a small model, and a training goes on meanwhile
            self._adapted[base.id] = MultiAdapterModel(base)
        return self._adapted[base.id]
