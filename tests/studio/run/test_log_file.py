"""The parts' output is kept in files of a limited size, and a write that fails ends nothing."""

from __future__ import annotations

from pathlib import Path

from studio.run.log_file import LogFile
from tests.disk import fill_disk, mount_small_disk


def test_older_output_moves_on_and_the_oldest_goes(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "web.log", most_bytes=10, backups=2)
    for output in (b"one 12345\n", b"two 12345\n", b"three 123\n", b"four 1234\n", b"five\n", b"5\n"):
        log.write(output)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == {
        "web.log": b"five\n5\n",
        "web.log.1": b"four 1234\n",
        "web.log.2": b"three 123\n",
    }


def test_what_a_run_before_wrote_counts(tmp_path: Path) -> None:
    (tmp_path / "web.log").write_bytes(b"12345678\n")
    for output in (b"a\n", b"b\n"):
        log = LogFile(tmp_path / "web.log", most_bytes=10, backups=1)
        log.write(output)
        log.close()
    assert (tmp_path / "web.log").read_bytes() == b"a\nb\n"
    assert (tmp_path / "web.log.1").read_bytes() == b"12345678\n"


def test_a_full_disk_costs_only_what_is_written_meanwhile(tmp_path: Path) -> None:
    with mount_small_disk(tmp_path / "disk", 2**20) as disk:
        log = LogFile(disk / "web.log")
        log.write(b"before\n")
        ballast = fill_disk(disk)
        log.write(b"x" * 5000)
        log.write(b"y" * 5000)
        ballast.unlink()
        log.write(b"after\n")
        log.close()
        lines = (disk / "web.log").read_bytes().splitlines()
    assert lines[0] == b"before"
    assert lines[-1] == b"after"
    assert b"[10000 bytes could not be written]" in lines[-2]


def test_a_file_that_cannot_be_opened_is_no_error(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "missing" / "web.log")
    log.write(b"lost\n")
    (tmp_path / "missing").mkdir()
    log.write(b"found\n")
    assert (tmp_path / "missing" / "web.log").read_bytes().endswith(b"found\n")
