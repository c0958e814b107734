"""A job's folder: whole or absent, read by anybody at any moment."""

from collections.abc import Callable
from pathlib import Path

import pytest

from engine.queue.atomic_files import new_folder, read_json, write_bytes, write_json
from engine.queue.job_folder import JobFolder
from engine.training import metrics_log

MakeJob = Callable[..., JobFolder]


def test_a_new_job_is_pending_and_has_its_own_copy_of_the_data(make_job: MakeJob, tmp_path: Path) -> None:
    folder = make_job()
    sent = (tmp_path / "train-1.jsonl").read_bytes()
    (tmp_path / "train-1.jsonl").unlink()
    assert folder.state["state"] == "JOB_STATE_PENDING"
    assert folder.training_file.read_bytes() == sent
    assert folder.validation_file is not None
    assert folder.job["base"] == "studio-tiny"


def test_missing_files_read_as_empty(make_job: MakeJob) -> None:
    folder = make_job(validation=0)
    assert (folder.progress, folder.stats, folder.result, folder.checkpoints(), folder.read_points()) == (
        {},
        {},
        {},
        [],
        [],
    )
    assert (folder.validation_file, folder.is_cancel_requested, folder.is_finished) == (None, False, False)


def test_only_complete_jobs_are_listed_oldest_first(make_job: MakeJob, tmp_path: Path) -> None:
    made = [make_job().id for _ in range(3)]
    (tmp_path / "root/jobs/9.tmp").mkdir()
    write_json(tmp_path / "root/jobs/9.tmp/job.json", {"id": "9", "createTime": ""})
    assert [folder.id for folder in JobFolder.all(tmp_path / "root")] == made


def test_duplicate_job_id_is_refused_and_the_first_job_stays(make_job: MakeJob, tmp_path: Path) -> None:
    folder = make_job()
    with pytest.raises(OSError):
        JobFolder.create(tmp_path / "root", {**folder.job, "model": "other"}, folder.training_file, None)
    assert folder.job["model"] == "studio-tiny"
    assert not list(tmp_path.glob("root/jobs/*.tmp"))


def test_write_state_keeps_other_keys_and_removes_none_values(make_job: MakeJob) -> None:
    folder = make_job()
    folder.write_state("RUNNING", pid=7, startTime="then")
    folder.write_state("SUCCEEDED", pid=None)
    state = folder.state
    assert state.pop("updateTime").endswith("Z")
    assert state == {"state": "JOB_STATE_SUCCEEDED", "startTime": "then"}
    assert folder.is_finished


def test_points_are_read_in_order_and_after_a_step(make_job: MakeJob) -> None:
    folder = make_job()
    recorder = metrics_log.PointWriter(folder.path / "metrics.jsonl")
    for step in (1, 2, 3):
        recorder.add(step, {"/train_total_loss": step / 2, "/train_num_predictions": 4.0})
    recorder.close()
    assert [(point["step"], point["value"]) for point in folder.read_points(since_step=2)] == [
        (3, 1.5),
        (3, 4.0),
    ]
    assert len(folder.read_points()) == 6


def test_torn_last_line_is_ignored_and_removed_by_truncation(make_job: MakeJob) -> None:
    folder = make_job()
    path = folder.path / "metrics.jsonl"
    recorder = metrics_log.PointWriter(path)
    recorder.add(1, {"/a": 0.5})
    recorder.add(2, {"/a": 0.25})
    recorder.close()
    path.write_bytes(path.read_bytes() + b'{"series": "/a", "st')
    assert [point["step"] for point in folder.read_points()] == [1, 2]
    metrics_log.truncate_after(path, 1)
    assert path.read_bytes().count(b"\n") == 1
    assert [point["step"] for point in folder.read_points()] == [1]


def test_new_folder_is_atomic(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), new_folder(tmp_path / "new") as folder:
        write_bytes(folder / "half", b"")
        1 / 0  # noqa: B018
    assert list(tmp_path.iterdir()) == []
    with new_folder(tmp_path / "new") as folder:
        write_json(folder / "a.json", {"a": 1})
        assert not (tmp_path / "new").exists()
    assert read_json(tmp_path / "new" / "a.json") == {"a": 1}
