"""The bases and the names they answer to."""

import json
import os
from pathlib import Path

import pytest

from engine.bases import STAND_INS, Base, all_bases, resolve
from tests.engine.tiny import write_base


def test_base_json_becomes_a_base(base: Base, base_folder: Path) -> None:
    assert (base.id, base.folder, base.context_tokens) == ("studio-tiny", base_folder, 128)
    assert (base.learning_rate, base.lora_alpha, base.adapter_size) == (0.01, 16, 4)


@pytest.mark.parametrize(("examples", "epochs"), [(1, 6), (8, 6), (16, 3), (17, 2), (4_000, 1)])
def test_recommended_epochs_follow_the_number_of_examples(base: Base, examples: int, epochs: int) -> None:
    assert base.recommended_epochs(examples) == epochs


def test_extra_folders_add_bases_and_replace_those_of_the_same_id(
    base_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = write_base(tmp_path / "other", id="other")
    monkeypatch.setenv("ENGINE_BASES", f"{base_folder}{os.pathsep}{other}")
    assert {base.id: base.folder for base in all_bases()} == {"studio-tiny": base_folder, "other": other}


def test_our_own_ids_are_no_stand_ins(base: Base) -> None:
    resolved = resolve("publishers/google/models/studio-tiny")
    assert resolved is not None
    assert (resolved.base, resolved.model_version) == (base, "studio-tiny")
    assert resolved.adapter_sizes == (1, 2, 4, 8, 16, 32)
    assert (resolved.adapter_size, resolved.example_tokens) == (4, 128)


def test_a_gemini_name_is_answered_by_a_stand_in_that_says_so(base: Base) -> None:
    resolved = resolve("gemini-1.5-flash-002")
    assert resolved is not None
    assert resolved.model_version == "studio-tiny (stand-in for gemini-1.5-flash-002)"
    assert resolved.adapter_sizes == (1, 4, 8, 16)
    assert (resolved.adapter_size, resolved.example_tokens) == (8, 128)


def test_every_stand_in_resolves(base: Base) -> None:
    assert len(STAND_INS) == 11
    assert all(resolve(name) for name in STAND_INS)


@pytest.mark.parametrize(
    "name", ["", "gemini-9", "gpt-2", "../studio-tiny", "publishers/other/models/studio-tiny"]
)
def test_other_names_are_unknown(base: Base, name: str) -> None:
    assert resolve(name) is None


def test_a_base_without_its_settings_is_an_error_that_names_them(tmp_path: Path) -> None:
    folder = write_base(tmp_path / "base")
    about = json.loads((folder / "base.json").read_text())
    del about["recommended"]["steps"]
    (folder / "base.json").write_text(json.dumps(about))
    with pytest.raises(KeyError, match="steps"):
        Base.read(folder)
