"""`make bench-compare`: the compare page beside TensorBoard's, from a cold browser to curves on the screen.

By turns on the same runs: W1 is 20 runs of 2,000 steps, W2 50 of 10,000. Both servers are up and have read
their data, and each visit has a browser of its own.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from tests.bench.compare.ours import Studio, run_studio
from tests.bench.compare.theirs import TensorBoard, run_tensorboard
from tests.bench.compare.timer import PageTiming, tab
from tests.bench.compare.workload import WORKLOADS

ROUNDS = 5
MOST_DRAWN, MOST_ACTING = 0.35, 0.6
MOST_KILOBYTES, MOST_REQUESTS = 1024, 15

Program = Studio | TensorBoard


class Visits:
    """What one program took, visit by visit."""

    def __init__(self) -> None:
        self.seen: list[PageTiming] = []
        self.acted: dict[str, list[float]] = {}

    def add_visit(self, program: Program) -> None:
        with tab(program.region, program.cookies) as watch:
            seen = watch.open(program.address())
            assert seen.drawn is not None, f"{program.name} draws nothing."
            self.seen.append(seen)
            for name, spot in program.actions(watch.page).items():
                lasted = watch.press(spot)
                assert lasted is not None, f"{program.name}: {name} leaves nothing drawn."
                self.acted.setdefault(name, []).append(lasted)

    def drawn_times(self) -> list[float]:
        return [seen.drawn for seen in self.seen if seen.drawn is not None]

    def format_line(self) -> str:
        def median_of(what: str) -> float:
            return statistics.median(getattr(seen, what) for seen in self.seen)

        acts = ", ".join(f"{name} {statistics.median(each):.0f} ms" for name, each in self.acted.items())
        rounds = " ".join(f"{one:.0f}" for one in self.drawn_times())
        return (
            f"drawn {statistics.median(self.drawn_times()):.0f} ms ({rounds}), settled "
            f"{median_of('settled'):.0f}, "
            f"{median_of('kilobytes'):.0f} kB, {median_of('requests'):.0f} requests, "
            f"longest task {median_of('longest_task'):.0f} ms; {acts}"
        )


def measure(rounds: int = ROUNDS, workloads: Sequence[str] = ("W1", "W2")) -> Iterator[str]:
    ratios, short = [], []
    for name in workloads:
        found = compare_programs(name, rounds)
        for program, visits in found.items():
            yield f"{name} {program:>12}: {visits.format_line()}"
        ours, theirs = found[Studio.name], found[TensorBoard.name]
        ratios.append(f"{name} {median_ratio(ours.drawn_times(), theirs.drawn_times()):.2f}")
        short += [f"{name}: {what}" for what in find_shortcomings(ours, theirs, large=name == "W2")]
        for deed, each in ours.acted.items():
            ratio = median_ratio(each, theirs.acted["smoothing"])
            yield f"{name} {deed}: {ratio:.2f} of TensorBoard's smoothing"
    yield f"drawn in this part of TensorBoard's time: {', '.join(ratios)}; at most {MOST_DRAWN} is asked for"
    assert not short, "; ".join(short)


def compare_programs(name: str, rounds: int) -> dict[str, Visits]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="compare-")))
        programs: list[Program] = [
            stack.enter_context(run_studio(name, folder / "state")),
            stack.enter_context(run_tensorboard(WORKLOADS[name], folder / "logs")),
        ]
        found = {program.name: Visits() for program in programs}
        for program in programs:
            Visits().add_visit(program)  # a server's first answer is not what is measured
        for _round in range(rounds):
            for program in programs:
                found[program.name].add_visit(program)
    return found


def median_ratio(ours: list[float], theirs: list[float]) -> float:
    """The median of each round's ratio."""
    return statistics.median(one / other for one, other in zip(ours, theirs, strict=True))


def find_shortcomings(ours: Visits, theirs: Visits, *, large: bool) -> Iterator[str]:
    if median_ratio(ours.drawn_times(), theirs.drawn_times()) > MOST_DRAWN:
        yield f"drawn in more than {MOST_DRAWN} of TensorBoard's time"
    for name, each in ours.acted.items():
        if median_ratio(each, theirs.acted["smoothing"]) > MOST_ACTING:
            yield f"{name} takes more than {MOST_ACTING} of TensorBoard's smoothing"
    if large and max(seen.kilobytes for seen in ours.seen) > MOST_KILOBYTES:
        yield f"more than {MOST_KILOBYTES} kB"
    if large and max(seen.requests for seen in ours.seen) > MOST_REQUESTS:
        yield f"more than {MOST_REQUESTS} requests"
