"""Muon, an optimizer for the matrices inside a model: momentum whose update is made orthogonal.

Keller Jordan et al., 2024, https://kellerjordan.github.io/posts/muon/. It works in float32: the bfloat16 of
torch's own version is many times slower on processors without that format.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
_STEPS = 5


def orthogonalize(matrix: Tensor) -> Tensor:
    """Near to the closest matrix whose singular values are all one (Newton-Schulz iteration)."""
    a, b, c = _COEFFICIENTS
    tall = matrix.size(0) > matrix.size(1)
    x = matrix.mT if tall else matrix
    x = x / (x.norm() + 1e-7)
    for _ in range(_STEPS):
        square = x @ x.mT
        x = torch.addmm(x, torch.addmm(square, square, square, beta=b, alpha=c), x, beta=a)
    return x.mT if tall else x


class Muon(Optimizer):
    def __init__(
        self, weights: Iterable[Tensor], lr: float, momentum: float = 0.95, weight_decay: float = 0.01
    ) -> None:
        super().__init__(weights, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for weight in group["params"]:
                self._update(weight, weight.grad, group["lr"], group["momentum"], group["weight_decay"])

    def _update(
        self, weight: Tensor, gradient: Tensor, lr: float, momentum: float, weight_decay: float
    ) -> None:
        average = self.state[weight].setdefault("average", torch.zeros_like(weight))
        average.lerp_(gradient, 1 - momentum)
        update = orthogonalize(gradient.lerp(average, momentum))
        rows, columns = weight.shape
        weight.mul_(1 - lr * weight_decay)
        weight.add_(update, alpha=-lr * max(1.0, rows / columns) ** 0.5)
