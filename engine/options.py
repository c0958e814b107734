"""What a request asks of an answer, and what an answer comes in."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """Gemini's generationConfig. Temperature 0 takes the likeliest token each time; top_k 0 takes all."""

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    max_output_tokens: int | None = None
    stop_sequences: tuple[str, ...] = ()
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class Piece:
    """More text of an answer, and the counts so far; `finish_reason` (STOP, MAX_TOKENS) is in the last."""

    text: str
    finish_reason: str | None
    prompt_tokens: int
    candidates_tokens: int
    avg_logprobs: float
