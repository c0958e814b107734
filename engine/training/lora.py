"""A base model in memory, and a LoRA adapter on it, in PEFT's own form."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from peft.tuners.tuners_utils import BaseTunerLayer
from safetensors.torch import load, save
from transformers import AutoModelForCausalLM
from transformers.utils.logging import disable_progress_bar

from engine.base_models.registry import LocalBaseModel

WEIGHTS = "adapter_model.safetensors"


def select_device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def load_base(base: LocalBaseModel) -> Any:
    """The base model in float32, on the GPU where there is one."""
    disable_progress_bar()
    model: Any = AutoModelForCausalLM.from_pretrained(base.folder, dtype=torch.float32, local_files_only=True)
    return model.to(select_device())


def add_adapter(model: Any, base: LocalBaseModel, rank: int) -> PeftModel:
    """A fresh adapter on every linear layer. Alpha is the base's at any rank: one learning rate fits all."""
    config = LoraConfig(
        r=rank,
        lora_alpha=base.lora_alpha,
        lora_dropout=0.0,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )
    adapted = get_peft_model(model, config)
    # A path on this machine means nothing where the adapter is loaded elsewhere.
    adapted.peft_config["default"].base_model_name_or_path = base.id
    return adapted


def write_weights(model: PeftModel, folder: Path) -> None:
    """Through Python's own file, so that a full disk is an OSError like any other."""
    tensors = get_peft_model_state_dict(model, save_embedding_layers=False)
    contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    (folder / WEIGHTS).write_bytes(save(contiguous, metadata={"format": "pt"}))


def read_weights(model: PeftModel, file: Path) -> None:
    set_peft_model_state_dict(model, load(file.read_bytes()))


def export_adapter(model: PeftModel, folder: Path) -> None:
    """Write the files that `PeftModel.from_pretrained` loads."""
    write_weights(model, folder)
    config = model.peft_config["default"]
    config.inference_mode = True
    config.save_pretrained(str(folder))
    config.inference_mode = False


class MultiAdapterModel:
    """A base that answers with one adapter or another; those used last stay in memory."""

    def __init__(self, base: LocalBaseModel, kept: int = 20) -> None:
        self.model: Any = load_base(base).eval()
        self._kept = kept
        self._layers: list[BaseTunerLayer] = []
        self._names: OrderedDict[Path, str] = OrderedDict()
        self._active: Path | None = None
        self._loads = 0

    def activate(self, adapter: Path | None) -> None:
        """Answer with this adapter from now on; None is the base as it is. Free where nothing changes."""
        if adapter == self._active:
            return
        if adapter is None:
            self.model.base_model.disable_adapter_layers()
        else:
            name = self._ensure_loaded(adapter)
            if self._active is None:
                self.model.base_model.enable_adapter_layers()
            self._set_active(name)
        self._active = adapter

    def _set_active(self, name: str) -> None:
        """As PeftModel.set_adapter, without its walk over the gradients of all: 17 ms with 20 adapters."""
        for layer in self._layers:
            layer._active_adapter = [name]
        self.model.base_model.active_adapter = self.model.active_adapter = name

    def _ensure_loaded(self, adapter: Path) -> str:
        """The adapter's name in PEFT's model, into which it is loaded where it is not there yet."""
        if adapter not in self._names:
            self._load(adapter, f"adapter{self._loads}")
            self._loads += 1
        self._names.move_to_end(adapter)
        return self._names[adapter]

    def _load(self, adapter: Path, name: str) -> None:
        if not (adapter / WEIGHTS).exists():
            raise FileNotFoundError(f"There is no adapter in {adapter}.")
        if not self._names:
            self.model = PeftModel.from_pretrained(self.model, adapter, adapter_name=name)
            self._layers = [layer for layer in self.model.modules() if isinstance(layer, BaseTunerLayer)]
        else:
            self.model.load_adapter(adapter, adapter_name=name)
        self._names[adapter] = name
        if len(self._names) > self._kept:
            _, oldest = self._names.popitem(last=False)
            self.model.delete_adapter(oldest)
