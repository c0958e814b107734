"""The trainer: what it measures, what it leaves, and that no death of it is seen in either."""

from __future__ import annotations

import errno
import json
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM, AutoTokenizer

from engine.base_models.registry import LocalBaseModel
from engine.queue.job_folder import NO_ROOM, Checkpoint, JobFolder
from engine.training import dataset as data
from engine.training import save_points
from engine.training.batches import Batch, shuffle_batches
from engine.training.chat_template import ChatTemplate
from engine.training.dataset import TokenSequence
from engine.training.trainer import Training, run
from tests.engine.job_folders import series, values, weights
from tests.engine.queue import kill_points
from tests.engine.tiny_base import RECOMMENDED, example, write_base

pytestmark = pytest.mark.engine

MakeJob = Callable[..., JobFolder]


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def recount(base: LocalBaseModel, checkpoint: Checkpoint, dataset: data.Dataset) -> tuple[float, float, int]:
    """Loss, accuracy and number over target tokens, one example at a time, without padding."""
    model = AutoModelForCausalLM.from_pretrained(base.folder, dtype=torch.float32)
    adapted = PeftModel.from_pretrained(model, checkpoint.folder).eval()
    loss, correct, count = 0.0, 0, 0
    for tokens in dataset.sequences:
        with torch.no_grad():
            logits = adapted(input_ids=torch.tensor([tokens.ids])).logits[0]
        for place, (id, target) in enumerate(zip(tokens.ids, tokens.target, strict=True)):
            if target:
                guess = logits[place - 1]
                loss += float(cross_entropy(guess[None], torch.tensor([id])))
                correct, count = correct + int(guess.argmax() == id), count + 1
    return loss / count, correct / count, count


def test_last_evaluation_matches_a_recount_with_the_exported_adapter(
    trained: JobFolder, base: LocalBaseModel, chat: ChatTemplate
) -> None:
    assert trained.validation_file is not None
    loss, accuracy, count = recount(
        base, trained.checkpoints()[-1], data.read_dataset(trained.validation_file, chat, 128)
    )
    assert series(trained, "/eval_total_loss")[12] == pytest.approx(loss, rel=1e-5)
    assert series(trained, "/eval_fraction_of_correct_next_step_preds")[12] == pytest.approx(accuracy)
    assert series(trained, "/eval_num_predictions")[12] == count


def test_train_metrics_are_measured_before_the_update(
    make_job: MakeJob, base: LocalBaseModel, chat: ChatTemplate
) -> None:
    folder = make_job(train=4, epochs=3)
    run(folder)
    dataset = data.read_dataset(folder.training_file, chat, 128)
    loss, _, count = recount(base, folder.checkpoints()[1], dataset)
    assert series(folder, "/train_total_loss")[3] == pytest.approx(loss, rel=1e-5)
    assert series(folder, "/train_num_predictions")[3] == count


def test_plain_transformers_computes_the_same_metrics(make_job: MakeJob, base: LocalBaseModel) -> None:
    """From the file to the numbers by nothing but the tokenizer, its template, the model and the adapter."""
    folder = make_job(train=4, epochs=2, validation=5)
    run(folder)
    assert folder.validation_file is not None
    tokenizer = AutoTokenizer.from_pretrained(base.folder)
    last = folder.checkpoints()[-1].folder

    def count(path: Path, adapter: Path | None) -> tuple[float, float, int]:
        model = AutoModelForCausalLM.from_pretrained(base.folder, dtype=torch.float32)
        model = PeftModel.from_pretrained(model, adapter) if adapter else model
        losses, right = [], []
        for line in map(json.loads, path.read_text().splitlines()):
            texts = [content["parts"][0]["text"] for content in line["contents"]]
            system = line["systemInstruction"]["parts"][0]["text"]
            roles = zip(("system", "user", "assistant"), (system, *texts), strict=True)
            messages = [{"role": role, "content": text} for role, text in roles]
            prompt, whole = (
                tokenizer.apply_chat_template(part, add_generation_prompt=opened, return_dict=False)
                for part, opened in ((messages[:-1], True), (messages, False))
            )
            with torch.no_grad():
                guesses = model(torch.tensor([whole])).logits[0, len(prompt) - 1 : -1]
            answer = torch.tensor(whole[len(prompt) :])
            losses += cross_entropy(guesses, answer, reduction="none").tolist()
            right += (guesses.argmax(-1) == answer).tolist()
        return sum(losses) / len(losses), sum(right) / len(right), len(right)

    for which, step, path, adapter in (
        ("train", 1, folder.training_file, None),
        ("eval", 0, folder.validation_file, None),
        ("eval", 2, folder.validation_file, last),
    ):
        loss, accuracy, number = count(path, adapter)
        assert series(folder, f"/{which}_total_loss")[step] == pytest.approx(loss, rel=1e-5)
        told = series(folder, f"/{which}_fraction_of_correct_next_step_preds")[step]
        assert told == pytest.approx(accuracy)
        assert series(folder, f"/{which}_num_predictions")[step] == number


def test_six_series_have_the_planned_steps_and_the_loss_falls(trained: JobFolder) -> None:
    names = ("total_loss", "fraction_of_correct_next_step_preds", "num_predictions")
    assert {point["series"] for point in trained.read_points()} == {
        f"/{w}_{n}" for w in ("train", "eval") for n in names
    }
    for name in names:
        assert list(series(trained, f"/train_{name}")) == list(range(1, 13))
        assert list(series(trained, f"/eval_{name}")) == list(range(13))
    losses = series(trained, "/eval_total_loss")
    assert losses[12] < 0.6 * losses[0]


def test_progress_stats_and_checkpoints_cover_the_whole_run(trained: JobFolder) -> None:
    progress = trained.progress
    assert (progress["stage"], progress["step"], progress["steps"]) == ("POST_PROCESSING", 12, 12)
    assert (progress["epoch"], progress["adapterSize"], progress["batchSize"]) == (4, 4, 4)
    assert trained.stats["tuningStepCount"] == "12"
    found = [(each.checkpoint_id, each.epoch, each.step) for each in trained.checkpoints()]
    assert found == [("1", 1, 3), ("2", 2, 6), ("3", 3, 9), ("4", 4, 12)]
    config = json.loads((trained.checkpoints()[0].folder / "adapter_config.json").read_text())
    assert (config["base_model_name_or_path"], config["r"], config["lora_alpha"]) == ("studio-tiny", 4, 16)
    assert trained.save_points() == []


def test_without_validation_data_there_are_only_train_series(
    make_job: MakeJob,
) -> None:
    chosen = {"adapterSize": "ADAPTER_SIZE_ONE"}
    folder = make_job(epochs=2, validation=0, hyper_parameters=chosen, exportLastCheckpointOnly=True)
    run(folder)
    assert folder.result == {"outcome": "SUCCEEDED"}
    assert {point["series"].split("_")[0] for point in folder.read_points()} == {"/train"}
    assert [(each.checkpoint_id, each.step) for each in folder.checkpoints()] == [("1", 6)]
    assert folder.progress["adapterSize"] == 1


@pytest.mark.fault
@pytest.mark.parametrize(
    "mishap",
    [
        kill_points.before_update_5,
        kill_points.before_the_first_save_point,
        kill_points.before_evaluation_5,
        kill_points.inside_evaluation_5,
        kill_points.inside_checkpoint_6,
        kill_points.inside_save_point_6,
        kill_points.before_the_rename_of_save_point_6,
        kill_points.between_checkpoint_and_save_point_6,
        kill_points.inside_a_line_of_metrics,
    ],
)
def test_training_killed_at_any_moment_resumes_bit_for_bit(
    make_job: MakeJob, trained: JobFolder, mishap: Callable[[], None]
) -> None:
    folder = make_job()
    assert kill_points.train_with(mishap, folder) == -signal.SIGKILL
    assert folder.result == {}
    assert max(folder.save_points(), default=0) in (0, 3, 6)
    run(folder)
    assert folder.result == {"outcome": "SUCCEEDED"}
    assert values(folder.read_points()) == values(trained.read_points())
    assert weights(folder) == weights(trained)


def test_continued_tuning_starts_from_the_given_weights_and_resumes_bit_for_bit(
    make_job: MakeJob, trained: JobFolder
) -> None:
    before = trained.checkpoints()[-1].folder / "adapter_model.safetensors"
    whole, killed = make_job(epochs=2, pre_tuned=before), make_job(epochs=2, pre_tuned=before)
    run(whole)
    assert series(whole, "/eval_total_loss")[0] == series(trained, "/eval_total_loss")[12]
    assert kill_points.train_with(kill_points.before_update_5, killed) == -signal.SIGKILL
    run(killed)
    assert values(killed.read_points()) == values(whole.read_points())
    assert weights(killed) == weights(whole)


def test_stop_without_cancel_leaves_no_result_and_can_resume(make_job: MakeJob, trained: JobFolder) -> None:
    folder = make_job()
    run(folder, asked_to_stop=lambda: bool(folder.read_points(since_step=6)))
    assert folder.result == {}
    assert folder.save_points() == [3, 6]
    run(folder)
    assert values(folder.read_points()) == values(trained.read_points())
    assert weights(folder) == weights(trained)


def test_cancel_takes_effect_at_the_next_step_and_keeps_the_adapters(
    make_job: MakeJob, trained: JobFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, update = make_job(), Training.update

    def cancel_in_step_8(self: Training, *arguments: Any) -> dict[str, float]:
        if self.folder.read_points(since_step=6):
            folder.request_cancel()
        return update(self, *arguments)

    monkeypatch.setattr(Training, "update", cancel_in_step_8)
    run(folder)
    assert folder.result == {"outcome": "CANCELLED"}
    assert max(series(folder, "/train_total_loss")) == 8
    assert weights(folder) == weights(trained)[:2]


def test_at_most_two_save_points_are_kept(make_job: MakeJob, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, write, seen = make_job(), save_points.write, []

    def write_and_record(*arguments: Any) -> None:
        write(*arguments)
        seen.append(folder.save_points())

    monkeypatch.setattr(save_points, "write", write_and_record)
    run(folder)
    assert seen == [[3], [3, 6], [6, 9], [9, 12]]


def test_save_points_are_written_within_a_long_epoch(
    make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, seen = make_job(epochs=1, train=24), []
    monkeypatch.setattr(save_points, "write", lambda folder, step, *others: seen.append(step))
    monkeypatch.setattr("engine.training.trainer.SAVE_EVERY", 0.0)
    run(folder)
    assert seen == [1, 2, 3, 4, 5, 6]


def test_data_without_a_usable_example_fails_with_file_line_and_reason(make_job: MakeJob) -> None:
    folder = make_job(train=[example("x" * 200, "yes"), {"contents": []}])
    run(folder)
    assert (folder.result["outcome"], folder.result["code"]) == ("FAILED", 3)
    message = folder.result["message"]
    assert message.startswith("No example in training.jsonl can be used. Line 1: The example has 2")
    assert "Line 2: contents is missing or empty" in message


def test_empty_validation_file_fails_with_a_reason(make_job: MakeJob) -> None:
    folder = make_job()
    assert folder.validation_file is not None
    folder.validation_file.write_text("\n")
    run(folder)
    assert folder.result["message"] == "No example in validation.jsonl can be used. The file is empty."


def test_nan_loss_fails_and_says_what_to_lower(make_job: MakeJob) -> None:
    folder = make_job(hyper_parameters={"learningRateMultiplier": 1e30})
    run(folder)
    assert (folder.result["outcome"], folder.result["code"]) == ("FAILED", 3)
    assert "Lower learningRateMultiplier" in folder.result["message"]
    assert all(value == value and abs(value) < 1e30 for _, _, value in values(folder.read_points()))


def test_missing_base_model_fails_and_is_named(make_job: MakeJob, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_job()
    monkeypatch.setenv("ENGINE_BASES", "")
    monkeypatch.setattr("engine.base_models.registry.BUILT_IN", Path("/nowhere"))
    run(folder)
    assert "studio-tiny is no longer on this engine" in folder.result["message"]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (MemoryError(), "engine is out of memory"),
        (torch.OutOfMemoryError("CUDA out of memory"), "engine is out of memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"), "memory"),
    ],
)
def test_exhausted_memory_fails_the_job_with_a_reason(
    make_job: MakeJob, monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str
) -> None:
    def fail(*arguments: Any) -> None:
        raise error

    folder = make_job(epochs=1)
    monkeypatch.setattr(save_points, "write", fail)
    run(folder)
    assert (folder.result["outcome"], folder.result["code"]) == ("FAILED", 8)
    assert reason in folder.result["message"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_full_disk_leaves_the_job_to_go_on(
    make_job: MakeJob, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def fail(*arguments: Any) -> None:
        raise OSError(number, "No space left on device")

    folder = make_job(epochs=1)
    with monkeypatch.context() as patch:
        patch.setattr(save_points, "write", fail)
        assert run(folder) == NO_ROOM
    assert folder.result == {}
    assert run(folder) == 0
    assert folder.result == {"outcome": "SUCCEEDED"}


@pytest.mark.parametrize("error", [PermissionError(errno.EACCES, "no"), RuntimeError("shapes do not match")])
def test_other_errors_are_raised_unchanged(
    make_job: MakeJob, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*arguments: Any) -> None:
        raise error

    folder = make_job(epochs=1)
    monkeypatch.setattr(save_points, "write", fail)
    with pytest.raises(type(error), match=str(error.args[-1])):
        run(folder)


def test_a_template_that_splits_conversations_trains_on_each_answer(
    make_job: MakeJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.engine.training.test_dataset import THINKS_LAST

    monkeypatch.setenv("ENGINE_BASES", str(write_base(tmp_path / "thinks", template=THINKS_LAST)))
    long = example("a", "b")
    long["contents"] += example("c", "d")["contents"]
    folder = make_job(train=[long] * 4, epochs=1)
    run(folder)
    assert folder.stats["tuningDatasetExampleCount"] == "4"
    assert len(series(folder, "/train_total_loss")) == 8 // RECOMMENDED["batchSize"]


def make_sequences(*sizes: int) -> list[TokenSequence]:
    return [TokenSequence([5] * size, [False] * (size - 2) + [True] * 2) for size in sizes]


def test_epoch_has_each_sequence_once_in_seeded_order() -> None:
    all_of_them = make_sequences(*range(3, 103))
    first, again, other = (shuffle_batches(all_of_them, 8, seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other
    assert sorted(len(one) for batch in first for one in batch) == list(range(3, 103))
    assert sorted(map(len, first)) == [4] + [8] * 12


def test_sequences_of_similar_length_share_a_batch() -> None:
    all_of_them = make_sequences(*([4] * 32 + [60] * 32))
    assert sum(len({len(one) for one in batch}) > 1 for batch in shuffle_batches(all_of_them, 8, seed=0)) == 0


def test_batch_is_padded_to_its_longest_and_marks_targets() -> None:
    batch = Batch.from_sequences(make_sequences(4, 9), pad=0, device=torch.device("cpu"))
    assert batch.ids.shape == (2, 9)
    assert batch.real.sum(1).tolist() == [4, 9]
    assert batch.columns.tolist() == [1, 2, 6, 7]
    assert batch.labels.tolist() == [[5, 5, -100, -100], [-100, -100, 5, 5]]


def test_unfinished_checkpoint_of_a_dead_trainer_is_ignored(make_job: MakeJob, trained: JobFolder) -> None:
    folder = make_job()
    shutil.copytree(trained.path / "checkpoints/1", folder.path / "checkpoints/1.tmp")
    assert folder.checkpoints() == []
