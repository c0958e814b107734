"""Focus in a real browser: after the button of a fix, and after an invalid value."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from jobs.lifecycle.stored_errors import serialize
from jobs.models import Submission, TuningJob
from studio.models import Project
from studio.vertex import errors

pytestmark = [pytest.mark.journey, pytest.mark.django_db(transaction=True)]


@pytest.fixture(params=[True, False], ids=["with JavaScript", "without JavaScript"])
def page(
    request: pytest.FixtureRequest,
    chrome: Browser,
    live_server: LiveServer,
    tuner: User,
    browser_of: Callable[[User], Client],
) -> Iterator[Page]:
    session = browser_of(tuner).cookies["sessionid"].value
    context = chrome.new_context(base_url=live_server.url, java_script_enabled=request.param, locale="en-US")
    context.add_cookies([{"name": "sessionid", "value": session, "url": live_server.url}])
    yield context.new_page()  # not a watched one: a refused form is answered 422, which the console notes
    context.close()


@pytest.fixture
def refused(draft: TuningJob) -> TuningJob:
    """A rejected job on Google, so that no engine is needed."""
    Project.objects.filter(pk=draft.project_id).update(backend="google", regions=["us-central1"])
    refusal = errors.BadRequest("The adapter size is not supported for this base model.", code=400)
    fields: dict[str, Any] = {"base_model": "gemini-2.5-pro", "adapter_size": 16, "error": serialize(refusal)}
    TuningJob.objects.filter(pk=draft.pk).update(submission=Submission.REFUSED, **fields)
    draft.refresh_from_db()
    return draft


def test_fix_button_focuses_the_changed_field(page: Page, refused: TuningJob) -> None:
    page.goto(reverse("jobs:details", args=["local", refused.pk]))
    expect(page.get_by_text("Adapter size 16 isn’t supported by gemini-2.5-pro.")).to_be_visible()
    page.get_by_role("button", name="Use 8").click()
    field = page.get_by_label("Adapter size")
    expect(field).to_be_focused()
    expect(field).to_have_value("8")
    expect(field).to_be_in_viewport()
    expect(field).to_have_accessible_description(
        "Larger adapters learn harder tasks but need more data and time. "
        "Changed from 16 to 8. gemini-2.5-pro supports 1, 2, 4, 8."
    )
    page.get_by_role("button", name="Continue").click()
    page.wait_for_url("**/dataset/")
    assert TuningJob.objects.drafts().get().adapter_size == 8


def test_fix_button_focuses_the_file_field(page: Page, refused: TuningJob) -> None:
    role = errors.BadRequest("Please use a valid role: user, model.", code=400)
    TuningJob.objects.filter(pk=refused.pk).update(error=serialize(role))
    page.goto(reverse("jobs:details", args=["local", refused.pk]))
    page.get_by_role("button", name="Choose another training file").click()
    field = page.get_by_label("Select JSONL file")
    expect(field).to_be_focused()
    told = (
        "A message in train.jsonl has a role other than user or model. "
        "Set “role” to user or model in every entry of “contents”."
    )
    expect(field).to_have_accessible_description(re.compile(f"^{re.escape(told)}"))


def test_invalid_field_is_focused_after_submit(page: Page, refused: TuningJob, tuner: User) -> None:
    draft = refused.copy_to_draft(tuner)
    draft.update_draft(adapter_size=None)
    page.goto(reverse("jobs:model", args=["local", draft.pk]))
    page.get_by_text("Advanced options").click()
    page.get_by_label("Learning rate multiplier").fill("-3")
    page.get_by_role("button", name="Continue").click()
    field = page.get_by_label("Learning rate multiplier")
    expect(field).to_be_focused()
    expect(field).to_have_value("-3")
    expect(page.get_by_text("Enter a number above 0.")).to_be_visible()
