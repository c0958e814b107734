"""Made-up runs that every measured program is given: the same numbers each time, from seeds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

TRAIN_LOSS, TRAIN_SHARE, TRAIN_TOKENS, EVAL_LOSS, EVAL_SHARE, EVAL_TOKENS = METRICS = tuple(
    f"/{part}_{metric}"
    for part in ("train", "eval")
    for metric in ("total_loss", "fraction_of_correct_next_step_preds", "num_predictions")
)
EVERY = 50
"""Steps between two evaluations."""
SEED = 1000
SPIKE = 9.75
"""What the training loss of the first run jumps to for one step: does a chart still show it?"""

Curve = tuple[NDArray[np.int64], NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Workload:
    runs: int
    steps: int

    @property
    def spike_step(self) -> int:
        return int(self.steps * 0.6543) + 1

    @property
    def points(self) -> int:
        return self.runs * 3 * (self.steps + self.steps // EVERY)

    def names(self) -> list[str]:
        return [f"run-{number:02d}" for number in range(self.runs)]

    def curves(self) -> Iterator[tuple[str, dict[str, Curve]]]:
        """Each run's name and its six curves: steps and values, by metric."""
        for number, name in enumerate(self.names()):
            yield name, self._run(number)

    def _run(self, number: int) -> dict[str, Curve]:
        dice = np.random.default_rng(SEED + number)
        steps = np.arange(1, self.steps + 1, dtype=np.int64)
        loss = make_loss_curve(dice, self.steps, 0.4 + 0.03 * number)
        if number == 0:
            loss[self.spike_step - 1] = SPIKE
        share = np.clip(1 - loss / 4 + dice.normal(0, 0.01, self.steps), 0, 1)
        tokens = dice.integers(900, 1400, self.steps).astype(float)
        evaluated = steps[EVERY - 1 :: EVERY]
        evaluation = make_loss_curve(dice, len(evaluated), 0.5 + 0.03 * number)
        return {
            TRAIN_LOSS: (steps, loss),
            TRAIN_SHARE: (steps, share),
            TRAIN_TOKENS: (steps, tokens),
            EVAL_LOSS: (evaluated, evaluation),
            EVAL_SHARE: (evaluated, np.clip(1 - evaluation / 4, 0, 1)),
            EVAL_TOKENS: (evaluated, np.full(len(evaluated), 5000.0)),
        }


def make_loss_curve(dice: np.random.Generator, count: int, floor: float) -> NDArray[np.float64]:
    """A loss: steep at first, then noise above its floor."""
    noise = dice.normal(0, 0.06, count)
    steep = 2.2 * np.exp(-np.arange(1, count + 1) / (count * 0.12))
    return np.clip(floor + steep + noise, 0.01, None)


W1, W2 = Workload(20, 2_000), Workload(50, 10_000)
WORKLOADS = {"W0": Workload(3, 200), "W1": W1, "W2": W2}
"""W0 is for a look whether everything works."""
