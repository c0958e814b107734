"""The launcher's side of the keeper: started, heard, and started again if it ends or freezes."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import IO, NoReturn, cast

from studio.run.preflight import RunError, print_line
from studio.run.processes import Plan, bind_to_parent

# Four of its pulses. All parts end with it and are up again within half a minute.
SILENT_SECONDS = 20.0
MOST_PAUSE_SECONDS = 10.0
PIPE_BYTES = 65536


class KeeperProcess:
    """One keeper. The kernel kills it if the launcher dies, and then its parts."""

    def __init__(self, plan: Plan) -> None:
        # A session of its own: Ctrl-C reaches the launcher only.
        self.process = subprocess.Popen(
            bind_to_parent([sys.executable, "-m", "studio.run.keeper"], signal.SIGKILL),
            cwd=plan.home,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._output = cast(IO[bytes], self.process.stdout)
        with suppress(BrokenPipeError), cast(IO[bytes], self.process.stdin) as plans:
            plans.write(plan.to_json().encode())

    def read_lines(self) -> Iterator[str]:
        """Yield what it writes, until it ends or has been silent for SILENT_SECONDS."""
        pipe, begun = self._output.fileno(), b""
        while select.select([pipe], [], [], SILENT_SECONDS)[0]:
            if not (read := os.read(pipe, PIPE_BYTES)):
                return
            *lines, begun = (begun + read).split(b"\n")
            yield from (line.decode(errors="replace") for line in lines)

    def stop(self) -> None:
        """Ask it to stop the parts and itself; kill it if it freezes meanwhile."""
        self.process.terminate()
        for line in self.read_lines():
            show_line(line)
        self.end()

    def end(self) -> None:
        """End it at once, if it has not ended."""
        self.process.kill()
        self.process.wait()
        self._output.close()


def keep_running(plan: Plan, welcome: Iterable[str]) -> NoReturn:
    """Keep a keeper running until an exception: a signal's, or RunError if the first start fails."""
    systemd = os.environ.pop("NOTIFY_SOCKET", "")
    was_up, pause = False, 0.0
    while True:
        keeper, began = KeeperProcess(plan), time.monotonic()
        notify_systemd(systemd, "WATCHDOG=1")
        try:
            for line in keeper.read_lines():
                notify_systemd(systemd, "WATCHDOG=1")
                kind, _, sentence = line.partition(" ")
                if kind == "up" and not was_up:
                    was_up = True
                    notify_systemd(systemd, "READY=1")
                    show_sentences(welcome)
                elif kind == "fail" and not was_up:
                    raise RunError(sentence)
                else:
                    show_line(line)
        except BaseException:
            keeper.stop()
            raise
        keeper.end()
        if not was_up:
            raise RunError(f"The keeper ended while everything was starting. See {plan.state / 'log'}.")
        show_sentences(["The keeper ended or was silent. It is started again, and all parts with it."])
        pause = min(pause + 1.0, MOST_PAUSE_SECONDS) if time.monotonic() - began < SILENT_SECONDS else 0.0
        time.sleep(pause)


def show_line(line: str) -> None:
    """Show what is for a person: sentences, and what Python says about an end."""
    kind, _, sentence = line.partition(" ")
    if kind not in {"pulse", "up"}:
        show_sentences([sentence if kind in {"say", "fail"} else line])


def show_sentences(sentences: Iterable[str]) -> None:
    """Print them, if that is possible: the terminal may be gone, or the output on a full disk."""
    for sentence in sentences:
        with suppress(OSError, ValueError):
            print_line(sentence)


def notify_systemd(address: str, state: str) -> None:
    """Tell systemd a state of sd_notify(3), where it has started this run."""
    if not address:
        return
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notice:
        notice.setblocking(False)
        notice.sendto(state.encode(), f"\0{address[1:]}" if address.startswith("@") else address)
