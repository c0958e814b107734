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
    assert folder.training.read_bytes() == sent
    assert folder.validation is not None
    assert folder.job["base"] == "studio-tiny"


def test_reads_of_what_is_not_there_yet_are_empty(make_job: MakeJob) -> None:
    folder = make_job(validation=0)
    assert (folder.progress, folder.stats, folder.result, folder.checkpoints(), folder.metrics()) == (
        {},
        {},
        {},
        [],
        [],
    )
    assert (folder.validation, folder.cancel_asked, folder.finished) == (None, False, False)


def test_jobs_are_listed_oldest_first_and_only_when_whole(make_job: MakeJob, tmp_path: Path) -> None:
    made = [make_job().id for _ in range(3)]
    (tmp_path / "root/jobs/9.tmp").mkdir()
    write_json(tmp_path / "root/jobs/9.tmp/job.json", {"id": "9", "createTime": ""})
    assert [folder.id for folder in JobFolder.all(tmp_path / "root")] == made


def test_an_id_that_is_taken_is_refused_and_the_first_job_kept(make_job: MakeJob, tmp_path: Path) -> None:
    folder = make_job()
    with pytest.raises(OSError):
        JobFolder.create(tmp_path / "root", {**folder.job, "model": "other"}, folder.training, None)
    assert folder.job["model"] == "studio-tiny"
    assert not list(tmp_path.glob("root/jobs/*.tmp"))


def test_a_state_keeps_what_was_known_and_forgets_what_is_none(make_job: MakeJob) -> None:
    folder = make_job()
    folder.write_state("RUNNING", pid=7, startTime="then")
    folder.write_state("SUCCEEDED", pid=None)
    state = folder.state
    assert state.pop("updateTime").endswith("Z")
    assert state == {"state": "JOB_STATE_SUCCEEDED", "startTime": "then"}
    assert folder.finished


def test_points_come_back_in_order_and_from_a_step_on(make_job: MakeJob) -> None:
    folder = make_job()
    recorder = metrics_log.Recorder(folder.path / "metrics.jsonl")
    for step in (1, 2, 3):
        recorder.add(step, {"/train_total_loss": step / 2, "/train_num_predictions": 4.0})
    recorder.close()
    assert [(point["step"], point["value"]) for point in folder.metrics(since_step=2)] == [(3, 1.5), (3, 4.0)]
    assert len(folder.metrics()) == 6


def test_a_torn_last_line_is_not_read_and_goes_when_the_points_are_cut_back(make_job: MakeJob) -> None:
    folder = make_job()
    path = folder.path / "metrics.jsonl"
    recorder = metrics_log.Recorder(path)
    recorder.add(1, {"/a": 0.5})
    recorder.add(2, {"/a": 0.25})
    recorder.close()
    path.write_bytes(path.read_bytes() + b'{"series": "/a", "st')
    assert [point["step"] for point in folder.metrics()] == [1, 2]
    metrics_log.cut_back(path, 1)
    assert path.read_bytes().count(b"\n") == 1
    assert [point["step"] for point in folder.metrics()] == [1]


def test_a_folder_appears_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), new_folder(tmp_path / "new") as folder:
        write_bytes(folder / "half", b"")
        1 / 0  # noqa: B018
    assert list(tmp_path.iterdir()) == []
    with new_folder(tmp_path / "new") as folder:
        write_json(folder / "a.json", {"a": 1})
        assert not (tmp_path / "new").exists()
    assert read_json(tmp_path / "new" / "a.json") == {"a": 1}
