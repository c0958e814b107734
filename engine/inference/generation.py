"""One answer, token by token, and when to stop."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from engine.inference.detokenizer import INCOMPLETE, Detokenizer
from engine.inference.options import ChosenToken, GenerationChunk, Options, TokenLogprob
from engine.inference.sampling import find_top_tokens, sample_token
from engine.training.chat_template import ChatTemplate


class Generation:
    """An answer being written; it can pause between two calls of `generate_for` while another is written."""

    def __init__(self, chat: ChatTemplate, prompt: Sequence[int], options: Options, room: int) -> None:
        """At most `room` tokens fit behind the prompt."""
        self._chat = chat
        self._options = options
        self._limit = min(options.max_output_tokens or room, room)
        self._prompt = list(prompt)
        self._unread = self._prompt
        self._tokens: list[int] = []
        self._cache: Any = None
        self._said: Counter[int] = Counter()
        self._chosen: list[ChosenToken] = []
        self._logprobs = 0.0
        self._decoding = Detokenizer(chat)
        self._text = ""
        self._sent = 0
        self._random = torch.Generator()
        self._random.manual_seed(self._random.seed() if options.seed is None else options.seed)
        self.finish_reason: str | None = None

    def generate_for(self, model: Any, seconds: float) -> None:
        """Write for about that long, at least one token."""
        until = time.monotonic() + seconds
        with torch.inference_mode():
            while self.finish_reason is None:
                self._generate_token(model)
                if time.monotonic() >= until:
                    break

    def _generate_token(self, model: Any) -> None:
        ids = torch.tensor([self._unread], device=model.device)
        output = model(input_ids=ids, past_key_values=self._cache, use_cache=True, logits_to_keep=1)
        self._cache = output.past_key_values
        logits = output.logits[0, -1].float().cpu()
        token, logprob = sample_token(logits, self._options, self._random, self._said)
        if token in self._chat.stops:
            self._finish("STOP", self._text.rstrip(INCOMPLETE))
            return
        self._unread = [token]
        self._tokens.append(token)
        self._said[token] += 1
        self._logprobs += logprob
        if self._options.logprobs is not None:
            self._chosen.append(self._describe_token(token, logprob, logits))
        self._decoding.add(token)
        self._text = self._decoding.text
        found = [at for stop in self._options.stop_sequences if (at := self._text.find(stop)) >= 0]
        if found:
            self._finish("STOP", self._text[: min(found)])
        elif len(self._tokens) >= self._limit:
            self._finish("MAX_TOKENS", self._text.rstrip(INCOMPLETE))

    def _describe_token(self, token: int, logprob: float, logits: Tensor) -> ChosenToken:
        others = find_top_tokens(logits, self._options.logprobs or 0)
        first, *rest = (
            TokenLogprob(self._chat.decode_tokens([id]), id, value)
            for id, value in [(token, logprob), *others]
        )
        return ChosenToken(first, tuple(rest))

    def _finish(self, reason: str, text: str) -> None:
        self.finish_reason = reason
        self._text = text
        self._cache = None

    def take_chunk(self) -> GenerationChunk:
        """The text that is new since the last call and can no longer change."""
        sure = self._text
        if self.finish_reason is None:
            sure = self._decoding.sure
            sure = sure[: len(sure) - count_stop_prefix(sure, self._options.stop_sequences)]
        new, self._sent = sure[self._sent :], max(self._sent, len(sure))
        count = len(self._tokens)
        chosen, self._chosen = tuple(self._chosen), []
        average = self._logprobs / max(1, count)
        return GenerationChunk(new, self.finish_reason, len(self._prompt), count, average, chosen)


def count_stop_prefix(text: str, stops: Sequence[str]) -> int:
    """How many characters at the end might be the beginning of a stop sequence."""
    beginnings = (stop[:size] for stop in stops for size in range(1, min(len(stop), len(text) + 1)))
    return max((len(beginning) for beginning in beginnings if text.endswith(beginning)), default=0)
