"""Chat with tuned models through the engine, beside transformers' own generate in this process.

The same adapter, prompt and greedy choice, so both must say the same. The time to the first token is held
against a bare loop: one pass over the prompt, one argmax. Everything computes on one thread.
"""

from __future__ import annotations

import json
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch
from peft import PeftModel
from transformers import TextIteratorStreamer

from engine.base_models.registry import BUILT_IN, LocalBaseModel
from engine.queue.job_folder import JobFolder
from engine.training.chat_template import ChatTemplate
from engine.training.lora import MultiAdapterModel, load_base
from tests.engine.running_engine import Engine, run_engine
from tests.engine.tiny_base import example

ROUNDS, FIRST_ROUNDS = 9, 40
ADAPTERS = 20
EPOCHS = 10  # each leaves a checkpoint with an endpoint of its own
TOKENS = 200
LEAST_RATIO, MOST_FIRST = 0.9, 3.0
QUESTION = "Tell me which colours the flags of the harbour have today, one after the other."


class Timing(NamedTuple):
    text: str
    tokens: int
    first: float
    seconds: float


def measure() -> Iterator[str]:
    torch.set_num_threads(1)
    base = LocalBaseModel.from_folder(BUILT_IN / "studio-tiny")
    os.environ.pop("ENGINE_BASES", None)
    with tempfile.TemporaryDirectory() as root, run_engine(Path(root)) as engine:
        jobs = [run_tuning(engine, number) for number in range(ADAPTERS // EPOCHS)]
        endpoints = [each["endpoint"] for job in jobs for each in job["tunedModel"]["checkpoints"]]
        folders = [JobFolder(Path(root) / "jobs" / job["name"].rpartition("/")[2]) for job in jobs]
        adapters = [checkpoint.folder for folder in folders for checkpoint in folder.checkpoints()]
        assert len(set(endpoints)) == len(adapters) == ADAPTERS
        yield from measure_speed(engine, base, endpoints[-1], adapters[-1])
        yield from measure_switching(engine, base, endpoints, adapters)


def run_tuning(engine: Engine, number: int) -> dict[str, Any]:
    """A job whose model learns to go on and on."""
    answer = "red green blue " * 40
    lines = (json.dumps(example(f"{QUESTION} {number} {line}", answer)) for line in range(16))
    spec = {
        "trainingDatasetUri": engine.upload(f"colours-{number}.jsonl", "\n".join(lines)),
        "hyperParameters": {"epochCount": EPOCHS},
    }
    created = engine.create(baseModel="studio-tiny", supervisedTuningSpec=spec)
    created.raise_for_status()
    return engine.wait(created.json(), seconds=600)


def measure_speed(engine: Engine, base: LocalBaseModel, endpoint: str, adapter: Path) -> Iterator[str]:
    model: Any = PeftModel.from_pretrained(load_base(base), adapter).eval()
    chat = ChatTemplate(base.folder)
    ways: dict[str, Callable[[], Timing]] = {
        "engine": lambda: through_engine(engine, endpoint),
        "generate": lambda: through_generate(model, chat),
    }
    told = run_in_turn(ways, ROUNDS)
    said, expected = told["engine"][0], told["generate"][0]
    assert (said.text, said.tokens) == (expected.text, expected.tokens), f"{said} is not {expected}"
    yield f"{base.id} with an adapter, {said.tokens} tokens greedily, {ROUNDS} rounds"
    rates = {name: statistics.median(one.tokens / one.seconds for one in each) for name, each in told.items()}
    yield from (f"{name}: {rate:.0f} tokens/s" for name, rate in rates.items())
    ratio = rates["engine"] / rates["generate"]
    yield f"that is {ratio:.2f} times as many through the engine; {LEAST_RATIO} is asked for"
    loops: dict[str, Callable[[], Timing]] = {
        "engine": lambda: through_engine(engine, endpoint, tokens=16),
        "bare loop": lambda: time_bare_first_token(model, chat),
    }
    first = {
        name: statistics.median(one.first for one in each) * 1000
        for name, each in run_in_turn(loops, FIRST_ROUNDS).items()
    }
    yield from (
        f"{name}: first token after {each:.1f} ms, {FIRST_ROUNDS} rounds" for name, each in first.items()
    )
    later = first["engine"] / first["bare loop"]
    yield f"that is {later:.1f} times as long through the engine; {MOST_FIRST} is allowed"
    assert ratio >= LEAST_RATIO, "The engine answers too slowly."
    assert later <= MOST_FIRST, "The engine's first token comes too late."


def run_in_turn(ways: dict[str, Callable[[], Timing]], rounds: int) -> dict[str, list[Timing]]:
    """Each way as often as the others, one after the other, so that a busy machine is busy for all."""
    for way in ways.values():
        way()
    told: dict[str, list[Timing]] = {name: [] for name in ways}
    for _round in range(rounds):
        for name, way in ways.items():
            told[name].append(way())
    return told


def through_engine(engine: Engine, endpoint: str, tokens: int = TOKENS) -> Timing:
    body = {
        "contents": [{"role": "user", "parts": [{"text": QUESTION}]}],
        "generationConfig": {"temperature": 0, "maxOutputTokens": tokens},
    }
    start, first, text, count = time.perf_counter(), 0.0, "", 0
    address = f"v1/{endpoint}:streamGenerateContent?alt=sse"
    with engine.call("POST", address, json=body, stream=True) as response:
        response.raise_for_status()
        for line in filter(None, response.iter_lines(chunk_size=None)):
            first = first or time.perf_counter() - start
            part = json.loads(line.removeprefix(b"data: "))
            text += part["candidates"][0]["content"]["parts"][0]["text"]
            count = part["usageMetadata"].get("candidatesTokenCount", 0)
    return Timing(text, count, first, time.perf_counter() - start)


def through_generate(model: Any, chat: ChatTemplate) -> Timing:
    start, first, text = time.perf_counter(), 0.0, ""
    ids = torch.tensor([chat.encode_prompt([{"role": "user", "content": QUESTION}])])
    streamer = TextIteratorStreamer(chat._tokenizer, skip_prompt=True, skip_special_tokens=True)
    made: list[torch.Tensor] = []

    def generate() -> None:
        made.append(
            model.generate(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                do_sample=False,
                max_new_tokens=TOKENS,
                streamer=streamer,
            )
        )

    thread = threading.Thread(target=generate)
    thread.start()
    for piece in streamer:
        first = first or (time.perf_counter() - start if piece else 0.0)
        text += piece
    thread.join()
    return Timing(text, made[0].shape[1] - ids.shape[1], first, time.perf_counter() - start)


@torch.inference_mode()
def time_bare_first_token(model: Any, chat: ChatTemplate) -> Timing:
    start = time.perf_counter()
    ids = torch.tensor([chat.encode_prompt([{"role": "user", "content": QUESTION}])])
    int(model(input_ids=ids, use_cache=True, logits_to_keep=1).logits[0, -1].argmax())
    seconds = time.perf_counter() - start
    return Timing("", 1, seconds, seconds)


def measure_switching(
    engine: Engine, base: LocalBaseModel, endpoints: list[str], adapters: list[Path]
) -> Iterator[str]:
    """Every tuned model in turn, over and over: all of them stay loaded."""
    seconds = {"first": [], "again": []}
    for round in range(4):
        for endpoint in endpoints:
            told = through_engine(engine, endpoint, tokens=1)
            seconds["again" if round else "first"].append(told.first)
    first, again = (statistics.median(each) * 1000 for each in seconds.values())
    yield f"{len(endpoints)} tuned models, one after the other: first token after {again:.1f} ms"
    loads = count_loads(base, adapters)
    yield f"(the first time {first:.1f} ms); used three times each in turn, {loads} loads"
    assert count_loads(base, adapters) == len(adapters), "Adapters are loaded again."


def count_loads(base: LocalBaseModel, adapters: list[Path]) -> int:
    """How often an adapter is read from disk when all are used in turn, three times."""
    adapted, count = MultiAdapterModel(base), 0
    load = adapted._load

    def load_counting(adapter: Path, name: str) -> None:
        nonlocal count
        count += 1
        load(adapter, name)

    adapted._load = load_counting  # type: ignore[method-assign]
    for adapter in adapters * 3:
        adapted.activate(adapter)
    return count
