"""What the whole product costs while nobody looks and nothing runs: processor time and memory of each part.

Memory is the proportional set size: what processes share counts once. `python -m tests.bench.idle MINUTES`
measures longer than the two minutes that `make bench-idle` takes.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from tests.stack import Person, Stack

MINUTES = 2.0
PASSWORD = "a long enough password"
SETTLE_SECONDS = 30.0
"""After the start, until what is done once is done."""
MOST_PERCENT, MOST_MEGABYTES = 1.0, 550.0
"""What is asked for: of one core, and of memory."""
TICKS = os.sysconf("SC_CLK_TCK")
NAMES = {
    "launcher": r"-m studio\.run$",
    "keeper": r"-m studio\.run\.keeper",
    "redis": r"redis-server",
    "web": r"gunicorn",
    "worker": r"celery -A studio worker",
    "beat": r"celery -A studio beat",
    "engine": r"-m engine",
}


def measure(minutes: float = MINUTES) -> Iterator[str]:
    with (
        tempfile.TemporaryDirectory() as folder,
        Stack(Path(folder) / "var", POLL_SECONDS="5") as stack,
    ):
        person = Person(stack.url)
        person.send(stack.link, name="Mika", password=PASSWORD, repeated=PASSWORD)
        person.get("/p/local/jobs/")
        time.sleep(SETTLE_SECONDS)
        used = measure_processor_time(stack)
        time.sleep(60 * minutes)
        later = measure_processor_time(stack)
        spent = {name: (later[name] - used[name]) / minutes for name in NAMES}
        memory = measure_memory(stack)
    for name in NAMES:
        yield f"{name:9}{spent[name] / 0.6:6.2f} %{memory[name] / 1e6:8.0f} MB"
    percent, megabytes = sum(spent.values()) / 0.6, sum(memory.values()) / 1e6
    asked = f"at most {MOST_PERCENT} % and {MOST_MEGABYTES:.0f} MB"
    yield f"{'all':9}{percent:6.2f} %{megabytes:8.0f} MB; {asked}"
    assert percent <= MOST_PERCENT and megabytes <= MOST_MEGABYTES, "Doing nothing costs too much."


def measure_processor_time(stack: Stack) -> dict[str, float]:
    """Seconds that each part has used, its processes together."""
    found: dict[str, float] = defaultdict(float)
    for pid, command in stack.processes().items():
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        found[name_process(command)] += (int(fields[11]) + int(fields[12])) / TICKS
    return found


def measure_memory(stack: Stack) -> dict[str, float]:
    """Bytes that each part holds, its share of what is shared included."""
    found: dict[str, float] = defaultdict(float)
    for pid, command in stack.processes().items():
        told = Path(f"/proc/{pid}/smaps_rollup").read_text()
        kilobytes = re.search(r"^Pss:\s+(\d+) kB", told, re.MULTILINE)
        assert kilobytes
        found[name_process(command)] += int(kilobytes[1]) * 1024
    return found


def name_process(command: str) -> str:
    return next((name for name, words in NAMES.items() if re.search(words, command.strip())), command)


if __name__ == "__main__":
    for line in measure(*map(float, sys.argv[1:2])):
        print(line, flush=True)
