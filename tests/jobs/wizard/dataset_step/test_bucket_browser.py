"""The browser of a bucket whose listing has entries that can't be read."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from jobs.models import TuningJob
from tests.studio.vertex.double import FakeVertexServer, json_answer

pytestmark = pytest.mark.django_db


def browse(client: Client, draft: TuningJob, owner: User, place: str) -> str:
    client.force_login(owner)
    answer = client.get(reverse("jobs:browse", args=["local", draft.pk]), {"at": place})
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        ([{"name": "a\0.jsonl"}], "1 entry can’t be read and isn’t listed."),
        (
            ["x", {"name": "a\ud800"}, {"name": "b.jsonl", "size": "-1"}],
            "3 entries can’t be read and aren’t listed.",
        ),
    ],
)
def test_bad_entries_are_told_and_the_others_listed(
    client: Client, draft: TuningJob, tuner: User, service: FakeVertexServer, bad: list[Any], told: str
) -> None:
    good = {"name": "good.jsonl", "size": "5", "generation": "1"}
    service.otherwise = lambda asked: json_answer({"items": [*bad, good]})
    page = browse(client, draft, tuner, draft.project.storage_places().own)
    assert "good.jsonl" in page and told in page


@pytest.mark.parametrize("answer", [[], 5, "x", {"items": 5}, {"error": "text"}], ids=str)
def test_an_answer_of_another_shape_is_told(
    client: Client, draft: TuningJob, tuner: User, service: FakeVertexServer, answer: Any
) -> None:
    service.otherwise = lambda asked: json_answer(answer, 403 if "error" in str(answer) else 200)
    assert 'role="alert"' in browse(client, draft, tuner, draft.project.storage_places().own)
