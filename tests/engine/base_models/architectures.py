"""Plain model folders of other families, as they lie at Hugging Face: random weights, their own templates."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import AutoConfig, AutoModelForCausalLM

# ChatML, with the words that are put in where a conversation brings no system message
CHATML = (
    "{%- if messages[0]['role'] != 'system' -%}<|im_start|>system\nHelp.<|im_end|>\n{% endif -%}"
    "{%- for message in messages -%}"
    "<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>{{ '\\n' }}"
    "{%- endfor -%}{%- if add_generation_prompt -%}<|im_start|>assistant\n{% endif -%}"
)
# no system role, the beginning written by the template, another word for the assistant
TURNS = (
    "{%- if messages[0]['role'] == 'system' -%}{{ raise_exception('No system role') }}{%- endif -%}"
    "{{ bos_token }}{%- for message in messages -%}"
    "<start_of_turn>{{ 'model' if message['role'] == 'assistant' else message['role'] }}\n"
    "{{ message['content'] | trim }}<end_of_turn>{{ '\\n' }}"
    "{%- endfor -%}{%- if add_generation_prompt -%}<start_of_turn>model\n{% endif -%}"
)
SIZES = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}


def write_qwen2(folder: Path) -> Path:
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    tokenizer = Tokenizer(
        models.BPE(_number_tokens([*special, *sorted(pre_tokenizers.ByteLevel.alphabet())]), [])
    )
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    about = {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>", "chat_template": CHATML}
    _write_tokenizer(folder, tokenizer, special, about)
    return _write_model(folder, "qwen2", tokenizer, {**SIZES, "num_key_value_heads": 1, "eos_token_id": 2})


def write_gemma(folder: Path) -> Path:
    special = ["<pad>", "<eos>", "<bos>", "<unk>", "<start_of_turn>", "<end_of_turn>"]
    bytes = [f"<0x{byte:02X}>" for byte in range(256)]
    letters = ["▁", "\n", *"abcdefghijklmnopqrstuvwxyzS0123456789."]
    tokenizer = Tokenizer(
        models.BPE(_number_tokens([*special, *bytes, *letters]), [], unk_token="<unk>", byte_fallback=True)
    )
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    about = {"bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<pad>", "unk_token": "<unk>"}
    _write_tokenizer(folder, tokenizer, special, about)
    (folder / "chat_template.jinja").write_text(TURNS)
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": [1, 5]}))
    return _write_model(folder, "gemma", tokenizer, {**SIZES, "num_key_value_heads": 2, "head_dim": 16})


def write_gpt_neox(folder: Path) -> Path:
    """With Qwen's tokenizer; biases, one matrix for query, key and value, an output layer of its own."""
    write_qwen2(folder)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    return _write_model(folder, "gpt_neox", tokenizer, {**SIZES, "eos_token_id": 2})


def _number_tokens(tokens: Sequence[str]) -> dict[str, int]:
    return {token: number for number, token in enumerate(tokens)}


def _write_tokenizer(folder: Path, tokenizer: Any, special: Sequence[str], about: dict[str, Any]) -> None:
    folder.mkdir(parents=True)
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in special])
    tokenizer.save(str(folder / "tokenizer.json"))
    about = {"tokenizer_class": "PreTrainedTokenizerFast", **about}
    (folder / "tokenizer_config.json").write_text(json.dumps(about))


def _write_model(folder: Path, family: str, tokenizer: Any, sizes: dict[str, Any]) -> Path:
    torch.manual_seed(2)
    size = tokenizer.get_vocab_size()
    config = AutoConfig.for_model(family, vocab_size=size, max_position_embeddings=160, **sizes)
    config.initializer_range = 0.2
    model: Any = AutoModelForCausalLM.from_config(config)
    kept = (folder / "generation_config.json").read_text() if family == "gemma" else None
    model.save_pretrained(folder)
    if kept:
        (folder / "generation_config.json").write_text(kept)
    return folder
