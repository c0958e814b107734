"""The options of a request, and the chunks of an answer."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """Gemini's generationConfig. Temperature 0 takes the likeliest token each time; top_k 0 takes all.

    `logprobs` asks for every token's probability, and for those of so many of the likeliest in its place.
    """

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    max_output_tokens: int | None = None
    stop_sequences: tuple[str, ...] = ()
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    seed: int | None = None
    logprobs: int | None = None
    candidate_count: int = 1


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """A token, and the logarithm of the probability that the model gave it."""

    text: str
    token_id: int
    value: float


@dataclass(frozen=True, slots=True)
class ChosenToken:
    """A token of an answer, and the likeliest ones in its place."""

    token: TokenLogprob
    likeliest: tuple[TokenLogprob, ...]


@dataclass(frozen=True, slots=True)
class GenerationChunk:
    """More text of an answer, and the counts so far; `finish_reason` (STOP, MAX_TOKENS) is in the last.

    `chosen` are the tokens that came since the piece before, where their probabilities were asked for;
    `index` tells the answers to one request apart.
    """

    text: str
    finish_reason: str | None
    prompt_tokens: int
    candidates_tokens: int
    avg_logprobs: float
    chosen: tuple[ChosenToken, ...] = ()
    index: int = 0
