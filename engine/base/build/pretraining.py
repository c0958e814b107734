"""Make the tiny base: `python -m engine.base.build --out FOLDER --steps 3000 --copying 1200 --seed 0`.

Corpus to tokenizer, both to weights in two stages (a bit of everything, then mostly copying), weights to a
folder, from top to bottom. The same seed and steps give the same weights but for rounding, by processor and
number of threads. `--first FOLDER` begins with the second stage, on what the first one made.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

from engine.base.build.corpus import Conversation, write_copying_example, write_example
from engine.base.build.muon import Muon
from engine.base.build.tokenizer import ASSISTANT, END, SYSTEM, USER, train_tokenizer

VOCABULARY = 2560
TOKENIZER_EXAMPLES = 60_000
CONTEXT = 1024
BATCH = 64
POOL = 16  # batches drawn at once and sorted by length, to spare padding
WARMUP = 50  # steps
PROMPT_WEIGHT = 0.2  # of a prompt's token beside an answer's, in the loss
MUON_RATE, ADAM_RATE = 0.02, 3e-3
SECOND_RATE = 0.5  # of these, in the second stage
EVERY = 50  # steps between reports
HELD_OUT = 960  # examples
HAS_BFLOAT16 = any(torch.cpu.get_capabilities().get(name) for name in ("avx512_bf16", "amx_bf16"))
"""Elsewhere bfloat16 is emulated, ten times slower than float32."""
DESCRIPTION = (
    "A tiny language model of this project's own making, for trying tuning out on any computer. "
    "It knows a thousand words and hardly a fact: tuned, it labels short messages and fills forms from them."
)
RECOMMENDED = {
    "learningRate": 0.005,
    "loraAlpha": 16,
    "batchSize": 8,
    "adapterSize": 8,
    "steps": 400,
    "maxEpochs": 30,
    "warmup": 0.05,
}


@dataclass(frozen=True, slots=True)
class Batch:
    """All (examples, tokens): token ids, 1 where not padding, and each token's weight in the loss."""

    ids: Tensor
    real: Tensor
    weight: Tensor


def main() -> None:
    arguments = _parse_arguments()
    torch.manual_seed(arguments.seed)
    torch.set_num_threads(arguments.threads)
    first = arguments.first
    if not first:
        first = arguments.out
        tokenizer = train_tokenizer(VOCABULARY, TOKENIZER_EXAMPLES, CONTEXT, arguments.seed)
        model = new_model(tokenizer)
        batches = endless_batches(tokenizer, Random(f"training {arguments.seed}"), write_example)
        pretrain(model, batches, LearningRateSchedule(arguments.steps))
        save(model, tokenizer, first)
    tokenizer = AutoTokenizer.from_pretrained(first)
    model = LlamaForCausalLM.from_pretrained(first, dtype=torch.float32, attn_implementation="eager")
    batches = endless_batches(tokenizer, Random(f"copying {arguments.seed}"), write_copying_example)
    pretrain(model, batches, LearningRateSchedule(arguments.copying, SECOND_RATE, falls_from=0.0))
    for name, write in (("validation", write_example), ("copying", write_copying_example)):
        held_out = next(
            iter_batch_pools(tokenizer, Random(f"{name} {arguments.seed} held out"), HELD_OUT, write)
        )
        loss, accuracy = evaluate(model, held_out)
        print(f"{name} loss {loss:.4f}, accuracy {accuracy:.4f}", flush=True)
    save(model, tokenizer, arguments.out)


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Make the tiny base.")
    parser.add_argument("--out", type=Path, required=True, help="folder for the model")
    parser.add_argument("--steps", type=int, default=3000, help="batches of 64 examples in the first stage")
    parser.add_argument("--copying", type=int, default=1200, help="and in the second")
    parser.add_argument("--first", type=Path, help="folder with what the first stage made, to begin from")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


def new_model(tokenizer: Any) -> Any:
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=192,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=4,
        intermediate_size=512,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
        rope_parameters={"rope_type": "default", "rope_theta": 10_000.0},
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    # On short sequences the fused attention's way back takes a third of a step.
    return LlamaForCausalLM._from_config(config, attn_implementation="eager")


Writer = Callable[[Random], Conversation]


def endless_batches(tokenizer: Any, random: Random, write: Writer) -> Iterator[Batch]:
    for batches in iter_batch_pools(tokenizer, random, BATCH * POOL, write):
        random.shuffle(batches)
        yield from batches


def iter_batch_pools(tokenizer: Any, random: Random, examples: int, write: Writer) -> Iterator[list[Batch]]:
    """Lists of batches in which examples of like length are together."""
    while True:
        drawn = sorted(
            encode(tokenizer, [write(random) for _ in range(examples)]), key=lambda pair: len(pair[0])
        )
        yield [collate(drawn[start : start + BATCH]) for start in range(0, examples, BATCH)]


def encode(tokenizer: Any, conversations: list[Conversation]) -> list[tuple[list[int], list[float]]]:
    """Each conversation's tokens as the chat template writes them, and the weight of each token."""
    segments = [segment for conversation in conversations for segment in _segments(conversation)]
    ids = iter(tokenizer([text for text, _ in segments], add_special_tokens=False)["input_ids"])
    encoded = []
    for conversation in conversations:
        parts = [(next(ids), weight) for _, weight in _segments(conversation)]
        tokens = [token for part, _ in parts for token in part]
        encoded.append((tokens, [weight for part, weight in parts for _ in part]))
    return encoded


def _segments(conversation: Conversation) -> list[tuple[str, float]]:
    opening = [(SYSTEM + conversation.system + END, PROMPT_WEIGHT)] if conversation.system else []
    turns = [
        segment
        for question, answer in conversation.turns
        for segment in ((USER + question + END + ASSISTANT, PROMPT_WEIGHT), (answer + END, 1.0))
    ]
    return opening + turns


def collate(examples: list[tuple[list[int], list[float]]]) -> Batch:
    width = max(len(ids) for ids, _ in examples)
    padded = [
        (ids + [0] * (width - len(ids)), weights + [0.0] * (width - len(ids))) for ids, weights in examples
    ]
    weight = torch.tensor([weights for _, weights in padded])
    return Batch(torch.tensor([ids for ids, _ in padded]), (weight > 0).long(), weight)


@dataclass(frozen=True, slots=True)
class LearningRateSchedule:
    """The factor on the learning rates: a short warm-up, then full, then down to nothing."""

    steps: int
    rate: float = 1.0
    falls_from: float = 0.5  # of the way

    def __call__(self, step: int) -> float:
        left = (1 - step / self.steps) / (1 - self.falls_from)
        return self.rate * min(1.0, (step + 1) / WARMUP) * min(1.0, left)


def pretrain(model: Any, batches: Iterator[Batch], pace: LearningRateSchedule) -> None:
    """Muon for the matrices, AdamW for the rest."""
    matrices = [
        weight for name, weight in model.named_parameters() if weight.ndim == 2 and "embed" not in name
    ]
    rest = [weight for name, weight in model.named_parameters() if weight.ndim != 2 or "embed" in name]
    optimizers = [
        (Muon(matrices, MUON_RATE), MUON_RATE),
        (torch.optim.AdamW(rest, ADAM_RATE, betas=(0.9, 0.95), weight_decay=0.0), ADAM_RATE),
    ]
    started, tokens = time.monotonic(), 0
    for step, batch in zip(range(pace.steps), batches, strict=False):
        loss = compute_loss(model, batch)[0]
        loss.backward()
        for optimizer, rate in optimizers:
            optimizer.param_groups[0]["lr"] = rate * pace(step)
            optimizer.step()
            optimizer.zero_grad()
        tokens += int(batch.real.sum())
        if step % EVERY == 0:
            elapsed = time.monotonic() - started
            print(f"step {step}, {elapsed:.0f} s, {tokens / 1e6:.2f} M tokens, loss {loss:.3f}", flush=True)


def compute_loss(model: Any, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
    """The weighted loss; and for each token of an answer its loss, and whether it was guessed right."""
    # Padding stands behind the text, where what is read before never sees it.
    with torch.autocast("cpu", torch.bfloat16, enabled=HAS_BFLOAT16):
        logits = model(input_ids=batch.ids, use_cache=False).logits[:, :-1].float()
    wanted, weight = batch.ids[:, 1:], batch.weight[:, 1:]
    losses = cross_entropy(logits.flatten(0, 1), wanted.flatten(), reduction="none").view_as(weight)
    answers = weight == 1
    right = logits.argmax(-1)[answers] == wanted[answers]
    return (losses * weight).sum() / weight.sum(), losses[answers], right


@torch.no_grad()
def evaluate(model: Any, batches: list[Batch]) -> tuple[float, float]:
    """Loss and accuracy over all tokens of the answers."""
    guesses = [compute_loss(model, batch) for batch in batches]
    losses, right = torch.cat([each[1] for each in guesses]), torch.cat([each[2] for each in guesses])
    return float(losses.mean()), float(right.float().mean())


def save(model: Any, tokenizer: Any, folder: Path) -> None:
    """The model in bfloat16, its tokenizer, and base.json, which the engine reads."""
    model.to(torch.bfloat16).save_pretrained(folder)
    for found_where in ("is_local", "local_files_only"):
        tokenizer.init_kwargs.pop(found_where, None)
    tokenizer.save_pretrained(folder)
    about = {
        "id": "studio-tiny",
        "description": DESCRIPTION,
        "parameters": model.num_parameters(),
        "contextTokens": CONTEXT,
        "sha256": hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest(),
        "recommended": RECOMMENDED,
    }
    (folder / "base.json").write_text(json.dumps(about, indent=2) + "\n")
