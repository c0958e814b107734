"""Plays a trainer without torch, as the job's model says: `python acting_trainer.py FOLDER | --spare`."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

from engine.queue.job_folder import JobFolder
from engine.training.spare import wait_for_job


def main(folder: JobFolder) -> None:
    def beat(step: int) -> None:
        folder.write_progress({"heartbeat": time.time(), "slowest": 0.02, "step": step})

    def work(seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            beat(0)
            time.sleep(0.02)

    match folder.job["model"]:
        case "works":
            work(0.3)
            folder.write_result("SUCCEEDED")
        case "works when told":
            while not (folder.path / "go on").exists():
                work(0.1)
            folder.write_result("SUCCEEDED")
        case "stops once":
            if not (folder.path / "stopped").exists():
                (folder.path / "stopped").touch()
                beat(0)
                os.kill(os.getpid(), signal.SIGSTOP)
            folder.write_result("SUCCEEDED")
        case "refuses":
            folder.write_result("FAILED", code=3, message="There is nothing to learn.")
        case "works on":
            signal.signal(signal.SIGTERM, lambda *_: sys.exit())
            work(600)
        case "hears nothing":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            work(600)
        case "falls silent":
            beat(0)
            time.sleep(600)
        case "crashes":
            print("Traceback\nValueError: no such thing", file=sys.stderr)
            sys.exit(1)
        case "prints":
            print("This is the trainer.", sys.stdin.read(), os.environ.get("ENGINE_THREADS"))
            folder.write_result("SUCCEEDED")
        case "crashes on its way":  # each time one save point further
            step = max(folder.save_points(), default=0) + 1
            folder.save_point_path(step).mkdir(parents=True)
            if step < 6:
                os.kill(os.getpid(), signal.SIGKILL)
            folder.write_result("SUCCEEDED")


if __name__ == "__main__":
    if sys.argv[1] == "--spare":
        print("This is the spare.", file=sys.stderr)
        given = wait_for_job()
        if given:
            main(JobFolder(given))
    else:
        main(JobFolder(Path(sys.argv[1])))
