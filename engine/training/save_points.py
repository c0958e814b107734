"""Save points: everything that a training needs to resume as if it had never stopped."""

from __future__ import annotations

import io
import shutil
from typing import Any

import torch
from peft import PeftModel

from engine.queue.atomic_files import new_folder
from engine.queue.job_folder import JobFolder
from engine.training.lora import WEIGHTS, read_weights, write_weights

MAX_SAVE_POINTS = 2  # the newest, and one to fall back on by hand


def write(folder: JobFolder, step: int, model: PeftModel, optimizer: torch.optim.Optimizer) -> None:
    """Keep the state after `step` updates, and of the older ones only the newest."""
    with new_folder(folder.save_point_path(step)) as new:
        write_weights(model, new)
        content = io.BytesIO()
        torch.save({"optimizer": optimizer.state_dict(), "random": _random_states()}, content)
        (new / "trainer.pt").write_bytes(content.getvalue())
    for older in folder.save_points()[:-MAX_SAVE_POINTS]:
        shutil.rmtree(folder.save_point_path(older))


def restore(folder: JobFolder, model: PeftModel, optimizer: torch.optim.Optimizer) -> int | None:
    """Go back to the newest save point; its step, or None where there is none."""
    if not (steps := folder.save_points()):
        return None
    path = folder.save_point_path(steps[-1])
    read_weights(model, path / WEIGHTS)
    state = torch.load(path / "trainer.pt", weights_only=True)
    optimizer.load_state_dict(state["optimizer"])
    _set_random_states(state["random"])
    return steps[-1]


def _random_states() -> dict[str, Any]:
    return {"cpu": torch.get_rng_state(), "cuda": torch.cuda.get_rng_state_all()}


def _set_random_states(states: dict[str, Any]) -> None:
    torch.set_rng_state(states["cpu"])
    if len(states["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(states["cuda"])
