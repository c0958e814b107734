"""Answers of a base and of adapters: repeatable, switched, held back, cut off, side by side."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

from engine.base_models.registry import LocalBaseModel
from engine.inference.generation import Generation, count_stop_prefix
from engine.inference.options import GenerationChunk, Options
from engine.inference.sampling import apply_penalties, find_top_tokens, sample_token
from engine.inference.server import ModelServer
from engine.queue.job_folder import JobFolder
from engine.training.chat_template import ChatTemplate, Message
from engine.training.lora import MultiAdapterModel
from tests.paths import ROOT

pytestmark = pytest.mark.engine

MESSAGES: list[Message] = [{"role": "system", "content": "Say."}, {"role": "user", "content": "word 3"}]
GREEDY = Options(temperature=0, max_output_tokens=16)


@pytest.fixture(scope="module")
def server() -> ModelServer:
    return ModelServer()


@pytest.fixture
def ask(server: ModelServer, base: LocalBaseModel) -> Callable[..., list[GenerationChunk]]:
    def ask(adapter: Path | None = None, options: Options = GREEDY) -> list[GenerationChunk]:
        return list(server.generate(base, adapter, MESSAGES, options))

    return ask


def join_text(pieces: Sequence[GenerationChunk]) -> str:
    return "".join(piece.text for piece in pieces)


def generate_greedily(base: LocalBaseModel, chat: ChatTemplate, adapter: Path | None, count: int = 16) -> str:
    """Greedy, with no cache and no streaming."""
    model = AutoModelForCausalLM.from_pretrained(base.folder, dtype=torch.float32)
    chosen = PeftModel.from_pretrained(model, adapter) if adapter else model
    prompt = chat.encode_prompt(MESSAGES)
    ids = list(prompt)
    while len(ids) < len(prompt) + count:
        with torch.no_grad():
            token = int(chosen(input_ids=torch.tensor([ids])).logits[0, -1].argmax())
        if token in chat.stops:
            break
        ids.append(token)
    return chat.decode_tokens(ids[len(prompt) :]).rstrip("\ufffd")


def test_switching_adapters_back_restores_the_answer(
    ask: Callable[..., list[GenerationChunk]], base: LocalBaseModel, chat: ChatTemplate, trained: JobFolder
) -> None:
    first, last = trained.checkpoints()[0].folder, trained.checkpoints()[-1].folder
    wanted = {adapter: generate_greedily(base, chat, adapter) for adapter in (None, first, last)}
    assert len(set(wanted.values())) == 3
    for adapter in (None, last, first, None, last, last, None, first):
        assert join_text(ask(adapter)) == wanted[adapter]


def test_only_recently_used_adapters_stay_in_memory(base: LocalBaseModel, trained: JobFolder) -> None:
    adapted = MultiAdapterModel(base, kept=2)
    folders = [checkpoint.folder for checkpoint in trained.checkpoints()]
    for folder in (*folders[:3], folders[1], folders[3]):
        adapted.activate(folder)
    assert list(adapted._names) == [folders[1], folders[3]]
    assert set(adapted.model.peft_config) == set(adapted._names.values())


def test_twenty_adapters_are_each_loaded_once(
    base: LocalBaseModel, trained: JobFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads, load = [], MultiAdapterModel._load
    monkeypatch.setattr(MultiAdapterModel, "_load", lambda *given: (loads.append(given[1]), load(*given)))
    adapters = [
        shutil.copytree(trained.checkpoints()[number % 4].folder, tmp_path / str(number))
        for number in range(20)
    ]
    adapted = MultiAdapterModel(base)
    for _round in range(3):
        for adapter in adapters:
            adapted.activate(adapter)
    assert loads == adapters


def test_first_token_is_sent_at_once(
    ask: Callable[..., list[GenerationChunk]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.inference.server.TURN", 60.0)
    assert [piece.candidates_tokens for piece in ask(options=Options(seed=3, max_output_tokens=9))] == [1, 9]


def test_answer_depends_on_the_seed(ask: Callable[..., list[GenerationChunk]]) -> None:
    answers = [join_text(ask(options=Options(seed=seed, max_output_tokens=16))) for seed in (1, 1, 2, 3)]
    assert answers[0] == answers[1]
    assert len(set(answers)) == 3


def test_without_a_seed_answers_differ(ask: Callable[..., list[GenerationChunk]]) -> None:
    assert len({join_text(ask(options=Options(max_output_tokens=16))) for _ in range(3)}) > 1


def test_last_chunk_has_token_counts_and_finish_reason(
    ask: Callable[..., list[GenerationChunk]], server: ModelServer, base: LocalBaseModel
) -> None:
    *others, last = ask(options=Options(temperature=0, max_output_tokens=5))
    assert (last.finish_reason, last.candidates_tokens) == ("MAX_TOKENS", 5)
    assert last.prompt_tokens == server.count_tokens(base, MESSAGES) == len("Say.word 3") + 5
    assert last.avg_logprobs < 0
    assert all(piece.finish_reason is None for piece in others)


def test_answer_stops_at_the_context_limit(server: ModelServer, base: LocalBaseModel) -> None:
    long: list[Message] = [{"role": "user", "content": "x" * 115}]
    *_, last = server.generate(base, None, long, Options(temperature=0))
    assert last.prompt_tokens + last.candidates_tokens <= 128
    assert last.finish_reason == "MAX_TOKENS"


def test_a_prompt_that_fills_the_context_is_refused_at_once(
    server: ModelServer, base: LocalBaseModel
) -> None:
    with pytest.raises(
        ValueError, match=r"128 tokens; studio-tiny accepts at most 128, including the answer"
    ):
        server.generate(base, None, [{"role": "user", "content": "x" * 125}], GREEDY)


def test_adapter_of_another_base_build_is_refused(
    ask: Callable[..., list[GenerationChunk]], trained: JobFolder, tmp_path: Path
) -> None:
    other = shutil.copytree(trained.checkpoints()[0].folder, tmp_path / "other")
    about = json.loads((other / "checkpoint.json").read_text())
    (other / "checkpoint.json").write_text(json.dumps({**about, "baseSha256": "0"}))
    with pytest.raises(ValueError, match="another build of studio-tiny"):
        ask(other)


def test_a_stop_sequence_ends_the_answer_before_it(
    ask: Callable[..., list[GenerationChunk]], trained: JobFolder
) -> None:
    adapter = trained.checkpoints()[0].folder
    whole = join_text(ask(adapter))
    stop = whole[4:6]
    pieces = ask(adapter, Options(temperature=0, max_output_tokens=16, stop_sequences=("never there", stop)))
    assert join_text(pieces) == whole[: whole.index(stop)]
    assert pieces[-1].finish_reason == "STOP"


def test_closing_an_answer_frees_the_model(server: ModelServer, base: LocalBaseModel) -> None:
    pieces = server.generate(base, None, MESSAGES, Options(seed=1))
    next(pieces)
    pieces.close()  # type: ignore[attr-defined]
    done = threading.Event()

    def generate_other() -> None:
        if list(server.generate(base, None, MESSAGES, GREEDY)):
            done.set()

    threading.Thread(target=generate_other, daemon=True).start()
    assert done.wait(60)


def test_unread_answer_does_not_block_others(
    ask: Callable[..., list[GenerationChunk]], server: ModelServer, base: LocalBaseModel, trained: JobFolder
) -> None:
    adapter = trained.checkpoints()[0].folder
    alone = join_text(list(server.generate(base, adapter, MESSAGES, Options(temperature=0))))
    slow = server.generate(base, adapter, MESSAGES, Options(temperature=0))
    beginning = next(slow)
    between = join_text(ask())
    assert beginning.text + join_text(list(slow)) == alone
    assert between == join_text(ask())


def test_answers_in_many_threads_do_not_mix(
    ask: Callable[..., list[GenerationChunk]], trained: JobFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapters = [None, *(checkpoint.folder for checkpoint in trained.checkpoints())]
    alone = [join_text(ask(adapter)) for adapter in adapters]
    monkeypatch.setattr("engine.inference.server.TURN", 0.0)  # a turn is one token
    answers: dict[int, str] = {}
    threads = [
        threading.Thread(target=lambda n=n, a=a: answers.update({n: join_text(ask(a))}))
        for n, a in enumerate(adapters)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert [answers[n] for n in range(len(adapters))] == alone


class Scripted:
    """A model that says given tokens, whatever it reads."""

    device = "cpu"

    def __init__(self, tokens: list[int], vocabulary: int) -> None:
        self._tokens = iter(tokens)
        self._vocabulary = vocabulary

    def __call__(self, **_: object) -> Scripted:
        self.logits = torch.zeros(1, 1, self._vocabulary)
        self.logits[0, 0, next(self._tokens)] = 9.0
        self.past_key_values = None
        return self


def list_chunks(chat: ChatTemplate, said: str, *stops: str) -> list[GenerationChunk]:
    """What is given out after each token, one byte each, of a model that says this."""
    tokens = chat.encode_text(said + "<|end|>")
    answer = Generation(chat, [1], Options(temperature=0, stop_sequences=stops), room=100)
    model, pieces = Scripted(tokens, 300), []
    while answer.finish_reason is None:
        answer.generate_for(model, 0)
        pieces.append(answer.take_chunk())
    return pieces


def test_character_is_emitted_only_when_complete(chat: ChatTemplate) -> None:
    assert [piece.text for piece in list_chunks(chat, "aé日!")] == ["a", "", "é", "", "", "日", "!", ""]


def test_possible_stop_sequence_prefix_is_withheld(chat: ChatTemplate) -> None:
    given = [piece.text for piece in list_chunks(chat, "one<x<br", "<br>", "#")]
    assert given == ["o", "n", "e", "", "<x", "", "", "", "<br"]
    assert count_stop_prefix("one<b", ["<br>", "e<bigger"]) == 3


def test_stop_sequence_is_never_emitted(chat: ChatTemplate) -> None:
    pieces = list_chunks(chat, "one<br>two", "<br>")
    assert join_text(pieces) == "one"
    assert (pieces[-1].finish_reason, pieces[-1].candidates_tokens) == ("STOP", 7)


LOGITS = torch.tensor([0.5, 0.3, 0.15, 0.05]).log()


def sample_tokens(options: Options) -> set[int]:
    random = torch.Generator().manual_seed(0)
    return {sample_token(LOGITS, options, random, {})[0] for _ in range(300)}


@pytest.mark.parametrize(
    ("options", "tokens"),
    [
        (Options(), {0, 1, 2, 3}),
        (Options(temperature=0), {0}),
        (Options(temperature=1e-42), {0}),
        (Options(top_k=2), {0, 1}),
        (Options(top_p=0.8), {0, 1}),
        (Options(top_p=0.81), {0, 1, 2}),
        (Options(top_p=0.0), {0}),
        (Options(top_k=3, top_p=0.6), {0, 1}),
    ],
)
def test_only_tokens_within_top_k_and_top_p_are_sampled(options: Options, tokens: set[int]) -> None:
    assert sample_tokens(options) == tokens


def test_logprob_is_independent_of_temperature() -> None:
    token, logprob = sample_token(LOGITS, Options(temperature=2.0), torch.Generator().manual_seed(0), {})
    assert logprob == pytest.approx(math.log([0.5, 0.3, 0.15, 0.05][token]))


@pytest.mark.parametrize(
    ("presence", "frequency", "said", "taken"),
    [
        (0.0, 0.0, {0: 9}, [0.0, 0.0, 0.0, 0.0]),
        (0.5, 0.0, {0: 3, 2: 1}, [0.5, 0.0, 0.5, 0.0]),
        (0.0, 0.5, {0: 3, 2: 1}, [1.5, 0.0, 0.5, 0.0]),
        (1.0, -0.5, {1: 4}, [0.0, -1.0, 0.0, 0.0]),
        (2.0, 2.0, {}, [0.0, 0.0, 0.0, 0.0]),
    ],
)
def test_penalty_lowers_tokens_already_generated(
    presence: float, frequency: float, said: dict[int, int], taken: list[float]
) -> None:
    options = Options(presence_penalty=presence, frequency_penalty=frequency)
    assert (LOGITS - apply_penalties(LOGITS, options, said)).tolist() == pytest.approx(taken, abs=1e-6)


def test_penalty_changes_the_choice_but_not_the_logprob() -> None:
    options = Options(temperature=0, presence_penalty=1.0)
    token, logprob = sample_token(LOGITS, options, torch.Generator(), {0: 1})
    assert (token, logprob) == (1, pytest.approx(math.log(0.3)))


def test_top_tokens_are_sorted_by_probability() -> None:
    assert find_top_tokens(LOGITS, 2) == [
        (0, pytest.approx(math.log(0.5))),
        (1, pytest.approx(math.log(0.3))),
    ]
    assert [token for token, _ in find_top_tokens(LOGITS, 20)] == [0, 1, 2, 3]
    assert find_top_tokens(LOGITS, 0) == []


def test_torch_is_not_loaded_before_the_first_request() -> None:
    code = "import sys, engine.inference.server, engine.queue.runner; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
