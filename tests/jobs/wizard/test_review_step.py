"""Review step: missing values with links to their fields, the estimate, and a single start."""

from __future__ import annotations

import html
import re
import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from jobs.datasets.check.report import Distribution, Report
from jobs.datasets.models import Dataset
from jobs.models import TuningJob
from jobs.querysets import Submission
from studio.models import AuditEntry, Project
from studio.projects import prices

pytestmark = pytest.mark.django_db
PROBLEM = {
    "line": 3,
    "severity": "error",
    "field": "",
    "code": "json",
    "params": {"column": 7},
    "excerpt": ["", "", ""],
}


@pytest.fixture
def browser(tuner: User, browser_of: Callable[[User], Client]) -> Client:
    return browser_of(tuner)


@pytest.fixture
def flash(project: Project, draft: TuningJob) -> TuningJob:
    """A draft on Google."""
    Project.objects.filter(pk=project.pk).update(
        backend="google", project_id="acme-123", regions=["us-central1"]
    )
    TuningJob.objects.filter(pk=draft.pk).update(base_model="gemini-2.5-flash")
    draft.refresh_from_db()
    return draft


def address(name: str, job: TuningJob) -> str:
    return reverse(f"jobs:{name}", args=["local", job.pk])


def get_review_text(browser: Client, job: TuningJob) -> str:
    answer = browser.get(address("review", job))
    assert answer.status_code == 200
    return " ".join(html.unescape(answer.content.decode()).split())


def update_job(job: TuningJob, **fields: Any) -> None:
    TuningJob.objects.filter(pk=job.pk).update(**fields)


def create_finished_job(job: TuningJob, **fields: Any) -> TuningJob:
    """Create an earlier run with the same settings: 3 epochs in two minutes."""
    earlier = TuningJob.objects.create(
        project=job.project,
        owner=job.owner,
        tuned_model_display_name="earlier",
        base_model=job.base_model,
        location="us-central1",
        submission=Submission.CREATED,
        training=job.training,
    )
    spec = {"hyperParameters": {"epochCount": "3"}}
    statistics = {"totalBillableTokenCount": "3000", "tuningStepCount": "180"}
    earlier.update_from_remote(
        {
            "state": "JOB_STATE_SUCCEEDED",
            "startTime": "2026-11-23T10:00:00Z",
            "endTime": "2026-11-23T10:02:00Z",
            "supervisedTuningSpec": spec,
            "tuningDataStats": {"supervisedTuningDataStats": statistics},
        }
        | fields
    )
    return earlier


def test_review_shows_every_value_of_the_request(browser: Client, draft: TuningJob) -> None:
    update_job(
        draft,
        adapter_size=16,
        labels={"team": "support"},
        description="Intents of customers",
        service_account="tuner@acme.iam.gserviceaccount.com",
    )
    page = get_review_text(browser, draft)
    assert 'id="start">' in page and "Ready" in page and 'id="missing"' not in page
    for shown in (
        *("intents", "Supervised tuning", "studio-tiny", "us-central1", "team=support", "train.jsonl"),
        *("Intents of customers", "tuner@acme.iam.gserviceaccount.com", "480 examples"),
        "/projects/local/locations/us-central1/tuningJobs",
        f'"studio-submission": "{draft.submission_id}"',
        '"adapterSize": "ADAPTER_SIZE_SIXTEEN"',
    ):
        assert shown in page, shown
    assert "recommended</span> → 7" in page and "4 changed" in page


@pytest.mark.parametrize(
    ("fields", "words", "step", "place"),
    [
        ({"training": None}, "Choose a training dataset.", "dataset", "training"),
        ({"validation_enabled": True}, "Choose a validation dataset.", "dataset", "validation"),
        ({"base_model": ""}, "Choose a base model.", "model", "id_base_model"),
        ({"location": "mars"}, "Choose a region.", "model", "id_location"),
        (
            {"base_model": "gemini-2.5-pro", "adapter_size": 16},
            "Choose an adapter size that the base model supports.",
            "model",
            "id_adapter_size",
        ),
    ],
)
def test_missing_values_link_to_their_fields(
    browser: Client, draft: TuningJob, fields: dict[str, Any], words: str, step: str, place: str
) -> None:
    update_job(draft, **fields)
    page = get_review_text(browser, draft)
    fix = f"?fix={place.removeprefix('id_')}" if place.startswith("id_") else ""
    link = f'<a href="{address(step, draft)}{fix}#{place}">{words}</a>'
    assert page.count(link) == 2, "once on top, once beside the button"
    assert "1 item left before you can start" in page
    assert 'id="start" disabled aria-describedby="reasons"' in page
    step_page = browser.get(address(step, draft)).content.decode()
    assert f'id="{place}"' in step_page, "the link leads to something"
    refused = browser.post(address("start", draft), follow=True)
    assert refused.redirect_chain == [(address("review", draft), 302)]
    assert "The job wasn’t started" in refused.content.decode() and words in refused.content.decode()
    draft.refresh_from_db()
    assert draft.is_draft


def test_each_value_links_to_its_field(browser: Client, draft: TuningJob) -> None:
    page, step = get_review_text(browser, draft), browser.get(address("model", draft)).content.decode()
    fields = set(re.findall(rf'href="{address("model", draft)}[?=_a-z]*#([a-z_-]+)"', page))
    assert {"id_base_model", "id_location", "id_epoch_count", "id_tuned_model_display_name"} <= fields
    assert all(f'id="{field}"' in step for field in fields), fields


def test_warnings_are_listed_and_do_not_block_the_start(
    browser: Client, flash: TuningJob, dataset: Dataset
) -> None:
    repeated = {**PROBLEM, "severity": "warning", "code": "duplicate", "params": {"first": 2}}
    warned = {"examples": 20, "warnings": 30, "problems": [repeated] * 9}
    dataset.report = {**dataset.report, **warned}
    dataset.save()
    update_job(flash, base_model="gemini-1.5-flash-002")
    page = get_review_text(browser, flash)
    assert page.count("Ready to start, with 32 warnings") == 2 and 'id="start">' in page
    link = f'href="{address("dataset", flash)}#training">train.jsonl'
    assert f"{link}: at least 100 examples are recommended; this file has 20." in page
    assert page.count(f"{link}, line 3: ") == 2 and ">28 more in train.jsonl<" in page
    assert "gemini-1.5-flash-002 is retired. Vertex AI will probably reject it." in page


def test_file_problems_are_blockers_not_warnings(browser: Client, draft: TuningJob, dataset: Dataset) -> None:
    dataset.report = {**dataset.report, "errors": 1, "problems": [PROBLEM]}
    dataset.save()
    page = get_review_text(browser, draft)
    assert "1 problem in train.jsonl." in page and "Ready to start" not in page


def test_engine_is_free_and_time_comes_from_finished_jobs(browser: Client, draft: TuningJob) -> None:
    page = get_review_text(browser, draft)
    assert "<dt>Time</dt><dd>not known yet</dd>" in page
    assert "No studio-tiny job has finished in this project yet." in page
    assert "<dt>Cost</dt><dd>free</dd>" in page and "Runs on this server." in page
    create_finished_job(draft)
    page = get_review_text(browser, draft)
    assert "<dt>Time</dt><dd>about 5 min</dd>" in page, "7 epochs, at 40 s each"
    assert "Based on the pace of 1 finished studio-tiny job in this project." in page
    assert "Counted by the service in “earlier”, with the same data." in page


@pytest.mark.parametrize("state", ["JOB_STATE_FAILED", "JOB_STATE_CANCELLED", "JOB_STATE_RUNNING"])
def test_unsuccessful_jobs_give_no_time_estimate(browser: Client, draft: TuningJob, state: str) -> None:
    create_finished_job(draft, state=state)
    assert "<dt>Time</dt><dd>not known yet</dd>" in get_review_text(browser, draft)


def test_cost_requires_a_configured_price(browser: Client, flash: TuningJob, settings: Settings) -> None:
    update_job(flash, epoch_count=3)
    page = get_review_text(browser, flash)
    assert "No price is set for gemini-2.5-flash. An installation admin can set one." in page
    assert "is billed there" in page and "free" not in page
    settings.PRICES = prices.parse_prices("gemini-2.5-flash=500", "2026-11-01")
    page = get_review_text(browser, flash)
    assert "<dt>Cost</dt><dd>about $3.38</dd>" in page, "9,000 characters, 3 epochs"
    assert "price as of 1 Nov 2026)" in page
    limits = browser.get(address("model", flash)).content.decode()
    assert "$500.00 / 1M tokens" in limits


def test_token_calibration_corrects_the_cost(
    browser: Client, flash: TuningJob, dataset: Dataset, settings: Settings
) -> None:
    settings.PRICES = prices.parse_prices("gemini-2.5-flash=500", "2026-11-01")
    dataset.calibration = {"gemini-2.5-flash": 2.0}
    dataset.report = Report(examples=480, tokens=Distribution(total=1000)).to_json()
    dataset.save()
    update_job(flash, epoch_count=1)
    page = get_review_text(browser, flash)
    assert "about 2,000 × 1" in page and "about $1.00" in page
    assert "adjusted with the model’s tokenizer on 16 examples" in page


def test_jobs_of_other_projects_give_no_time_estimate(browser: Client, draft: TuningJob) -> None:
    other = Project.objects.create(slug="x", name="X", project_id="x", regions=["us-central1"])
    TuningJob.objects.filter(pk=create_finished_job(draft).pk).update(project=other)
    assert "<dt>Time</dt><dd>not known yet</dd>" in get_review_text(browser, draft)


@pytest.mark.parametrize("name", ["model", "dataset", "review"])
def test_query_count_is_constant(
    browser: Client, draft: TuningJob, name: str, django_assert_max_num_queries: Any
) -> None:
    def count_queries() -> int:
        with django_assert_max_num_queries(30) as seen:
            assert browser.get(address(name, draft)).status_code == 200
        return len(seen)

    count_queries()  # the first request also looks for an admin
    before = count_queries()
    for _number in range(4):
        create_finished_job(draft)
        TuningJob.objects.create(
            project=draft.project,
            owner=draft.owner,
            submission=Submission.READY,
            submitted_at=timezone.now(),
            base_model="studio-tiny",
        )
    assert count_queries() == before


def test_summary_shows_estimate_and_queue(browser: Client, draft: TuningJob) -> None:
    TuningJob.objects.create(
        project=draft.project, owner=draft.owner, submission=Submission.READY, tuned_model_display_name="one"
    )
    for name in ("model", "dataset", "review"):
        page = browser.get(address(name, draft)).content.decode()
        assert "1 job:" in page and "<dt>Steps</dt><dd>about 420</dd>" in page, name
    live = browser.post(
        address("model", draft),
        {"base_model": "studio-tiny", "location": "us-central1", "epoch_count": "2"},
        headers={"HX-Request": "true"},
    ).content.decode()
    assert "<dt>Steps</dt><dd>about 120</dd>" in live


def test_steps_work_without_javascript(browser: Client, draft: TuningJob) -> None:
    """Every step links to the next and back, and Start is a plain form."""
    dataset_page = browser.get(address("dataset", draft)).content.decode()
    assert f'<form method="get" action="{address("review", draft)}"' in dataset_page
    assert "Start tuning" not in dataset_page
    page = browser.get(address("review", draft)).content.decode()
    assert f'<form method="post" action="{address("start", draft)}"' in page
    assert f'href="{address("dataset", draft)}">Back</a>' in page
    assert browser.post(address("start", draft)).headers["Location"] == address("detail", draft)


@pytest.mark.sql
@pytest.mark.django_db(transaction=True)
def test_concurrent_starts_create_one_job(
    draft: TuningJob, tuner: User, browser_of: Callable[[User], Client]
) -> None:
    """Both requests are redirected to the job, which is submitted and audited once."""
    browsers = [browser_of(tuner) for _tab in range(2)]
    barrier, led = threading.Barrier(2), []

    def click(browser: Client) -> None:
        barrier.wait(60)
        led.append(browser.post(address("start", draft)).headers["Location"])
        connection.close()

    threads = [threading.Thread(target=click, args=[browser]) for browser in browsers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert led == [address("detail", draft)] * 2
    assert TuningJob.objects.count() == 1
    assert AuditEntry.objects.filter(action="tuning_job.start").count() == 1
