"""The note on a failed job's page, its button, and the fixed copy."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from jobs import tasks
from jobs.datasets import ingest
from jobs.datasets.models import Dataset
from jobs.lifecycle.stored_errors import serialize
from jobs.models import Submission, TuningJob
from studio.models import AuditEntry, Project, Role
from studio.vertex import errors
from studio.vertex.errors import Violation
from studio.vertex.job_states import FAILED
from tests.engine.running_engine import Engine
from tests.jobs.lifecycle.test_engine import poll_until

pytestmark = pytest.mark.django_db

ADAPTER = errors.BadRequest("The adapter size is not supported for this base model.", code=400)
PATH = "tuning_job.supervised_tuning_spec"


@pytest.fixture
def browser(tuner: User, browser_of: Callable[[User], Client]) -> Client:
    return browser_of(tuner)


@pytest.fixture
def refused(draft: TuningJob) -> TuningJob:
    """A rejected job: gemini-2.5-pro with an adapter size that only an older catalog allowed."""
    TuningJob.objects.filter(pk=draft.pk).update(
        submission=Submission.REFUSED, error=serialize(ADAPTER), base_model="gemini-2.5-pro", adapter_size=16
    )
    draft.refresh_from_db()
    return draft


def set_error(job: TuningJob, error: Any, **fields: Any) -> TuningJob:
    fault = serialize(error) if isinstance(error, Exception) else error
    TuningJob.objects.filter(pk=job.pk).update(error=fault, **fields)
    job.refresh_from_db()
    return job


def build_url(name: str, job: TuningJob) -> str:
    return reverse(f"jobs:{name}", args=[job.project.slug, job.pk])


def read_page(browser: Client, url: str) -> str:
    answer = browser.get(url)
    assert answer.status_code == 200, (answer.status_code, url)
    return " ".join(answer.content.decode().split())


def post_fix(browser: Client, job: TuningJob) -> tuple[TuningJob, str]:
    """Apply the fix and return the copy and the redirect's URL."""
    answer = browser.post(build_url("mend", job))
    assert answer.status_code == 302
    return TuningJob.objects.drafts().latest("pk"), answer.headers["Location"]


def find_autofocused(page: str) -> list[str]:
    """Return the names of the controls with autofocus."""
    tags = re.findall(r"<(?:input|select|textarea|a|button)\b[^>]*\bautofocus\b[^>]*>", page)
    return [found[1] for tag in tags if (found := re.search(r'name="([^"]+)"', tag))]


@pytest.mark.parametrize("tab", ["detail", "details", "data"])
def test_a_refused_job_shows_the_reason_and_offers_the_fix(
    browser: Client, refused: TuningJob, tab: str
) -> None:
    page = read_page(browser, build_url(tab, refused))
    assert "This job wasn’t accepted." in page
    assert (
        "Adapter size 16 isn’t supported by gemini-2.5-pro. Use 8, the largest supported size below" in page
    )
    assert f'action="{build_url("mend", refused)}"' in page and ">Use 8</button>" in page
    assert "400 · The adapter size is not supported for this base model." in page
    assert "The service didn’t accept these values." not in page


def test_the_button_makes_a_fixed_copy_and_focuses_the_field(
    browser: Client, refused: TuningJob, tuner: User
) -> None:
    copy, url = post_fix(browser, refused)
    assert (copy.adapter_size, copy.base_model, copy.training, copy.owner) == (
        8,
        "gemini-2.5-pro",
        refused.training,
        tuner,
    )
    assert url == f"{build_url('model', copy)}?fix=adapter_size&of={refused.pk}"
    page = read_page(browser, url)
    assert find_autofocused(page) == ["adapter_size"]
    assert '<details class="folded" open>' in page
    assert "Changed from 16 to 8. gemini-2.5-pro supports 1, 2, 4, 8." in page
    select = re.search(r'<select name="adapter_size"[^>]*>', page)
    assert select and "id_adapter_size_note" in select[0] and "id_adapter_size_helptext" in select[0]
    refused.refresh_from_db()
    assert refused.adapter_size == 16 and refused.submission == Submission.REFUSED
    assert AuditEntry.objects.filter(action="tuning_job.tune_again", actor=tuner).count() == 1


def test_the_note_disappears_once_the_value_is_changed_again(browser: Client, refused: TuningJob) -> None:
    copy, url = post_fix(browser, refused)
    copy.update_draft(adapter_size=4)
    page = read_page(browser, url)
    assert "Changed from 16" not in page and find_autofocused(page) == ["adapter_size"]


def test_a_plain_draft_has_no_focus_and_no_note(browser: Client, draft: TuningJob) -> None:
    page = read_page(browser, build_url("model", draft))
    assert find_autofocused(page) == [] and "field-note" not in page
    assert '<details class="folded">' in page


@pytest.mark.parametrize(
    "query", ["fix=adapter_size&of=x", "fix=<script>", "fix=adapter_size", f"fix=a&of={'9' * 30}", "of=1"]
)
def test_an_invalid_query_is_ignored(browser: Client, draft: TuningJob, query: str) -> None:
    page = read_page(browser, f"{build_url('model', draft)}?{query}")
    assert "field-note" not in page and "<script>" not in page.replace("<script ", "")


def test_a_failure_of_another_projects_job_is_not_shown(
    browser: Client, draft: TuningJob, refused: TuningJob
) -> None:
    other = Project.objects.create(slug="other", name="Other", project_id="other", regions=["us-central1"])
    copy, url = post_fix(browser, refused)
    TuningJob.objects.filter(pk=refused.pk).update(project=other)
    assert "Changed from 16" not in read_page(browser, url)
    assert browser.post(build_url("mend", refused)).status_code == 404
    assert copy.project.slug == "local"


def test_a_dataset_failure_links_to_the_file_chooser(browser: Client, refused: TuningJob) -> None:
    text = f"List of found errors:\t1.Field: {PATH}.training_dataset_uri; Message: training_dataset_uri "
    text += "should be a GCS object of type JSONL.\t"
    set_error(refused, errors.BadRequest(text, code=400))
    assert ">Choose another training file</button>" in read_page(browser, build_url("detail", refused))
    copy, url = post_fix(browser, refused)
    assert url == f"{build_url('dataset', copy)}?fix=training&of={refused.pk}&replace=training"
    page = read_page(browser, url)
    assert find_autofocused(page) == ["file"]
    assert "train.jsonl isn’t accepted as a JSONL file." in page
    assert "Keep train.jsonl" in page


def test_one_click_fixes_several_fields(browser: Client, refused: TuningJob) -> None:
    key = "projects/p/locations/us-central1/keyRings/r/cryptoKeys/k"
    violations = (
        Violation(f"{PATH}.hyper_parameters.adapter_size", str(ADAPTER)),
        Violation("tuning_job.encryption_spec.kms_key_name", "CMEK is not supported."),
    )
    error = errors.BadRequest("List of found errors", code=400, violations=violations)
    set_error(refused, error, kms_key_name=key)
    page = read_page(browser, build_url("detail", refused))
    assert page.count("<li>") >= 2 and ">Fix in a copy</button>" in page
    copy, url = post_fix(browser, refused)
    assert (copy.adapter_size, copy.kms_key_name) == (8, "")
    shown = read_page(browser, url)
    assert "Changed from 16 to 8." in shown and f"Cleared (was {key})." in shown


def test_a_transient_failure_offers_to_tune_again(browser: Client, draft: TuningJob) -> None:
    set_error(
        draft,
        {"code": 13, "message": "Internal error encountered."},
        submission=Submission.CREATED,
        state="JOB_STATE_FAILED",
        name="projects/local/locations/us-central1/tuningJobs/9",
    )
    page = read_page(browser, build_url("detail", draft))
    assert "This job failed.</b> A service error ended the job." in page and "13 · Internal error" in page
    _copy, url = post_fix(browser, draft)
    assert url.endswith("/review/")


def test_an_unknown_failure_shows_the_services_message(browser: Client, refused: TuningJob) -> None:
    set_error(refused, errors.BadRequest("The moon <b>is</b> wrong.", code=400))
    page = read_page(browser, build_url("detail", refused))
    assert "The service didn’t accept these values." in page and "The moon &lt;b&gt;is&lt;/b&gt;" in page
    assert build_url("mend", refused) not in page
    set_error(refused, {"code": 3, "message": "New words."}, submission="created", state="JOB_STATE_FAILED")
    page = read_page(browser, build_url("detail", refused))
    assert "This job failed.</b> New words." in page


def test_a_fix_in_googles_console_is_linked(browser: Client, refused: TuningJob) -> None:
    Project.objects.filter(pk=refused.project_id).update(backend="google", project_id="my-project")
    denied = errors.PermissionDenied("no", code=403, reason="SERVICE_DISABLED")
    set_error(refused, denied)
    page = read_page(browser, build_url("detail", refused))
    link = "https://console.cloud.google.com/apis/library/aiplatform.googleapis.com?project=my-project"
    assert f'href="{link}"' in page


def test_a_credentials_failure_links_to_the_project_settings(browser: Client, refused: TuningJob) -> None:
    Project.objects.filter(pk=refused.project_id).update(backend="google")
    set_error(refused, errors.Unauthenticated("The key is no longer valid.", code=401))
    assert 'href="/p/local/settings/"' in read_page(browser, build_url("detail", refused))


def test_a_waiting_job_offers_no_copy(browser: Client, draft: TuningJob, tuner: User) -> None:
    Project.objects.filter(pk=draft.project_id).update(backend="google")
    draft.start(tuner)
    busy = errors.TooManyRequests("Resource exhausted, please try again later.", code=429)
    TuningJob.objects.filter(pk=draft.pk).update(last_error=serialize(busy))
    page = read_page(browser, build_url("detail", draft))
    assert "The job is resubmitted automatically." in page and build_url("mend", draft) not in page


def test_a_viewer_sees_the_cause_but_no_button(
    refused: TuningJob, person: Callable[..., User], browser_of: Callable[[User], Client]
) -> None:
    viewer = browser_of(person(Role.VIEWER))
    page = read_page(viewer, build_url("detail", refused))
    assert "Adapter size 16 isn’t supported" in page and build_url("mend", refused) not in page
    assert viewer.post(build_url("mend", refused)).status_code == 403


def test_a_draft_has_nothing_to_fix(browser: Client, draft: TuningJob) -> None:
    assert browser.post(build_url("mend", draft)).headers["Location"] == build_url("model", draft)
    assert TuningJob.objects.count() == 1


# ---- the engine itself ----


@pytest.fixture
def on_real_data(project: Project, tuner: User, on_engine: Engine) -> Dataset:
    return ingest.ingest_existing(project, tuner, on_engine.upload_examples("mend-train.jsonl", 8))


REFUSED_BY_ENGINE = {
    "adapter size": ({"base_model": "gemini-2.5-pro", "adapter_size": 16}, {"adapter_size": 8}, "Use 8"),
    "key": (
        {"kms_key_name": "projects/p/locations/us-central1/keyRings/r/cryptoKeys/k"},
        {"kms_key_name": ""},
        "Continue without the key",
    ),
    "label": ({"labels": {"Team": "red", "stage": "a"}}, {"labels": {"stage": "a"}}, "Remove Team"),
    "account": ({"service_account": "nobody"}, {"service_account": ""}, "Remove it"),
    "model": (
        {"base_model": "gemini-9.0-pro"},
        {"base_model": "gemini-2.5-pro"},
        "Use gemini-2.5-pro",
    ),
    "key and label": (
        {"kms_key_name": "k", "labels": {"Team": "red"}},
        {"kms_key_name": "", "labels": {}},
        "Fix in a copy",
    ),
}


@pytest.mark.parametrize(
    ("asked", "mended", "button"), REFUSED_BY_ENGINE.values(), ids=REFUSED_BY_ENGINE.keys()
)
def test_the_fixed_copy_of_a_refused_job_is_accepted_by_the_engine(
    browser: Client,
    draft: TuningJob,
    tuner: User,
    on_real_data: Dataset,
    asked: dict[str, Any],
    mended: dict[str, Any],
    button: str,
) -> None:
    TuningJob.objects.filter(pk=draft.pk).update(training=on_real_data, epoch_count=1, **asked)
    draft.refresh_from_db()
    draft.start(tuner)
    tasks.submit_ready()
    draft.refresh_from_db()
    assert draft.submission == Submission.REFUSED, draft.state
    assert f">{button}</button>" in read_page(browser, build_url("detail", draft))
    copy, url = post_fix(browser, draft)
    assert {name: getattr(copy, name) for name in mended} == mended
    assert browser.get(url).status_code == 200
    copy.start(tuner)
    tasks.submit_ready()
    copy.refresh_from_db()
    assert copy.is_created, copy.error
    copy.project.vertex().cancel_tuning_job(str(copy.name))


@pytest.mark.slow
def test_a_nan_loss_lowers_the_learning_rate(
    browser: Client, draft: TuningJob, tuner: User, on_real_data: Dataset
) -> None:
    TuningJob.objects.filter(pk=draft.pk).update(
        training=on_real_data, epoch_count=8, learning_rate_multiplier=1e30
    )
    draft.refresh_from_db()
    draft.start(tuner)
    tasks.submit_ready()
    draft.refresh_from_db()
    poll_until(draft, lambda job: job.is_final)
    assert draft.state == FAILED, draft.state
    page = read_page(browser, build_url("detail", draft))
    assert "The loss diverged until it was no longer a number." in page and ">Use 1</button>" in page
    copy, url = post_fix(browser, draft)
    assert copy.learning_rate_multiplier == 1.0
    shown = read_page(browser, url)
    assert find_autofocused(shown) == ["learning_rate_multiplier"] and "Changed from 1e+30 to 1." in shown


@pytest.mark.sql
@pytest.mark.parametrize(
    "message",
    [
        "epoch_count should be at most 10.5.",
        "epoch_count should be at least 99999999999999999999.",
        f"epoch_count should be at least {'9' * 1900}.",
        f"epoch_count should be between {'9' * 900} and {'9' * 900}.",
    ],
    ids=lambda message: message[:40],
)
def test_no_number_in_a_message_breaks_the_fix(browser: Client, refused: TuningJob, message: str) -> None:
    violation = Violation(f"{PATH}.hyper_parameters.epoch_count", message)
    set_error(refused, errors.BadRequest(message, code=400, violations=(violation,)), epoch_count=200)
    assert "200 isn’t an allowed number of epochs." in read_page(browser, build_url("detail", refused))
    copy, _url = post_fix(browser, refused)
    assert copy.epoch_count in (10, None)


@pytest.mark.sql
def test_no_checkpoint_in_a_message_breaks_the_fix(browser: Client, refused: TuningJob) -> None:
    message = f"The model has no checkpoint 9. Only available checkpoints: {'8' * 500}"
    set_error(refused, errors.BadRequest(message, code=400), pre_tuned_model="m", pre_tuned_checkpoint="9")
    read_page(browser, build_url("detail", refused))
    copy, _url = post_fix(browser, refused)
    assert copy.pre_tuned_checkpoint in ("", "9")
