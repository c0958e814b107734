"""python -m studio.run.keeper: starts the parts of a run, and restarts those that end or freeze.

Nothing that it depends on can fill up: it reads the parts' output from pipes and writes no file but their
logs, as far as these can be written. Redis, the engine and the web process are asked a question every few
seconds; beat and worker send pulses to a socket. The launcher reads lines from its standard output:

    pulse             it still works
    up                every part has shown that it works
    say SENTENCE      for the person at the terminal
    fail SENTENCE     a first start that has failed, for the same person; then it ends
"""

from __future__ import annotations

import os
import selectors
import signal
import socket
import sys
import time
from contextlib import suppress
from functools import partial

from studio.run.part import START_SECONDS, Part
from studio.run.processes import Plan, programs

# Four questions fit into SILENT_SECONDS of part.py, and each costs about a millisecond.
CHECK_SECONDS = 5.0
STARTING_CHECK_SECONDS = 0.5
# It has not run itself for so long that it cannot tell who was silent meanwhile.
ASLEEP_SECONDS = 3 * CHECK_SECONDS
# 30 s of pauses between the tries: what does not start by then needs a person.
MOST_QUICK_ENDS = 8
LAST = "redis"
"""Others finish their work with it."""


class Keeper:
    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.selector = selectors.DefaultSelector()
        self.parts = [Part(program, plan.log_path(program.name), self.selector) for program in programs(plan)]
        self.by_name = {part.name: part for part in self.parts}
        self.is_stopping = False
        self.was_up = False
        self.began = time.monotonic()
        self.checked = 0.0
        self._listen_for_signals()
        self._listen_for_pulses()

    def _listen_for_signals(self) -> None:
        """A signal wakes the selector: SIGTERM asks to stop, SIGCHLD says that a part has ended."""
        reader, writer = socket.socketpair()
        for end in (reader, writer):
            end.setblocking(False)
        signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        self._signals = (reader, writer)
        self.selector.register(reader, selectors.EVENT_READ, partial(reader.recv, 4096))
        signal.signal(signal.SIGTERM, self._ask_to_stop)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def _ask_to_stop(self, *_: object) -> None:
        self.is_stopping = True

    def _listen_for_pulses(self) -> None:
        self.plan.keeper_socket.unlink(missing_ok=True)
        pulses = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        pulses.bind(str(self.plan.keeper_socket))
        pulses.setblocking(False)
        self.selector.register(pulses, selectors.EVENT_READ, partial(self._receive_pulse, pulses))

    def _receive_pulse(self, pulses: socket.socket) -> None:
        part = self.by_name.get(pulses.recv(100).decode(errors="replace"))
        if part:
            part.record_sign()

    # ---- the loop ----

    def run(self) -> int:
        """Keep the parts running until it is asked to stop; return 1 if a first start fails."""
        while not self.is_stopping:
            self.start_due_parts()
            if trouble := self.find_failed_start():
                tell("fail", trouble)
                break
            self.wait(self.find_next_time())
            self.reap_parts()
            if time.monotonic() >= self.next_check:
                self.check_parts()
        failed = not self.is_stopping
        self.stop()
        return int(failed)

    def wait(self, until: float) -> None:
        """Handle what arrives until a time, or until something has arrived."""
        for key, _ in self.selector.select(max(0.0, until - time.monotonic())):
            with suppress(OSError):
                key.data()

    @property
    def next_check(self) -> float:
        return self.checked + (CHECK_SECONDS if self.was_up else STARTING_CHECK_SECONDS)

    def find_next_time(self) -> float:
        return min([self.next_check, *(part.start_at for part in self.parts if part.process is None)])

    def start_due_parts(self) -> None:
        for part in self.parts:
            if part.is_due:
                try:
                    part.start(self.plan.home)
                except OSError as error:
                    tell("say", f"{part.name} cannot be started now ({error.strerror}). It is tried again.")

    def reap_parts(self) -> None:
        for part in self.parts:
            if part.reap() and self.was_up:
                self.report_end(part)

    def report_end(self, part: Part) -> None:
        if part.quick_ends < MOST_QUICK_ENDS:
            tell("say", f"{part.name} ended and is started again: see {part.log_path}.")
        elif part.quick_ends == MOST_QUICK_ENDS:
            tell("say", f"{part.name} keeps ending: see {part.log_path}. It is tried again until it holds.")

    def find_failed_start(self) -> str:
        """Say why the first start has failed; blank while it has not."""
        if self.was_up:
            return ""
        for part in self.parts:
            if part.quick_ends >= MOST_QUICK_ENDS:
                return f"{part.name} does not start: see {part.log_path}."
        if time.monotonic() - self.began < START_SECONDS:
            return ""
        missing = ", ".join(part.name for part in self.parts if not part.is_up)
        return f"Not answering after {START_SECONDS:.0f} s: {missing}. See {self.plan.state / 'log'}."

    # ---- whether the parts work ----

    def check_parts(self) -> None:
        now = time.monotonic()
        if now - self.checked > ASLEEP_SECONDS:
            for part in self.parts:
                part.excuse()
        self.checked = now
        tell("pulse")
        for part in self.parts:
            self.check_part(part)
            part.ask()
        if not self.was_up and all(part.is_up for part in self.parts):
            self.was_up = True
            tell("up")

    def check_part(self, part: Part) -> None:
        """Restart it if it is in trouble, unless one that it needs may be the cause."""
        needed = [self.by_name[name] for name in part.program.needs if name in self.by_name]
        if any(other.is_in_doubt for other in needed):
            part.excuse()
        if trouble := part.find_trouble():
            tell("say", f"{part.name} {trouble} and is restarted.")
            part.kill()

    # ---- the end ----

    def stop(self) -> None:
        """Stop all parts at once, redis last, and kill what takes longer than it may."""
        self.stop_parts([part for part in self.parts if part.name != LAST])
        self.stop_parts(self.parts)

    def stop_parts(self, parts: list[Part]) -> None:
        began = time.monotonic()
        for part in parts:
            part.terminate()
        while running := [part for part in parts if part.process and not part.reap()]:
            late = time.monotonic() - began
            for part in running:
                if late > part.program.stop_seconds:
                    part.kill()
            tell("pulse")
            self.wait(time.monotonic() + 0.5)


def tell(kind: str, sentence: str = "") -> None:
    """Write a line for the launcher; if it does not read, or is gone, the line is left out."""
    with suppress(OSError):
        os.write(sys.stdout.fileno(), f"{kind} {sentence}".rstrip().encode() + b"\n")


def main() -> int:
    """Keep the parts of the Plan that standard input holds."""
    os.set_blocking(sys.stdout.fileno(), False)
    return Keeper(Plan.from_json(sys.stdin.read())).run()


if __name__ == "__main__":
    sys.exit(main())
