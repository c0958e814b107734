"""The next token of an answer: how likely each is, and which one it will be."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from engine.inference.options import Options


def sample_token(
    logits: Tensor, options: Options, random: torch.Generator, said: Mapping[int, int]
) -> tuple[int, float]:
    """The next token, and the logarithm of the probability that the model gave it.

    `said` counts the tokens of the answer so far.
    """
    logprobs = logits.log_softmax(-1)
    wanted = apply_penalties(logprobs, options, said)
    if options.temperature == 0:
        token = int(wanted.argmax())
    else:
        scores, order = ((wanted - wanted.max()) / options.temperature).sort(descending=True)
        probabilities = scores[: options.top_k or None].softmax(-1)
        before = probabilities.cumsum(-1) - probabilities
        probabilities[1:][before[1:] >= options.top_p] = 0
        token = int(order[torch.multinomial(probabilities, 1, generator=random)])
    return token, float(logprobs[token])


def apply_penalties(logprobs: Tensor, options: Options, said: Mapping[int, int]) -> Tensor:
    """Lower the scores of tokens that occurred: once for occurring, and again for each time they did."""
    if not said or not (options.presence_penalty or options.frequency_penalty):
        return logprobs
    tokens = torch.tensor(list(said))
    counts = torch.tensor(list(said.values()), dtype=logprobs.dtype)
    wanted = logprobs.clone()
    wanted[tokens] -= options.presence_penalty + options.frequency_penalty * counts
    return wanted


def find_top_tokens(logits: Tensor, count: int) -> list[tuple[int, float]]:
    """Tokens with the logarithms of their probabilities, the likeliest first."""
    values, tokens = logits.log_softmax(-1).topk(min(count, len(logits)))
    return list(zip(tokens.tolist(), values.tolist(), strict=True))
