"""Other families of models, from plain folders: tuned by the trainer, answered by the server."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from engine.base_models.registry import LocalBaseModel, list_base_models
from engine.inference.options import Options
from engine.inference.server import ModelServer
from engine.queue.atomic_files import write_json
from engine.queue.job_folder import JobFolder
from engine.training import dataset
from engine.training.chat_template import ChatTemplate
from engine.training.dataset import read_dataset
from engine.training.trainer import run
from tests.engine.base_models import architectures
from tests.engine.inference.test_server import MESSAGES, generate_greedily, join_text
from tests.engine.job_folders import new_job, series
from tests.engine.training.test_trainer import recount

pytestmark = pytest.mark.engine

FAMILIES: dict[str, Callable[[Path], Path]] = {
    "qwen2": architectures.write_qwen2,
    "gemma": architectures.write_gemma,
    "gpt-neox": architectures.write_gpt_neox,
}


@pytest.fixture(scope="module", params=FAMILIES)
def tuned(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[LocalBaseModel, JobFolder]:
    """The base of a plain folder, and a job on it."""
    torch.set_num_threads(1)
    place = tmp_path_factory.mktemp("families")
    folder = FAMILIES[request.param](place / request.param)
    job = new_job(place, epochs=4)
    write_json(job.path / "job.json", {**job.job, "model": request.param, "base": request.param})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ENGINE_BASES", str(folder))
        base = {base.id: base for base in list_base_models()}[request.param]
        run(job)
    assert job.result == {"outcome": "SUCCEEDED"}
    return base, job


def test_last_evaluation_matches_a_recount(tuned: tuple[LocalBaseModel, JobFolder]) -> None:
    base, job = tuned
    assert job.validation_file is not None
    held_out = dataset.read_dataset(job.validation_file, ChatTemplate(base.folder), base.context_tokens)
    last = job.progress["steps"]
    loss, accuracy, count = recount(base, job.checkpoints()[-1], held_out)
    assert series(job, "/eval_total_loss")[last] == pytest.approx(loss, rel=1e-4)
    assert series(job, "/eval_fraction_of_correct_next_step_preds")[last] == pytest.approx(accuracy)
    assert series(job, "/eval_num_predictions")[last] == count
    assert loss < 0.8 * series(job, "/eval_total_loss")[0]


def test_answer_matches_generation_without_cache_or_streaming(
    tuned: tuple[LocalBaseModel, JobFolder],
) -> None:
    base, job = tuned
    server, options = ModelServer(), Options(temperature=0, max_output_tokens=16)
    said = {}
    for adapter in (None, job.checkpoints()[-1].folder):
        said[adapter] = join_text(list(server.generate(base, adapter, MESSAGES, options)))
        assert said[adapter] == generate_greedily(base, ChatTemplate(base.folder), adapter)
    assert len(set(said.values())) == 2


def test_only_the_answer_and_its_end_token_are_learned(tuned: tuple[LocalBaseModel, JobFolder]) -> None:
    base, job = tuned
    chat = ChatTemplate(base.folder)
    ends = {"<|im_end|>", "<end_of_turn>"}
    for example in read_dataset(job.training_file, chat, base.context_tokens).examples:
        (tokens,) = example.sequences
        learned = [id for id, target in zip(tokens.ids, tokens.target, strict=True) if target]
        assert chat.decode_tokens(learned) == example.messages[-1]["content"]
        assert chat._tokenizer.convert_ids_to_tokens(learned[-1]) in ends


def test_template_without_a_system_role_still_includes_the_system_text(tmp_path: Path) -> None:
    chat = ChatTemplate(architectures.write_gemma(tmp_path / "gemma"))
    assert chat.render(MESSAGES, prompt=True) == (
        "<bos><start_of_turn>user\nSay.\n\nword 3<end_of_turn>\n<start_of_turn>model\n"
    )
    assert chat.encode_prompt(MESSAGES).count(2) == 1
