"""Answers of bases and adapters in memory. torch is loaded with the first question, not with this module."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from engine.base_models.registry import Base
from engine.inference.options import Options, Piece
from engine.queue.atomic_files import read_json
from engine.training.chat_template import Chat, Message

if TYPE_CHECKING:
    from engine.inference.generation import Answer
    from engine.training.lora import Adapted

TURN = 0.02  # seconds that an answer is written for before another gets its turn


class Server:
    """One per process. Answers take turns of a few tokens; between turns an answer holds nothing."""

    def __init__(self) -> None:
        self._chats: dict[str, Chat] = {}
        self._adapted: dict[str, Adapted] = {}
        self._loading = threading.Lock()
        self._next = threading.Lock()
        self._model = threading.Lock()

    def count_tokens(self, base: Base, messages: Sequence[Message]) -> int:
        return len(self._chat(base).prompt(messages))

    def generate(
        self, base: Base, adapter: Path | None, messages: Sequence[Message], options: Options
    ) -> Iterator[Piece]:
        """The answer piece by piece; closing the iterator ends it.

        Raises: ValueError, at once: for a prompt without room for an answer, for an adapter of another base
        """
        prompt = self._chat(base).prompt(messages)
        if len(prompt) >= base.context_tokens:
            limit = f"{base.id} takes at most {base.context_tokens:,} with the answer"
            raise ValueError(f"The prompt has {len(prompt):,} tokens; {limit}. Shorten it.")
        if adapter and read_json(adapter / "checkpoint.json").get("baseSha256") != base.sha256:
            raise ValueError(f"This model was tuned on another build of {base.id}. Tune it again.")
        return self._stream(base, adapter, prompt, options)

    def _stream(
        self, base: Base, adapter: Path | None, prompt: list[int], options: Options
    ) -> Iterator[Piece]:
        from engine.inference.generation import Answer

        answer = Answer(self._chat(base), prompt, options, room=base.context_tokens - len(prompt))
        turn = 0.0  # the first token goes out at once
        while answer.finish_reason is None:
            self._write(answer, base, adapter, turn)
            piece, turn = answer.take(), TURN
            if piece.text or piece.chosen or piece.finish_reason:
                yield piece

    def _write(self, answer: Answer, base: Base, adapter: Path | None, seconds: float) -> None:
        with self._turn():
            adapted = self._with_adapters(base)
            adapted.activate(adapter)
            answer.go_on(adapted.model, seconds)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Wait for the model behind those who wait already: whoever just had it cannot slip in again."""
        with self._next:
            self._model.acquire()
        try:
            yield
        finally:
            self._model.release()

    def _chat(self, base: Base) -> Chat:
        with self._loading:
            if base.id not in self._chats:
                self._chats[base.id] = Chat(base.folder)
            return self._chats[base.id]

    def _with_adapters(self, base: Base) -> Adapted:
        if base.id not in self._adapted:
            import torch

            from engine.training.lora import Adapted

            torch.set_num_threads(1)  # as fast as more for a small model, and a training goes on meanwhile
            self._adapted[base.id] = Adapted(base)
        return self._adapted[base.id]
