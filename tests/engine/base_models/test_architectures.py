"""Other families of models, from plain folders: tuned by the trainer, answered by the server."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from engine.base_models.registry import Base, all_bases
from engine.inference.options import Options
from engine.inference.server import Server
from engine.queue.atomic_files import write_json
from engine.queue.job_folder import JobFolder
from engine.training import dataset
from engine.training.chat_template import Chat
from engine.training.dataset import read
from engine.training.trainer import run
from tests.engine.base_models import architectures
from tests.engine.inference.test_server import MESSAGES, expected, text
from tests.engine.job_folders import new_job, series
from tests.engine.training.test_trainer import recount

FAMILIES: dict[str, Callable[[Path], Path]] = {
    "qwen2": architectures.write_qwen2,
    "gemma": architectures.write_gemma,
    "gpt-neox": architectures.write_gpt_neox,
}


@pytest.fixture(scope="module", params=FAMILIES)
def tuned(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Base, JobFolder]:
    """The base of a plain folder, and a job on it."""
    torch.set_num_threads(1)
    place = tmp_path_factory.mktemp("families")
    folder = FAMILIES[request.param](place / request.param)
    job = new_job(place, epochs=4)
    write_json(job.path / "job.json", {**job.job, "model": request.param, "base": request.param})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ENGINE_BASES", str(folder))
        base = {base.id: base for base in all_bases()}[request.param]
        run(job)
    assert job.result == {"outcome": "SUCCEEDED"}
    return base, job


def test_the_last_evaluation_is_what_a_recount_gives(tuned: tuple[Base, JobFolder]) -> None:
    base, job = tuned
    assert job.validation is not None
    held_out = dataset.read(job.validation, Chat(base.folder), base.context_tokens)
    last = job.progress["steps"]
    loss, accuracy, count = recount(base, job.checkpoints()[-1], held_out)
    assert series(job, "/eval_total_loss")[last] == pytest.approx(loss, rel=1e-4)
    assert series(job, "/eval_fraction_of_correct_next_step_preds")[last] == pytest.approx(accuracy)
    assert series(job, "/eval_num_predictions")[last] == count
    assert loss < 0.8 * series(job, "/eval_total_loss")[0]


def test_an_answer_is_what_the_model_says_without_cache_and_stream(tuned: tuple[Base, JobFolder]) -> None:
    base, job = tuned
    server, options = Server(), Options(temperature=0, max_output_tokens=16)
    said = {}
    for adapter in (None, job.checkpoints()[-1].folder):
        said[adapter] = text(list(server.generate(base, adapter, MESSAGES, options)))
        assert said[adapter] == expected(base, Chat(base.folder), adapter)
    assert len(set(said.values())) == 2


def test_the_whole_answer_with_its_end_is_learned_and_no_more(tuned: tuple[Base, JobFolder]) -> None:
    base, job = tuned
    chat = Chat(base.folder)
    ends = {"<|im_end|>", "<end_of_turn>"}
    for example in read(job.training, chat, base.context_tokens).examples:
        (tokens,) = example.sequences
        learned = [id for id, target in zip(tokens.ids, tokens.target, strict=True) if target]
        assert chat.text(learned) == example.messages[-1]["content"]
        assert chat._tokenizer.convert_ids_to_tokens(learned[-1]) in ends


def test_a_template_without_a_system_role_still_reads_it(tmp_path: Path) -> None:
    chat = Chat(architectures.write_gemma(tmp_path / "gemma"))
    assert chat.render(MESSAGES, prompt=True) == (
        "<bos><start_of_turn>user\nSay.\n\nword 3<end_of_turn>\n<start_of_turn>model\n"
    )
    assert chat.prompt(MESSAGES).count(2) == 1
