"""One process that the keeper keeps running: its start and its end, and whether it still works."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import IO, cast

from studio.run.inquiry import Inquiry
from studio.run.log_file import LogFile
from studio.run.processes import Program, bind_to_parent

# A first start on a slow disk, with nothing in the cache, can take a minute.
START_SECONDS = 120.0
# What is frozen has to answer again within a minute, and a start takes up to 20 s on a busy machine.
SILENT_SECONDS = 20.0
STOPPED_SECONDS = 15.0
# A pulse is a task like any other, and each thread may wait 35 s for a service to answer.
PULSELESS_SECONDS = 45.0
# A question is asked again after this time, so that one lost answer is not a silence.
ANSWER_SECONDS = 4.0
# Two questions without an answer, or two pulses of beat that did not come.
DOUBT_SECONDS = 10.0
# What uses the processor is late, not frozen, for as long as anybody would wait.
BUSY_SECONDS = 120.0
BUSY_SHARE = 0.05
# An end this soon after the start is one of a row, which is tried again more and more slowly.
QUICK_END_SECONDS = 10.0
MOST_PAUSE_SECONDS = 10.0
PIPE_BYTES = 65536
TICKS = os.sysconf("SC_CLK_TCK")


class Part:
    """`clock` is monotonic, since the time of day may be set back or forth."""

    def __init__(
        self,
        program: Program,
        log_path: Path,
        selector: selectors.BaseSelector,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.program = program
        self.log_path = log_path
        self.process: subprocess.Popen[bytes] | None = None
        self.start_at = 0.0  # when it is due again, where it has ended
        self.quick_ends = 0
        self.is_up = False  # it has shown that it works since its start
        self._selector = selector
        self._clock = clock
        self._log = LogFile(log_path)
        self._inquiry: Inquiry | None = None
        self._asked = 0.0
        self._started = self._heard = 0.0
        self._stopped_since: float | None = None
        self._worked: tuple[float, float] | None = None  # when, and its processor time then

    @property
    def name(self) -> str:
        return self.program.name

    # ---- start and end ----

    @property
    def is_due(self) -> bool:
        return self.process is None and self._clock() >= self.start_at

    def start(self, home: Path) -> None:
        """Start it in a group of its own, which ends with it. The kernel kills it if the keeper dies.

        Raises: OSError, if there is no process or no memory for it; it is due again later.
        """
        self.start_at = self._clock() + MOST_PAUSE_SECONDS
        self.process = subprocess.Popen(
            bind_to_parent(self.program.command, signal.SIGKILL),
            cwd=home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        output = cast(IO[bytes], self.process.stdout)
        os.set_blocking(output.fileno(), False)
        self._selector.register(output, selectors.EVENT_READ, partial(self._store_output, output))
        self.is_up, self._started, self._stopped_since = False, self._clock(), None
        self.excuse()

    def _store_output(self, output: IO[bytes]) -> None:
        """Read the pipe until nobody holds it: others of its group may write after its end."""
        try:
            written = os.read(output.fileno(), PIPE_BYTES)
        except BlockingIOError:
            return
        if written:
            self._log.write(written)
        else:
            self._selector.unregister(output)
            output.close()

    def reap(self) -> bool:
        """Return whether it has ended since its start. Then all of its group has, and it is due again."""
        if self.process is None or not has_ended(self.process.pid):
            return False
        self.kill()  # before it is reaped, so that nobody else can have the group's number
        self.process.wait()
        self.process, self.is_up = None, False
        now = self._clock()
        self.quick_ends = self.quick_ends + 1 if now - self._started < QUICK_END_SECONDS else 0
        self.start_at = now + min(self.quick_ends, MOST_PAUSE_SECONDS)
        return True

    def terminate(self) -> None:
        if self.process:
            self.process.terminate()

    def kill(self) -> None:
        if self.process:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)

    # ---- whether it works ----

    def ask(self) -> None:
        """Ask its question, unless one is on its way; an answer to an old one no longer counts."""
        now = self._clock()
        if self._inquiry and self._inquiry.is_open and now - self._asked < ANSWER_SECONDS:
            return
        if self._inquiry:
            self._inquiry.close()
        if self.process and self.program.question:
            self._inquiry = Inquiry(self.program.question, self._selector, self.record_sign)
            self._asked = now

    def record_sign(self) -> None:
        """Record that it has shown that it works."""
        if self.process:
            self.is_up = True
            self.excuse()

    def excuse(self) -> None:
        """Count its silence from now on."""
        self._heard, self._worked = self._clock(), None

    @property
    def is_in_doubt(self) -> bool:
        return not self.is_up or self._clock() - self._heard > DOUBT_SECONDS

    def find_trouble(self) -> str:
        """Say why it has to be restarted; blank if it works, or still may."""
        if self.process is None:
            return ""
        if self._measure_stop(self.process.pid) >= STOPPED_SECONDS:
            return "is stopped"
        silence, patience = self._clock() - self._heard, self._choose_patience()
        if silence < patience / 2:
            return ""
        is_busy = self._uses_processor(self.process.pid)
        if silence < patience or (is_busy and silence < BUSY_SECONDS):
            return ""
        return f"has been silent for {silence:.0f} s"

    def _choose_patience(self) -> float:
        if not self.is_up:
            return START_SECONDS
        return SILENT_SECONDS if self.program.question else PULSELESS_SECONDS

    def _measure_stop(self, pid: int) -> float:
        """Seconds since it was first seen stopped by a signal; 0.0 where it is not."""
        if read_state(pid) != "T":
            self._stopped_since = None
            return 0.0
        now = self._clock()
        self._stopped_since = self._stopped_since or now
        return now - self._stopped_since

    def _uses_processor(self, group: int) -> bool:
        """Whether its group has used the processor since this was first asked in this silence."""
        now, used = self._clock(), measure_processor_time(group)
        self._worked = self._worked or (now, used)
        since, before = self._worked
        return used - before > BUSY_SHARE * (now - since)


def has_ended(pid: int) -> bool:
    """Whether this child has ended; it stays to be reaped."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def read_stat(pid: int | str) -> list[str]:
    """Return the fields of /proc/PID/stat after the command's name; none if there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return []


def read_state(pid: int) -> str:
    """R, S, T (stopped) ... of proc_pid_stat(5); blank if unknown."""
    return next(iter(read_stat(pid)), "")


def measure_processor_time(group: int) -> float:
    """Seconds that the living processes of the group have used."""
    stats = (read_stat(folder.name) for folder in Path("/proc").iterdir() if folder.name.isdigit())
    ours = [fields for fields in stats if fields and int(fields[2]) == group]
    return sum(int(fields[11]) + int(fields[12]) for fields in ours) / TICKS
