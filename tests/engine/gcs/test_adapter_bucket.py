"""Adapters to take away: objects that PEFT loads and merges, and that say what the endpoint says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

from engine.base_models.registry import LocalBaseModel
from engine.training.chat_template import ChatTemplate
from tests.engine.running_engine import Engine

pytestmark = pytest.mark.engine

BUCKET = "storage/v1/b/studio-adapters"
FILES = ["adapter_config.json", "adapter_model.safetensors", "checkpoint.json"]


def job_id(tuned: dict[str, Any]) -> str:
    return str(tuned["name"].rpartition("/")[2])


def list_names(engine: Engine, prefix: str) -> list[str]:
    return [item["name"] for item in engine.get(f"{BUCKET}/o?prefix={prefix}").json().get("items", [])]


def download(engine: Engine, name: str, folder: Path) -> None:
    answer = engine.get(f"download/{BUCKET}/o/{name.replace('/', '%2F')}?alt=media")
    answer.raise_for_status()
    (folder / name.rpartition("/")[2]).write_bytes(answer.content)


def generate_text(model: Any, chat: ChatTemplate, prompt: list[int], tokens: int) -> str:
    made = model.generate(
        input_ids=torch.tensor([prompt]),
        attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
        do_sample=False,
        max_new_tokens=tokens,
    )
    return chat.decode_tokens(made[0, len(prompt) :].tolist()).rstrip("\ufffd")


def test_downloaded_adapter_loads_merges_and_answers_like_the_endpoint(
    engine: Engine, tuned: dict[str, Any], base: LocalBaseModel, chat: ChatTemplate, tmp_path: Path
) -> None:
    names = list_names(engine, f"{job_id(tuned)}/2/")
    assert [name.rpartition("/")[2] for name in names] == FILES
    for name in names:
        download(engine, name, tmp_path)
    prompt = chat.encode_prompt([{"role": "user", "content": "word 3"}])
    model = AutoModelForCausalLM.from_pretrained(base.folder, dtype=torch.float32)
    untuned = generate_text(model, chat, prompt, 12)
    adapted: Any = PeftModel.from_pretrained(model, tmp_path)
    merged = PeftModel.from_pretrained(
        AutoModelForCausalLM.from_pretrained(base.folder, dtype=torch.float32), tmp_path
    ).merge_and_unload()
    body = {
        "contents": [{"role": "user", "parts": [{"text": "word 3"}]}],
        "generationConfig": {"temperature": 0, "maxOutputTokens": 12},
    }
    answer = engine.post(f"v1/{tuned['tunedModel']['endpoint']}:generateContent", body).json()
    text = answer["candidates"][0]["content"]["parts"][0]["text"]
    assert (
        generate_text(adapted, chat, prompt, 12) == generate_text(merged, chat, prompt, 12) == text != untuned
    )


def test_every_checkpoint_is_listed_and_a_missing_job_has_none(engine: Engine, tuned: dict[str, Any]) -> None:
    found = list_names(engine, "")
    assert {f"{job_id(tuned)}/{number}/{file}" for number in (1, 2) for file in FILES} <= set(found)
    assert list_names(engine, "1" * 19) == []
    assert engine.get(f"{BUCKET}/o/{'1' * 19}%2F1%2Fcheckpoint.json").status_code == 404


@pytest.mark.parametrize("verb", ["POST", "DELETE"])
def test_adapter_bucket_is_read_only(engine: Engine, tuned: dict[str, Any], verb: str) -> None:
    name = list_names(engine, job_id(tuned))[0]
    path = f"upload/{BUCKET}/o?name=x" if verb == "POST" else f"{BUCKET}/o/{name.replace('/', '%2F')}"
    refused = engine.call(verb, path, data=b"x")
    assert (refused.status_code, "tuned adapters" in refused.text) == (403, True)
    assert name in list_names(engine, job_id(tuned))
