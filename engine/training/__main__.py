"""python -m engine.training FOLDER | --spare

Tunes the job in FOLDER. A spare imports what a training needs, then waits on standard input, a socket, for
the folder of its job.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

from engine.queue.job_folder import JobFolder
from engine.training.heartbeat import die_with_engine, is_orphaned
from engine.training.spare import wait_for_job

NICENESS = 5  # chats and pages go first while a job trains or a spare imports


def main(argument: str) -> int:
    die_with_engine()
    if is_orphaned():  # the engine died before the line above
        return 0
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    is_spare = argument == "--spare"
    if is_spare:
        os.nice(NICENESS)
    from engine.training import trainer  # seconds: until here nothing has imported torch

    folder = wait_for_job() if is_spare else Path(argument)
    if folder is None:
        return 0
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    if not is_spare:
        os.nice(NICENESS)
    trainer.set_threads()
    return trainer.run(JobFolder(folder), stop.is_set)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
