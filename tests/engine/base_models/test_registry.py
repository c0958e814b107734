"""The bases and the names they answer to."""

import hashlib
import json
import os
import shutil
from pathlib import Path

import pytest

from engine.base_models import hf_folder
from engine.base_models.hf_folder import BaseModelError
from engine.base_models.registry import (
    STAND_INS,
    LocalBaseModel,
    list_base_models,
    prepare_base_models,
    resolve_base_model,
)
from tests.engine.tiny_base import write_base


def test_base_json_becomes_a_base(base: LocalBaseModel, base_folder: Path) -> None:
    assert (base.id, base.folder, base.context_tokens) == ("studio-tiny", base_folder, 128)
    assert (base.learning_rate, base.lora_alpha, base.adapter_size) == (0.01, 16, 4)


@pytest.mark.parametrize(("examples", "epochs"), [(1, 6), (8, 6), (16, 3), (17, 2), (4_000, 1)])
def test_recommended_epochs_follow_the_number_of_examples(
    base: LocalBaseModel, examples: int, epochs: int
) -> None:
    assert base.recommended_epochs(examples) == epochs


def test_extra_folders_add_bases_and_replace_those_of_the_same_id(
    base_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = write_base(tmp_path / "other", id="other")
    monkeypatch.setenv("ENGINE_BASES", f"{base_folder}{os.pathsep}{other}")
    assert {base.id: base.folder for base in list_base_models()} == {
        "studio-tiny": base_folder,
        "other": other,
    }


def test_own_ids_are_not_stand_ins(base: LocalBaseModel) -> None:
    resolved = resolve_base_model("publishers/google/models/studio-tiny")
    assert resolved is not None
    assert (resolved.base, resolved.model_version) == (base, "studio-tiny")
    assert resolved.adapter_sizes == (1, 2, 4, 8, 16, 32)
    assert (resolved.adapter_size, resolved.example_tokens) == (4, 128)


def test_gemini_name_resolves_to_a_labeled_stand_in(base: LocalBaseModel) -> None:
    resolved = resolve_base_model("gemini-1.5-flash-002")
    assert resolved is not None
    assert resolved.model_version == "studio-tiny (stand-in for gemini-1.5-flash-002)"
    assert resolved.adapter_sizes == (1, 4, 8, 16)
    assert (resolved.adapter_size, resolved.example_tokens) == (8, 128)


def test_every_stand_in_resolves(base: LocalBaseModel) -> None:
    assert len(STAND_INS) == 11
    assert all(resolve_base_model(name) for name in STAND_INS)


@pytest.mark.parametrize(
    "name", ["", "gemini-9", "gpt-2", "../studio-tiny", "publishers/other/models/studio-tiny"]
)
def test_other_names_do_not_resolve(base: LocalBaseModel, name: str) -> None:
    assert resolve_base_model(name) is None


def test_base_without_settings_raises_an_error_naming_them(tmp_path: Path) -> None:
    folder = write_base(tmp_path / "base")
    about = json.loads((folder / "base.json").read_text())
    del about["recommended"]["steps"]
    (folder / "base.json").write_text(json.dumps(about))
    with pytest.raises(KeyError, match="steps"):
        LocalBaseModel.from_folder(folder)


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """A model folder without a base.json, as Hugging Face has them."""
    folder = write_base(tmp_path / "models" / "Some Chat-0.5B")
    (folder / "base.json").unlink()
    return folder


@pytest.mark.engine
def test_plain_model_folder_is_a_base_model(plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import AutoModelForCausalLM

    monkeypatch.setenv("ENGINE_BASES", str(plain))
    found = resolve_base_model("Some-Chat-0.5B")
    assert found is not None
    weights = plain / "model.safetensors"
    assert found.base.sha256 == hashlib.sha256(weights.read_bytes()).hexdigest()
    assert found.base.parameters == AutoModelForCausalLM.from_pretrained(plain).num_parameters()
    assert (found.base.folder, found.base.context_tokens, found.base.learning_rate) == (plain, 128, 5e-3)
    assert found.stand_in_for is None


def test_different_weights_change_the_sha256(plain: Path) -> None:
    before = LocalBaseModel.from_folder(plain).sha256
    weights = bytearray((plain / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (plain / "model.safetensors").write_bytes(weights)
    assert LocalBaseModel.from_folder(plain).sha256 != before


@pytest.mark.parametrize(
    ("parameters", "rate", "epochs"), [(1_650_080, 5e-3, 30), (30_000_000, 1e-3, 30), (494_000_000, 2e-4, 5)]
)
def test_recommended_settings_depend_on_model_size(parameters: int, rate: float, epochs: int) -> None:
    chosen = hf_folder.recommend_settings(parameters)
    assert (chosen["learningRate"], chosen["maxEpochs"]) == (rate, epochs)


def test_hugging_face_id_is_looked_up_in_the_cache(
    plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cache as huggingface_hub lays it out, filled by hand."""
    cache = tmp_path / "cache"
    kept = cache / "models--Acme--Chat-0.5B"
    (kept / "refs").mkdir(parents=True)
    (kept / "refs" / "main").write_text("abc")
    shutil.copytree(plain, kept / "snapshots" / "abc")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
    monkeypatch.setenv("ENGINE_BASES", "Acme/Chat-0.5B")
    found = resolve_base_model("Chat-0.5B")
    assert found is not None
    assert found.base.folder == kept / "snapshots" / "abc"


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ("/nowhere/at-all", "there is no such folder"),
        ("nowhere", "there is no such folder"),
        ("Acme/Chat", "cached or can be downloaded .* name its folder"),
    ],
)
def test_missing_base_raises_at_start_and_is_skipped_later(
    entry: str, reason: str, base_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setenv("ENGINE_BASES", f"{entry}{os.pathsep}{base_folder}")
    with pytest.raises(BaseModelError, match=f"ENGINE_BASES names {entry}, .*{reason}"):
        prepare_base_models()
    assert [base.folder for base in list_base_models()] == [base_folder]


@pytest.mark.parametrize(
    ("missing", "reason"),
    [
        ("config.json", "contains no model"),
        ("model.safetensors", "contains no model"),
        ("tokenizer_config.json", "no chat template. Use a chat model"),
    ],
)
def test_folder_without_a_chat_model_names_what_it_needs(plain: Path, missing: str, reason: str) -> None:
    (plain / missing).unlink()
    with pytest.raises(BaseModelError, match=reason):
        LocalBaseModel.from_folder(plain)
