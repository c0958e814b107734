"""The engine of `make run` answers this installation only: another account of the machine has no token."""

from __future__ import annotations

import pytest

from tests.stack import Person, Stack

JOBS = "v1/projects/local/locations/us-central1/tuningJobs"
SAMPLE = "ai-platform%2Fgenerative_ai%2Fsft_train_data.jsonl"
PATHS = {
    "jobs": JOBS,
    "buckets": "storage/v1/b",
    "objects": "storage/v1/b/tuning-data/o",
    "download": f"storage/v1/b/cloud-samples-data/o/{SAMPLE}?alt=media",
    "adapters": "storage/v1/b/studio-adapters/o",
}


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS.keys())
def test_engine_of_the_stack_asks_for_its_token(stack: Stack, path: str) -> None:
    assert stack.get_from_engine(path).status_code == 200
    for wrong in ("", "wrong"):
        assert stack.get_from_engine(path, token=wrong).status_code == 401


def test_token_is_readable_by_its_owner_only(stack: Stack) -> None:
    file = stack.state / "engine.token"
    assert file.stat().st_mode & 0o777 == 0o600
    assert len(stack.engine_token) > 30


def test_projects_reach_the_engine_with_the_token(admin: Person) -> None:
    """The project that was there before the token, too: its row holds none."""
    page = admin.send("/p/local/settings/connection/", page="/p/local/settings/").text
    assert "The connection works." in page
