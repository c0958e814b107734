"""Drafts: all drafts of a project are listed; only the owner changes them, others copy them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from jobs.models import TuningJob
from studio.models import AuditEntry, Role
from tests.jobs.wizard.test_wizard import address, details

pytestmark = [pytest.mark.django_db, pytest.mark.sql]
DRAFTS = "/p/local/jobs/drafts/"


@pytest.fixture
def owner(tuner: User, browser_of: Callable[[User], Client]) -> Client:
    return browser_of(tuner)


@pytest.fixture
def visitor(person: Callable[..., User], browser_of: Callable[[User], Client]) -> Callable[[Role], Client]:
    return lambda role: browser_of(person(role, f"a {role}"))


def test_list_shows_owner_and_age(owner: Client, draft: TuningJob, tuner: User) -> None:
    hours = timezone.now() - timedelta(hours=2, minutes=5)
    TuningJob.objects.filter(pk=draft.pk).update(created_at=hours, updated_at=hours)
    page = owner.get(DRAFTS).content.decode()
    assert "intents" in page and "studio-tiny" in page and "train.jsonl" in page and str(tuner) in page
    assert page.count("2 h ago</time>") == 2 and f'datetime="{hours.isoformat()}"' in page
    assert f'href="{address("model", draft)}"' in page and f'href="{address("discard", draft)}"' in page


@pytest.mark.parametrize(
    ("role", "opens", "copies", "discards"),
    [(Role.VIEWER, 0, 0, 0), (Role.TUNER, 1, 1, 0), (Role.ADMIN, 1, 1, 1)],
)
def test_list_offers_actions_by_role(
    visitor: Callable[[Role], Client], draft: TuningJob, role: Role, opens: int, copies: int, discards: int
) -> None:
    page = visitor(role).get(DRAFTS).content.decode()
    assert "intents" in page and ">Continue<" not in page
    assert page.count(f'href="{address("model", draft)}"') == opens
    assert page.count("Copy to my drafts") == copies
    assert page.count(f'href="{address("discard", draft)}"') == discards
    assert "intents" not in get_own_drafts(visitor, role)


def get_own_drafts(visitor: Callable[[Role], Client], role: Role) -> str:
    client = Client()
    client.force_login(User.objects.get(username=f"a {role}"))
    return client.get(f"{DRAFTS}?mine").content.decode()


def test_only_the_owner_can_change_a_draft(visitor: Callable[[Role], Client], draft: TuningJob) -> None:
    for role in (Role.TUNER, Role.ADMIN):
        other = visitor(role)
        answer = other.get(address("model", draft))
        assert answer.status_code == 403 and "This draft belongs to" in answer.content.decode()
        assert "id_tuned_model_display_name" not in answer.content.decode()
        assert other.post(address("model", draft), details(epoch_count="9")).status_code == 403
        for name in ("remove", "validation", "start", "locate", "sample"):
            assert other.post(address(name, draft), {"purpose": "training"}).status_code == 403
        assert other.get(address("dataset", draft)).status_code == 403
    draft.refresh_from_db()
    assert draft.is_draft and draft.training and draft.epoch_count is None


def test_colleague_can_copy_a_draft(visitor: Callable[[Role], Client], draft: TuningJob, tuner: User) -> None:
    answer = visitor(Role.TUNER).post(address("again", draft))
    copy = TuningJob.objects.exclude(pk=draft.pk).get()
    assert answer.headers["Location"] == address("model", copy)
    assert str(copy.owner) == "a tuner" and copy.training == draft.training
    draft.refresh_from_db()
    assert draft.owner == tuner


def test_owner_confirms_and_discards_a_draft(owner: Client, draft: TuningJob) -> None:
    asked = owner.get(address("discard", draft))
    assert asked.status_code == 200 and "Discard “intents”?" in asked.content.decode()
    assert TuningJob.objects.exists()
    assert owner.post(address("discard", draft)).headers["Location"] == DRAFTS
    assert not TuningJob.objects.exists()
    assert AuditEntry.objects.filter(action="tuning_job.discard").count() == 1
    assert owner.post(address("discard", draft)).headers["Location"] == DRAFTS, "a second click does no harm"
    assert owner.get(address("discard", draft)).status_code == 404


def test_admin_but_not_tuner_can_discard_the_draft_of_another(
    visitor: Callable[[Role], Client], draft: TuningJob
) -> None:
    assert visitor(Role.TUNER).get(address("discard", draft)).status_code == 403
    admin = visitor(Role.ADMIN)
    assert "This draft belongs to" in admin.get(address("discard", draft)).content.decode()
    assert admin.post(address("discard", draft)).status_code == 302
    assert not TuningJob.objects.exists()


def test_started_job_cannot_be_discarded(owner: Client, draft: TuningJob, tuner: User) -> None:
    draft.start(tuner)
    answer = owner.post(address("discard", draft))
    assert answer.headers["Location"] == address("detail", draft)
    assert TuningJob.objects.filter(pk=draft.pk).exists()


def test_list_is_ordered_by_last_change_in_constant_queries(
    owner: Client, draft: TuningJob, tuner: User, django_assert_max_num_queries: Callable[[int], Any]
) -> None:
    for _copy in range(60):
        draft.copy_to_draft(tuner)
    draft.update_draft(tuned_model_display_name="touched last")
    with django_assert_max_num_queries(11):
        page = owner.get(DRAFTS).content.decode()
    assert page.index("touched last") < page.index("intents") and "1–50 of 61" in page
    assert "51–61 of 61" in owner.get(f"{DRAFTS}?page=2").content.decode()


def test_empty_list_says_no_drafts(owner: Client) -> None:
    assert "No drafts" in owner.get(DRAFTS).content.decode()


def test_empty_job_list_links_to_drafts(visitor: Callable[[Role], Client], draft: TuningJob) -> None:
    page = visitor(Role.TUNER).get("/p/local/jobs/").content.decode()
    assert "No tuned models in this project yet" in page and f'href="{DRAFTS}"' in page
