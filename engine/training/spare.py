"""A spare trainer's wait for its job; light, since a process that waits has yet to import torch."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from pathlib import Path

READY = b"ready"
MESSAGE_BYTES = 2**16  # more than any path: Linux ends them at 4,096 bytes


def send_job(channel: socket.socket, folder: Path, log_file: int) -> None:
    """Hand the job over to the spare at the other end of `channel`, with the file its output goes to.

    Raises: OSError, where the spare is gone
    """
    socket.send_fds(channel, [os.fsencode(folder.absolute())], [log_file])


def is_ready(channel: socket.socket) -> bool:
    """Whether the spare at the other end of `channel` waits for its job, all imported."""
    try:
        return channel.recv(len(READY), socket.MSG_PEEK | socket.MSG_DONTWAIT) == READY
    except OSError:
        return False


def wait_for_job() -> Path | None:
    """Wait on standard input for a job; its folder, or None where the engine is gone.

    From then on the process prints to the job's log and has nothing to read, as one started for the job.
    """
    with socket.socket(fileno=os.dup(0)) as channel:
        with suppress(OSError):  # a job that came first is there to read, and its sender has hung up
            channel.sendall(READY)
        message, descriptors, _flags, _address = socket.recv_fds(channel, MESSAGE_BYTES, 1)
    if not message:
        return None
    (log_file,) = descriptors
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (log_file, 1), (log_file, 2)):
        os.dup2(source, target)
    os.close(nothing)
    os.close(log_file)
    return Path(os.fsdecode(message))
