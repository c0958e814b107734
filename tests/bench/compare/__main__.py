"""`python -m tests.bench.compare [ROUNDS [WORKLOAD ...]]`: needs no database of its own, as the others do."""

from __future__ import annotations

import sys

from tests.bench.compare import ROUNDS, measure


def main() -> int:
    rounds, *workloads = sys.argv[1:] or [ROUNDS]
    try:
        for line in measure(int(rounds), [str(name) for name in workloads] or ["W1", "W2"]):
            print(f"compare: {line}", flush=True)
    except AssertionError as failure:
        print(f"compare: {failure}", flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
