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

from engine.base_models.registry import Base
from engine.inference.generation import Answer, held_back
from engine.inference.options import Options, Piece
from engine.inference.sampling import choose, likeliest, penalised
from engine.inference.server import Server
from engine.queue.job_folder import JobFolder
from engine.training.chat_template import Chat, Message
from engine.training.lora import Adapted
from tests.paths import ROOT

MESSAGES: list[Message] = [{"role": "system", "content": "Say."}, {"role": "user", "content": "word 3"}]
GREEDY = Options(temperature=0, max_output_tokens=16)


@pytest.fixture(scope="module")
def server() -> Server:
    return Server()


@pytest.fixture
def ask(server: Server, base: Base) -> Callable[..., list[Piece]]:
    def ask(adapter: Path | None = None, options: Options = GREEDY) -> list[Piece]:
        return list(server.generate(base, adapter, MESSAGES, options))

    return ask


def text(pieces: Sequence[Piece]) -> str:
    return "".join(piece.text for piece in pieces)


def expected(base: Base, chat: Chat, adapter: Path | None, count: int = 16) -> str:
    """Greedy, with no cache and no streaming."""
    model = AutoModelForCausalLM.from_pretrained(base.folder, dtype=torch.float32)
    chosen = PeftModel.from_pretrained(model, adapter) if adapter else model
    prompt = chat.prompt(MESSAGES)
    ids = list(prompt)
    while len(ids) < len(prompt) + count:
        with torch.no_grad():
            token = int(chosen(input_ids=torch.tensor([ids])).logits[0, -1].argmax())
        if token in chat.stops:
            break
        ids.append(token)
    return chat.text(ids[len(prompt) :]).rstrip("\ufffd")


def test_adapters_switch_and_switching_back_restores(
    ask: Callable[..., list[Piece]], base: Base, chat: Chat, trained: JobFolder
) -> None:
    first, last = trained.checkpoints()[0].folder, trained.checkpoints()[-1].folder
    wanted = {adapter: expected(base, chat, adapter) for adapter in (None, first, last)}
    assert len(set(wanted.values())) == 3
    for adapter in (None, last, first, None, last, last, None, first):
        assert text(ask(adapter)) == wanted[adapter]


def test_only_the_adapters_used_last_stay_in_memory(base: Base, trained: JobFolder) -> None:
    adapted = Adapted(base, kept=2)
    folders = [checkpoint.folder for checkpoint in trained.checkpoints()]
    for folder in (*folders[:3], folders[1], folders[3]):
        adapted.activate(folder)
    assert list(adapted._names) == [folders[1], folders[3]]
    assert set(adapted.model.peft_config) == set(adapted._names.values())


def test_twenty_adapters_are_each_loaded_once(
    base: Base, trained: JobFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads, load = [], Adapted._load
    monkeypatch.setattr(Adapted, "_load", lambda *given: (loads.append(given[1]), load(*given)))
    adapters = [
        shutil.copytree(trained.checkpoints()[number % 4].folder, tmp_path / str(number))
        for number in range(20)
    ]
    adapted = Adapted(base)
    for _round in range(3):
        for adapter in adapters:
            adapted.activate(adapter)
    assert loads == adapters


def test_the_first_token_goes_out_at_once(
    ask: Callable[..., list[Piece]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.inference.server.TURN", 60.0)
    assert [piece.candidates_tokens for piece in ask(options=Options(seed=3, max_output_tokens=9))] == [1, 9]


def test_one_seed_gives_one_answer_and_others_give_others(ask: Callable[..., list[Piece]]) -> None:
    answers = [text(ask(options=Options(seed=seed, max_output_tokens=16))) for seed in (1, 1, 2, 3)]
    assert answers[0] == answers[1]
    assert len(set(answers)) == 3


def test_without_a_seed_answers_differ(ask: Callable[..., list[Piece]]) -> None:
    assert len({text(ask(options=Options(max_output_tokens=16))) for _ in range(3)}) > 1


def test_the_last_piece_counts_tokens_and_says_why_it_ended(
    ask: Callable[..., list[Piece]], server: Server, base: Base
) -> None:
    *others, last = ask(options=Options(temperature=0, max_output_tokens=5))
    assert (last.finish_reason, last.candidates_tokens) == ("MAX_TOKENS", 5)
    assert last.prompt_tokens == server.count_tokens(base, MESSAGES) == len("Say.word 3") + 5
    assert last.avg_logprobs < 0
    assert all(piece.finish_reason is None for piece in others)


def test_an_answer_goes_no_further_than_the_context(server: Server, base: Base) -> None:
    long: list[Message] = [{"role": "user", "content": "x" * 115}]
    *_, last = server.generate(base, None, long, Options(temperature=0))
    assert last.prompt_tokens + last.candidates_tokens <= 128
    assert last.finish_reason == "MAX_TOKENS"


def test_a_prompt_that_fills_the_context_is_refused_at_once(server: Server, base: Base) -> None:
    with pytest.raises(ValueError, match=r"128 tokens; studio-tiny takes at most 128 with the answer"):
        server.generate(base, None, [{"role": "user", "content": "x" * 125}], GREEDY)


def test_an_adapter_of_another_build_of_the_base_is_refused(
    ask: Callable[..., list[Piece]], trained: JobFolder, tmp_path: Path
) -> None:
    other = shutil.copytree(trained.checkpoints()[0].folder, tmp_path / "other")
    about = json.loads((other / "checkpoint.json").read_text())
    (other / "checkpoint.json").write_text(json.dumps({**about, "baseSha256": "0"}))
    with pytest.raises(ValueError, match="another build of studio-tiny"):
        ask(other)


def test_a_stop_sequence_ends_the_answer_before_it(
    ask: Callable[..., list[Piece]], trained: JobFolder
) -> None:
    adapter = trained.checkpoints()[0].folder
    whole = text(ask(adapter))
    stop = whole[4:6]
    pieces = ask(adapter, Options(temperature=0, max_output_tokens=16, stop_sequences=("never there", stop)))
    assert text(pieces) == whole[: whole.index(stop)]
    assert pieces[-1].finish_reason == "STOP"


def test_a_closed_answer_leaves_the_model_to_others(server: Server, base: Base) -> None:
    pieces = server.generate(base, None, MESSAGES, Options(seed=1))
    next(pieces)
    pieces.close()  # type: ignore[attr-defined]
    done = threading.Event()

    def other() -> None:
        if list(server.generate(base, None, MESSAGES, GREEDY)):
            done.set()

    threading.Thread(target=other, daemon=True).start()
    assert done.wait(10)


def test_an_answer_that_nobody_reads_on_holds_nobody_up(
    ask: Callable[..., list[Piece]], server: Server, base: Base, trained: JobFolder
) -> None:
    adapter = trained.checkpoints()[0].folder
    alone = text(list(server.generate(base, adapter, MESSAGES, Options(temperature=0))))
    slow = server.generate(base, adapter, MESSAGES, Options(temperature=0))
    beginning = next(slow)
    between = text(ask())
    assert beginning.text + text(list(slow)) == alone
    assert between == text(ask())


def test_answers_in_many_threads_do_not_mix(
    ask: Callable[..., list[Piece]], trained: JobFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapters = [None, *(checkpoint.folder for checkpoint in trained.checkpoints())]
    alone = [text(ask(adapter)) for adapter in adapters]
    monkeypatch.setattr("engine.inference.server.TURN", 0.0)  # a turn is one token
    answers: dict[int, str] = {}
    threads = [
        threading.Thread(target=lambda n=n, a=a: answers.update({n: text(ask(a))}))
        for n, a in enumerate(adapters)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
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


def pieces_of(chat: Chat, said: str, *stops: str) -> list[Piece]:
    """What is given out after each token, one byte each, of a model that says this."""
    tokens = chat.tokens(said + "<|end|>")
    answer = Answer(chat, [1], Options(temperature=0, stop_sequences=stops), room=100)
    model, pieces = Scripted(tokens, 300), []
    while answer.finish_reason is None:
        answer.go_on(model, 0)
        pieces.append(answer.take())
    return pieces


def test_a_character_is_given_out_when_it_is_complete(chat: Chat) -> None:
    assert [piece.text for piece in pieces_of(chat, "aé日!")] == ["a", "", "é", "", "", "日", "!", ""]


def test_a_possible_beginning_of_a_stop_sequence_is_held_back(chat: Chat) -> None:
    given = [piece.text for piece in pieces_of(chat, "one<x<br", "<br>", "#")]
    assert given == ["o", "n", "e", "", "<x", "", "", "", "<br"]
    assert held_back("one<b", ["<br>", "e<bigger"]) == 3


def test_a_stop_sequence_is_never_given_out(chat: Chat) -> None:
    pieces = pieces_of(chat, "one<br>two", "<br>")
    assert text(pieces) == "one"
    assert (pieces[-1].finish_reason, pieces[-1].candidates_tokens) == ("STOP", 7)


LOGITS = torch.tensor([0.5, 0.3, 0.15, 0.05]).log()


def drawn(options: Options) -> set[int]:
    random = torch.Generator().manual_seed(0)
    return {choose(LOGITS, options, random, {})[0] for _ in range(300)}


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
def test_only_the_tokens_that_the_options_leave_are_drawn(options: Options, tokens: set[int]) -> None:
    assert drawn(options) == tokens


def test_the_logprob_is_the_models_own_at_any_temperature() -> None:
    token, logprob = choose(LOGITS, Options(temperature=2.0), torch.Generator().manual_seed(0), {})
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
def test_a_penalty_takes_from_what_was_said(
    presence: float, frequency: float, said: dict[int, int], taken: list[float]
) -> None:
    options = Options(presence_penalty=presence, frequency_penalty=frequency)
    assert (LOGITS - penalised(LOGITS, options, said)).tolist() == pytest.approx(taken, abs=1e-6)


def test_a_penalty_changes_the_choice_but_not_the_probability_that_is_told() -> None:
    options = Options(temperature=0, presence_penalty=1.0)
    token, logprob = choose(LOGITS, options, torch.Generator(), {0: 1})
    assert (token, logprob) == (1, pytest.approx(math.log(0.3)))


def test_the_likeliest_come_first() -> None:
    assert likeliest(LOGITS, 2) == [(0, pytest.approx(math.log(0.5))), (1, pytest.approx(math.log(0.3)))]
    assert [token for token, _ in likeliest(LOGITS, 20)] == [0, 1, 2, 3]
    assert likeliest(LOGITS, 0) == []


def test_torch_is_not_loaded_before_the_first_question() -> None:
    code = "import sys, engine.serve, engine.runner, engine.folder; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
