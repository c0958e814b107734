"""A two-layer model with random weights and one token per byte: what tests train, made without torch."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

SPECIAL = ["<|pad|>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>"]
TEMPLATE = (
    "{%- for message in messages -%}<|{{ message['role'] }}|>{{ message['content'] }}<|end|>{%- endfor -%}"
    "{%- if add_generation_prompt -%}<|assistant|>{%- endif -%}"
)
HIDDEN, LAYERS, HEADS, INNER = 32, 2, 2, 64
RECOMMENDED = {
    "learningRate": 0.01,
    "loraAlpha": 16,
    "batchSize": 4,
    "adapterSize": 4,
    "steps": 12,
    "maxEpochs": 6,
    "warmup": 0.1,
}


def write_base(
    folder: Path, id: str = "studio-tiny", template: str = TEMPLATE, context_tokens: int = 128
) -> Path:
    """A base in `folder`, as engine/base/ holds the real one; the same weights each time."""
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = _write_tokenizer(folder, template)
    save_file(_make_weights(vocabulary), folder / "model.safetensors", metadata={"format": "pt"})
    sha256 = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    about = {
        "id": id,
        "description": "Random weights for tests.",
        "parameters": 35_000,
        "contextTokens": context_tokens,
        "sha256": sha256,
        "recommended": RECOMMENDED,
    }
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": vocabulary,
        "hidden_size": HIDDEN,
        "intermediate_size": INNER,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": HEADS,
        "max_position_embeddings": context_tokens,
        "tie_word_embeddings": True,
        "pad_token_id": 0,
        "eos_token_id": SPECIAL.index("<|end|>"),
        "bos_token_id": None,
    }
    (folder / "base.json").write_text(json.dumps(about))
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def _write_tokenizer(folder: Path, template: str) -> int:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: number for number, token in enumerate(SPECIAL + alphabet)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in SPECIAL])
    tokenizer.save(str(folder / "tokenizer.json"))
    about = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "pad_token": "<|pad|>",
        "eos_token": "<|end|>",
        "clean_up_tokenization_spaces": False,
        "chat_template": template,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(about))
    return len(vocabulary)


def _make_weights(vocabulary: int) -> dict[str, np.ndarray[Any, Any]]:
    random = np.random.default_rng(0)

    def matrix(rows: int, columns: int) -> np.ndarray[Any, Any]:
        return random.normal(0, 0.2, (rows, columns)).astype(np.float32)

    weights = {"model.embed_tokens.weight": matrix(vocabulary, HIDDEN)}
    for layer in range(LAYERS):
        prefix = f"model.layers.{layer}."
        for name in ("q_proj", "k_proj", "v_proj", "o_proj"):
            weights[f"{prefix}self_attn.{name}.weight"] = matrix(HIDDEN, HIDDEN)
        weights[f"{prefix}mlp.gate_proj.weight"] = matrix(INNER, HIDDEN)
        weights[f"{prefix}mlp.up_proj.weight"] = matrix(INNER, HIDDEN)
        weights[f"{prefix}mlp.down_proj.weight"] = matrix(HIDDEN, INNER)
        for name in ("input_layernorm", "post_attention_layernorm"):
            weights[f"{prefix}{name}.weight"] = np.ones(HIDDEN, dtype=np.float32)
    weights["model.norm.weight"] = np.ones(HIDDEN, dtype=np.float32)
    return weights


def example(user: str, model: str, system: str | None = None) -> dict[str, Any]:
    """One line of tuning data in Gemini's form."""
    line: dict[str, Any] = {
        "contents": [
            {"role": "user", "parts": [{"text": user}]},
            {"role": "model", "parts": [{"text": model}]},
        ]
    }
    if system:
        line["systemInstruction"] = {"parts": [{"text": system}]}
    return line


def write_lines(path: Path, lines: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
    return path
