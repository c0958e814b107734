"""The pages of conversations and their access rules."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from jobs.chat.models import Conversation, Turn
from jobs.datasets.models import Dataset
from jobs.models import TuningJob
from studio.models import AuditEntry, Project, Role
from tests.jobs.chat.conftest import ENDPOINT, OLDER, PLACE, make_job

LIST = "/p/local/chats/"
NEW = "/p/local/chats/new/"


@pytest.fixture
def browser(tuner: User, browser_of: Callable[[User], Client]) -> Client:
    return browser_of(tuner)


def read_page(browser: Client, path: str) -> str:
    page = browser.get(path)
    assert page.status_code == 200
    return page.content.decode()


def create_conversation(
    owner: User, project: Project, prompt: str = "hello", **fields: object
) -> Conversation:
    conversation = Conversation.objects.create(
        project=project, owner=owner, resource=ENDPOINT, title=prompt, **fields
    )
    Turn.objects.create(conversation=conversation, prompt=prompt, reply="yes", state="complete")
    return conversation


# ---- the list ----


def test_the_list_without_tuned_models_explains_itself(browser: Client) -> None:
    page = read_page(browser, LIST)
    assert "Nothing to test yet" in page
    assert reverse("jobs:list", args=["local"]) in page


def test_the_list_shows_every_conversation_with_its_owner(
    browser: Client, project: Project, tuner: User, person: Callable[..., User]
) -> None:
    create_conversation(tuner, project, "where is my money?")
    create_conversation(person(Role.ADMIN, "mika"), project, "can I change my PIN?")
    Conversation.objects.create(project=project, owner=tuner, resource=ENDPOINT, title="never asked")
    page = read_page(browser, LIST)
    assert "where is my money?" in page
    assert "can I change my PIN?" in page
    assert "mika" in page
    assert "never asked" not in page


def test_a_model_can_be_tested_once_it_has_an_endpoint(browser: Client, job: TuningJob) -> None:
    half_done = {"tunedModel": {"model": f"{PLACE}/models/9@1"}}
    make_job(job.project, job.owner, remote=half_done)
    page = read_page(browser, LIST)
    assert page.count(f'name="job" value="{job.pk}"') == 1
    assert page.count('name="job"') == 1
    assert "2 checkpoints" in page
    assert "The endpoint isn’t ready" in page


def test_the_number_of_queries_does_not_grow_with_the_list(
    browser: Client,
    project: Project,
    tuner: User,
    job: TuningJob,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    for number in range(60):
        create_conversation(tuner, project, f"question {number}", job=job)
    with django_assert_max_num_queries(10):
        page = read_page(browser, LIST)
    assert "1–50 of 60" in page
    assert "51–60 of 60" in read_page(browser, f"{LIST}?page=2")


# ---- a new one ----


def start_conversation(browser: Client, job: TuningJob, **data: object) -> Conversation:
    answer = browser.post(NEW, {"job": job.pk, **data})
    conversation = Conversation.objects.latest("pk")
    assert answer.url == conversation.get_absolute_url()
    return conversation


def test_a_conversation_starts_with_the_default_checkpoint_and_default_settings(
    browser: Client, job: TuningJob
) -> None:
    conversation = start_conversation(browser, job)
    assert (conversation.resource, conversation.job) == (ENDPOINT, job)
    assert conversation.generation_config["temperature"] == 0
    page = read_page(browser, conversation.get_absolute_url())
    assert "banking intents" in page
    assert f'data-copy="{ENDPOINT}"' in page
    assert f'data-copy="{PLACE}/models/55@1"' in page
    assert "Ask something" in page


def test_another_checkpoint_can_be_chosen_and_settings_are_copied(browser: Client, job: TuningJob) -> None:
    first = start_conversation(browser, job)
    first.system_instruction, first.generation_config = "Be brief.", {"topK": 3}
    first.save()
    other = start_conversation(browser, job, endpoint=OLDER, like=first.pk)
    assert (other.resource, other.system_instruction, other.generation_config) == (
        OLDER,
        "Be brief.",
        {"topK": 3},
    )
    assert "Checkpoint 1 · epoch 1" in read_page(browser, other.get_absolute_url())


def test_only_the_jobs_own_endpoints_are_accepted(browser: Client, job: TuningJob) -> None:
    page = browser.post(NEW, {"job": job.pk, "endpoint": f"{PLACE}/models/55@1"}, follow=True)
    assert "This model has no endpoint yet." in page.content.decode()
    assert not Conversation.objects.exists()


@pytest.mark.parametrize("number", ["", "x", "999999"])
def test_an_unknown_job_is_not_found(browser: Client, number: str) -> None:
    assert browser.post(NEW, {"job": number}).status_code == 404


def test_the_job_can_be_a_query_parameter(browser: Client, job: TuningJob) -> None:
    assert browser.post(f"{NEW}?job={job.pk}").status_code == 302


def test_instruction_and_starters_come_from_the_dataset(
    browser: Client, project: Project, tuner: User, sampled: Callable[..., Dataset]
) -> None:
    job = make_job(
        project,
        tuner,
        training=sampled("learned this", system="Name the intent."),
        validation=sampled("one?", "two?", "cut…", "three?", "four?"),
    )
    conversation = start_conversation(browser, job)
    assert conversation.system_instruction == "Name the intent."
    page = read_page(browser, conversation.get_absolute_url())
    assert [question in page for question in ("one?", "two?", "three?", "four?", "cut…")] == [
        True,
        True,
        True,
        False,
        False,
    ]
    assert "From the validation dataset:" in page
    assert "From the training dataset." in page


def test_starters_come_from_the_services_statistics_without_samples(
    browser: Client, project: Project, tuner: User
) -> None:
    said = [
        {"role": "user", "parts": [{"text": "Where is my card?"}]},
        {"role": "model", "parts": [{"text": "card_arrival"}]},
        {"role": "user", "parts": [{"text": "A very long quest..."}]},
    ]
    job = make_job(project, tuner)
    job.remote["tuningDataStats"] = {"supervisedTuningDataStats": {"userDatasetExamples": said}}
    job.save()
    page = read_page(browser, start_conversation(browser, job).get_absolute_url())
    assert "Where is my card?" in page
    assert "card_arrival" not in page
    assert "A very long quest" not in page


# ---- who may do what ----


def test_a_viewer_reads_without_buttons(
    conversation: Conversation, person: Callable[..., User], browser_of: Callable[[User], Client]
) -> None:
    Turn.objects.create(conversation=conversation, prompt="hello", reply="yes", state="complete")
    viewer = browser_of(person(Role.VIEWER))
    page = read_page(viewer, conversation.get_absolute_url())
    assert "yes" in page
    for absent in ("Submit", "Regenerate", "Clear", "Delete"):
        assert absent not in page
    assert 'name="job"' not in read_page(viewer, LIST)


@pytest.mark.parametrize("name", ["ask", "ask_again", "delete"])
def test_a_viewer_cannot_write(
    name: str,
    conversation: Conversation,
    person: Callable[..., User],
    browser_of: Callable[[User], Client],
) -> None:
    path = reverse(f"talk:{name}", args=["local", conversation.pk])
    assert browser_of(person(Role.VIEWER)).post(path, {"prompt": "hi"}).status_code == 403
    assert Conversation.objects.filter(pk=conversation.pk).exists()
    assert not Turn.objects.exists()


@pytest.mark.parametrize("name", ["ask", "ask_again", "delete"])
def test_another_tuner_cannot_continue_the_conversation(
    name: str,
    conversation: Conversation,
    person: Callable[..., User],
    browser_of: Callable[[User], Client],
) -> None:
    other = browser_of(person(Role.TUNER, "other"))
    path = reverse(f"talk:{name}", args=["local", conversation.pk])
    assert other.post(path, {"prompt": "hi"}).status_code == 403
    assert "Only they can continue it." in read_page(other, conversation.get_absolute_url())


@pytest.mark.parametrize("name", ["conversation", "ask", "ask_again", "delete", "turn", "stream", "stop"])
def test_a_conversation_of_another_project_is_not_found(
    name: str, browser: Client, conversation: Conversation, tuner: User
) -> None:
    elsewhere = Project.objects.create(slug="elsewhere", name="Elsewhere", project_id="x")
    elsewhere.membership_set.create(user=tuner, role=Role.TUNER)
    turn = Turn.objects.create(conversation=conversation, prompt="hello")
    more = [turn.pk] if name in {"turn", "stream", "stop"} else []
    path = reverse(f"talk:{name}", args=["elsewhere", conversation.pk, *more])
    method = browser.get if name in {"conversation", "turn", "stream"} else browser.post
    assert method(path).status_code == 404


def test_a_turn_of_another_conversation_is_not_found(
    browser: Client, conversation: Conversation, project: Project, tuner: User
) -> None:
    other = create_conversation(tuner, project)
    turn = other.turn_set.get()
    path = reverse("talk:stream", args=["local", conversation.pk, turn.pk])
    assert browser.get(path).status_code == 404


# ---- delete ----


def test_the_owner_deletes_after_a_confirmation(
    browser: Client, conversation: Conversation, tuner: User
) -> None:
    path = reverse("talk:delete", args=["local", conversation.pk])
    assert "Delete this conversation?" in read_page(browser, path)
    assert Conversation.objects.exists()
    page = browser.post(path, follow=True)
    assert "Conversation deleted." in page.content.decode()
    assert not Conversation.objects.exists()
    entry = AuditEntry.objects.get(action="delete conversation")
    assert (entry.actor, entry.detail) == (tuner, {"number": conversation.pk})


def test_an_admin_deletes_any_conversation(
    conversation: Conversation, person: Callable[..., User], browser_of: Callable[[User], Client]
) -> None:
    admin = browser_of(person(Role.ADMIN))
    assert "Delete" in read_page(admin, conversation.get_absolute_url())
    admin.post(reverse("talk:delete", args=["local", conversation.pk]))
    assert not Conversation.objects.exists()
