"""Step 1 of the wizard: every field, pre-tuned models, autosave, and two tabs with one draft."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from jobs.job_page.details_tab import sections
from jobs.models import Submission, TuningJob
from jobs.preflight import model_obstacles
from jobs.request.body import build_tuning_request
from jobs.wizard.draft_summary import DraftSummary
from jobs.wizard.model_step import labels
from jobs.wizard.model_step.fields import ADVANCED, build_form_data
from jobs.wizard.model_step.form import ModelDetailsForm
from studio.models import Project, Role
from tests.jobs.wizard.test_wizard import address, details

pytestmark = pytest.mark.django_db

MODEL = "projects/local/locations/us-central1/models/77@2"
KEY = "projects/p-1/locations/us-central1/keyRings/ring/cryptoKeys/key"
ACCOUNT = "tuner@my-project.iam.gserviceaccount.com"


@pytest.fixture
def browser(tuner: User, browser_of: Callable[[User], Client]) -> Client:
    return browser_of(tuner)


@pytest.fixture
def google(project: Project, draft: TuningJob) -> TuningJob:
    Project.objects.filter(pk=project.pk).update(backend="google", regions=["us-central1", "europe-west4"])
    TuningJob.objects.filter(pk=draft.pk).update(base_model="gemini-2.5-flash")
    draft.refresh_from_db()
    return draft


@pytest.fixture
def parent(project: Project, tuner: User) -> TuningJob:
    """A succeeded job with two checkpoints; the first one is served."""
    place = "projects/local/locations/us-central1/endpoints"
    checkpoints = [
        {"checkpointId": "1", "epoch": "1", "step": "10", "endpoint": f"{place}/1"},
        {"checkpointId": "2", "epoch": "2", "step": "20", "endpoint": f"{place}/2"},
    ]
    return TuningJob.objects.create(
        project=project,
        owner=tuner,
        tuned_model_display_name="first try",
        base_model="gemini-2.5-pro",
        location="us-central1",
        submission=Submission.CREATED,
        state="JOB_STATE_SUCCEEDED",
        ended_at=datetime(2026, 11, 20, 12, tzinfo=UTC),
        remote={
            "tunedModel": {"model": MODEL, "endpoint": f"{place}/1", "checkpoints": checkpoints},
            "supervisedTuningSpec": {"hyperParameters": {"adapterSize": "ADAPTER_SIZE_EIGHT"}},
        },
    )


def get_page(browser: Client, job: TuningJob, query: str = "") -> str:
    answer = browser.get(address("model", job) + query)
    assert answer.status_code == 200
    return html.unescape(answer.content.decode())


def get_hidden_value(page: str, name: str) -> str:
    found = re.search(rf'name="{name}"[^>]* value=(?:"(.*?)"|\'(.*?)\')(?: hx-swap-oob="true")?>', page)
    assert found, f"no {name} on the page"
    return found[1]


def get_form_data(browser: Client, job: TuningJob) -> dict[str, str]:
    """Return the form data of a newly opened tab."""
    raw = browser.get(address("model", job)).content.decode()
    carried = {
        name: html.unescape(get_hidden_value(raw, name))
        for name in ("seen", "shown", "shown_model")
        if name in raw
    }
    return {**build_form_data(job), **carried}


def send_change(browser: Client, job: TuningJob, tab: dict[str, str], **changed: str) -> str:
    """Post a change like htmx, and update the tab's state from the response."""
    tab.update(changed)
    answer = browser.post(address("model", job), tab, headers={"HX-Request": "true"})
    assert answer.status_code == 200
    raw = answer.content.decode()
    for name in ("seen", "shown", "shown_model"):
        if f'name="{name}"' in raw:
            tab[name] = html.unescape(get_hidden_value(raw, name))
    job.refresh_from_db()
    return html.unescape(raw)


# ---- every field ----


def test_every_field_is_saved_shown_and_sent(browser: Client, google: TuningJob) -> None:
    values = details(
        source="foundation",
        epoch_count="3",
        adapter_size="16",
        learning_rate_multiplier="0.5",
        export_last_checkpoint_only="on",
        labels="team=support\r\n段階=試し-1\r\n",
        description="Second\nline",
        service_account=ACCOUNT,
        kms_key_name=KEY,
    )
    assert browser.post(address("model", google), values).status_code == 302
    google.refresh_from_db()
    assert google.labels == {"team": "support", "段階": "試し-1"}
    assert list(DraftSummary(google).changed_fields) == list(ADVANCED)
    page = get_page(browser, google)
    assert "8 changed" in page and "2 labels" in page and "Adapter size 16" in page
    assert "team=support\n段階=試し-1</textarea>" in page and ACCOUNT in page and KEY in page
    request = build_tuning_request(google)
    assert request["labels"].items() > google.labels.items()
    assert request["encryptionSpec"] == {"kmsKeyName": KEY} and request["serviceAccount"] == ACCOUNT
    assert request["description"] == "Second\nline"


WRONG = {
    "label without =": (details(labels="team"), "Line 1: enter key=value."),
    "label without key": (details(labels="\n=x"), "Line 2: enter key=value."),
    "label in capitals": (details(labels="Team=x"), "Line 1: “Team” can only contain lowercase letters"),
    "label value with space": (details(labels="team=two words"), "Line 1: “two words” can only contain"),
    "label of 64": (
        details(labels="a=" + "x" * 64),
        "“xxxxxxxxxxxxxxxx…” has 64 characters; the limit is 63.",
    ),
    "label that begins with a digit": (details(labels="1a=x"), "Line 1: keys must start with a letter."),
    "label twice": (details(labels="a=1\na=2"), "Line 2: the key “a” appears twice."),
    "our own label": (details(labels="studio-submission=x"), "is set by Tuning Studio"),
    "64 labels": (
        details(labels="\n".join(f"k{n}=" for n in range(64))),
        "Enter up to 63 labels; there are 64 now.",
    ),
    "description too long": (
        details(description="x" * 2001),
        "Enter up to 2,000 characters; this text has 2001.",
    ),
    "account": (details(service_account="tuner"), "Enter a service account email address"),
    "key": (details(kms_key_name="ring/key"), "Enter the key’s full name"),
    "key elsewhere": (
        details(kms_key_name=KEY.replace("us-central1", "global")),
        "The key is in global. Enter a key in the job’s region, us-central1.",
    ),
    "no model to go on from": (details(source="pre_tuned"), "Choose the model to continue from."),
    "no name of a model": (
        details(source="pre_tuned", pre_tuned_model="other", other_model="models/1"),
        "Enter a model resource name",
    ),
    "a model elsewhere": (
        details(source="pre_tuned", pre_tuned_model=MODEL.replace("us-central1", "europe-west4")),
        "This model is in europe-west4. Choose that region, or a model in us-central1.",
    ),
}


@pytest.mark.parametrize(("values", "sentence"), WRONG.values(), ids=WRONG.keys())
def test_invalid_value_returns_422_and_valid_ones_are_saved(
    browser: Client, google: TuningJob, values: dict[str, str], sentence: str
) -> None:
    answer = browser.post(address("model", google), {**values, "epoch_count": "7"})
    page = html.unescape(answer.content.decode())
    assert answer.status_code == 422 and sentence in page
    assert re.search(r"<(input|select|textarea)[^>]* autofocus", page), "the first wrong field has the focus"
    for typed in (values.get("labels"), values.get("kms_key_name"), values.get("service_account")):
        assert not typed or typed.strip() in page
    google.refresh_from_db()
    assert google.epoch_count == 7
    assert not (google.labels or google.description or google.kms_key_name or google.service_account)
    assert not google.pre_tuned_model


@pytest.mark.parametrize("text", ["", "\n\n", "a=", "é=ü", "a_b-1=c_d-2", "a=" + "x" * 63, "k" * 63 + "=1"])
def test_valid_labels_round_trip(text: str) -> None:
    found = labels.parse_labels(text)
    assert labels.parse_labels(labels.format_labels(found)) == found


def test_engine_rejects_encryption_keys(browser: Client, draft: TuningJob) -> None:
    browser.post(address("model", draft), details(base_model="studio-tiny", kms_key_name=KEY))
    draft.refresh_from_db()
    assert draft.kms_key_name == ""
    page = get_page(browser, draft)
    assert "doesn’t support customer-managed keys" in page
    assert re.search(r'name="kms_key_name"[^>]* disabled', page)
    draft.kms_key_name = KEY
    assert "The engine doesn’t support encryption keys. Remove the key." in map(str, model_obstacles(draft))


@pytest.mark.parametrize("field", ADVANCED)
def test_advanced_options_open_at_the_field_to_fix(browser: Client, google: TuningJob, field: str) -> None:
    assert re.search(r'<details class="folded">', get_page(browser, google))
    page = get_page(browser, google, f"?fix={field}")
    assert re.search(r'<details class="folded" open>', page)
    assert re.search(rf'name="{field}"[^>]* autofocus', page)


def test_other_methods_are_disabled_with_a_reason(browser: Client, draft: TuningJob) -> None:
    page = get_page(browser, draft)
    disabled = re.findall(r'name="method" id="method-(\w+)" disabled.*?Not available: ', page, re.DOTALL)
    assert disabled == ["preference", "reinforcement", "distillation"]


# ---- going on from a tuned model ----


def test_pre_tuned_model_and_checkpoint_are_saved(
    browser: Client, google: TuningJob, parent: TuningJob
) -> None:
    values = details(source="pre_tuned", pre_tuned_model=MODEL, adapter_size="16", location="us-central1")
    shown = browser.post(address("model", google), {**values, "show": "1"})
    page = html.unescape(shown.content.decode())
    assert shown.status_code == 200, "without JavaScript a button shows what the choice means"
    assert "first try · gemini-2.5-pro · 20 Nov 2026" in page and "version 2" in page
    assert "Default checkpoint (1)" in page and "Checkpoint 2 · epoch 2 · step 20" in page
    assert "Set by the pre-tuned model" in page and "gemini-2.5-pro limits" in page
    assert "a new version of that model" in page and 'name="adapter_size"' not in page
    answer = browser.post(address("model", google), {**values, "pre_tuned_checkpoint": "2"})
    assert answer.status_code == 302
    google.refresh_from_db()
    assert (google.pre_tuned_model, google.pre_tuned_checkpoint) == (MODEL, "2")
    assert (google.base_model, google.adapter_size) == ("gemini-2.5-pro", None)
    request = build_tuning_request(google)
    assert request["preTunedModel"] == {"tunedModelName": MODEL, "checkpointId": "2"}
    assert "baseModel" not in request
    again = get_page(browser, google)
    assert f'<option value="{MODEL}" selected>' in again and '<option value="2" selected>' in again


def test_choosing_a_foundation_model_clears_the_pre_tuned_model(
    browser: Client, google: TuningJob, parent: TuningJob
) -> None:
    TuningJob.objects.filter(pk=google.pk).update(pre_tuned_model=MODEL, pre_tuned_checkpoint="2")
    google.refresh_from_db()
    send_change(
        browser, google, get_form_data(browser, google), source="foundation", base_model="gemini-2.5-flash"
    )
    assert (google.pre_tuned_model, google.pre_tuned_checkpoint) == ("", "")
    assert google.base_model == "gemini-2.5-flash"


def test_changing_the_pre_tuned_model_clears_the_checkpoint(
    browser: Client, google: TuningJob, parent: TuningJob
) -> None:
    twin = MODEL.replace("77@2", "78@1")
    remote = {**parent.remote, "tunedModel": {**parent.remote["tunedModel"], "model": twin}}
    TuningJob.objects.create(
        project=parent.project,
        base_model="gemini-2.5-flash",
        location="us-central1",
        submission=Submission.CREATED,
        state="JOB_STATE_SUCCEEDED",
        remote=remote,
    )
    tab = get_form_data(browser, google)
    send_change(browser, google, tab, source="pre_tuned", pre_tuned_model=MODEL)
    send_change(browser, google, tab, pre_tuned_checkpoint="2")
    assert google.pre_tuned_checkpoint == "2"
    page = send_change(browser, google, tab, pre_tuned_model=twin)
    assert (google.pre_tuned_model, google.pre_tuned_checkpoint) == (twin, "")
    assert google.base_model == "gemini-2.5-flash" and "gemini-2.5-flash limits" in page


def test_unknown_checkpoint_returns_422(browser: Client, google: TuningJob, parent: TuningJob) -> None:
    values = details(source="pre_tuned", pre_tuned_model=MODEL, pre_tuned_checkpoint="9")
    answer = browser.post(address("model", google), values)
    assert answer.status_code == 422 and "Available checkpoints: 1, 2." in answer.content.decode()


def test_pre_tuned_models_are_limited_to_region_and_project(
    browser: Client, google: TuningJob, parent: TuningJob
) -> None:
    TuningJob.objects.filter(pk=parent.pk).update(location="europe-west4")
    assert MODEL not in get_page(browser, google)
    elsewhere = Project.objects.create(slug="x", name="x", project_id="x", regions=["us-central1"])
    TuningJob.objects.filter(pk=parent.pk).update(location="us-central1", project=elsewhere)
    assert MODEL not in get_page(browser, google)


def test_unlisted_pre_tuned_model_is_accepted_by_name(browser: Client, google: TuningJob) -> None:
    name = "projects/123/locations/us-central1/models/456"
    values = details(source="pre_tuned", pre_tuned_model="other", other_model=name, pre_tuned_checkpoint="3")
    assert browser.post(address("model", google), values).status_code == 302
    google.refresh_from_db()
    assert (google.pre_tuned_model, google.pre_tuned_checkpoint) == (name, "3")
    page = get_page(browser, google)
    assert '<option value="other" selected>' in page and f'value="{name}"' in page
    assert "Choose the base model of the pre-tuned model." in page


def test_region_must_match_the_pre_tuned_model(browser: Client, google: TuningJob, parent: TuningJob) -> None:
    tab = get_form_data(browser, google)
    send_change(browser, google, tab, source="pre_tuned", pre_tuned_model=MODEL)
    page = send_change(browser, google, tab, location="europe-west4")
    assert "This model is in us-central1" in page
    assert "Choose the region of the pre-tuned model." in map(str, model_obstacles(google))


def test_encryption_key_must_match_the_pre_tuned_model(
    browser: Client, google: TuningJob, parent: TuningJob
) -> None:
    values = details(source="pre_tuned", pre_tuned_model=MODEL, kms_key_name=KEY)
    assert "has no key. Leave this empty" in browser.post(address("model", google), values).content.decode()
    TuningJob.objects.filter(pk=parent.pk).update(kms_key_name=KEY)
    assert browser.post(address("model", google), values).status_code == 302
    page = browser.post(address("model", google), {**values, "kms_key_name": ""}).content.decode()
    assert f"is encrypted with {KEY}. Enter the same key." in page


def test_details_show_requested_and_resolved_values(draft: TuningJob) -> None:
    draft.pre_tuned_model, draft.service_account = MODEL.removesuffix("@2"), ACCOUNT
    draft.description, draft.submission = "why", Submission.CREATED
    draft.remote = {
        "preTunedModel": {"tunedModelName": MODEL, "checkpointId": "2"},
        "serviceAccount": ACCOUNT,
    }
    told = {field.label: field.value for section in sections(draft) for field in section.fields}
    assert (told["Pre-tuned model"].requested, told["Pre-tuned model"].resolved) == (MODEL[:-2], MODEL)
    assert (told["Starting checkpoint"].requested, told["Starting checkpoint"].resolved) == (
        "",
        "2",
    )
    assert told["Service account"].requested == ACCOUNT and told["Description"] == "why"
    assert "Encryption key" not in told


# ---- kept at every change ----


def test_choices_follow_the_base_model(browser: Client, google: TuningJob) -> None:
    tab = get_form_data(browser, google)
    page = send_change(browser, google, tab, base_model="gemini-2.5-pro", adapter_size="8")
    assert "<html" not in page and "Draft saved" in page
    assert "gemini-2.5-pro limits" in page and 'value="8" selected' in page and 'value="16"' not in page
    assert (google.base_model, google.adapter_size) == ("gemini-2.5-pro", 8)
    assert 'id="choices"' not in send_change(browser, google, tab, epoch_count="2"), (
        "given anew only when they change"
    )


def test_unavailable_choice_stays_selected_with_an_error(browser: Client, google: TuningJob) -> None:
    tab = get_form_data(browser, google)
    send_change(browser, google, tab, adapter_size="16")
    page = send_change(browser, google, tab, base_model="gemini-2.5-pro")
    assert '<option value="16" selected>16 (not available)</option>' in page
    assert "supports adapter sizes 1, 2, 4, 8." in page and "1 value to correct" in page


def test_autosave_skips_invalid_values(browser: Client, google: TuningJob) -> None:
    tab = get_form_data(browser, google)
    page = send_change(browser, google, tab, epoch_count="many", learning_rate_multiplier="2")
    assert "Enter a whole number" in page and 'id="id_epoch_count_error"' in page
    assert (google.epoch_count, google.learning_rate_multiplier) == (None, 2.0)
    assert "Enter a whole number" not in send_change(browser, google, tab, epoch_count="4")
    assert google.epoch_count == 4


def test_autosave_does_not_require_a_pre_tuned_model(browser: Client, google: TuningJob) -> None:
    page = send_change(browser, google, get_form_data(browser, google), source="pre_tuned")
    assert "Choose the model to continue from." not in page and "st-bad" not in page


def test_last_change_of_a_field_wins_across_tabs(browser: Client, google: TuningJob) -> None:
    one, two = get_form_data(browser, google), get_form_data(browser, google)
    send_change(browser, google, one, tuned_model_display_name="one", epoch_count="3")
    page = send_change(browser, google, two, tuned_model_display_name="two", description="by two")
    assert (google.tuned_model_display_name, google.epoch_count, google.description) == ("two", 3, "by two")
    assert "Changed in another tab:" in page and "Number of epochs" in page
    page = send_change(browser, google, one, learning_rate_multiplier="2")
    assert (google.tuned_model_display_name, google.learning_rate_multiplier) == ("two", 2.0)
    assert "Tuned model name" in page.split("Changed in another tab:")[1].split("</div>")[0]
    answer = browser.post(address("model", google), one)
    google.refresh_from_db()
    assert answer.status_code == 302 and google.tuned_model_display_name == "two"


def test_unchanged_form_writes_nothing(browser: Client, google: TuningJob) -> None:
    before = google.updated_at
    send_change(browser, google, get_form_data(browser, google))
    assert google.updated_at == before


@pytest.mark.parametrize("told", ["", "nonsense", "[]", '"x"', "{"])
def test_form_without_page_state_writes_all_fields(browser: Client, google: TuningJob, told: str) -> None:
    assert (
        browser.post(address("model", google), {**details(epoch_count="9"), "seen": told}).status_code == 302
    )
    google.refresh_from_db()
    assert google.epoch_count == 9


# ---- a form whose draft is gone ----


@pytest.mark.parametrize("end", ["started", "discarded", "discarded by an admin"])
def test_stale_form_is_saved_into_a_new_draft(
    browser: Client, google: TuningJob, tuner: User, admin_exists: User, end: str
) -> None:
    tab = {**get_form_data(browser, google), "description": "typed <late>", "epoch_count": "6"}
    where, training = address("model", google), google.training
    if end == "started":
        google.start(tuner)
    else:
        google.discard(admin_exists if "admin" in end else tuner)
    live = browser.post(where, tab, headers={"HX-Request": "true"})
    assert f"This draft has since been {end.split()[0]}." in live.content.decode() and live.status_code == 200
    assert not TuningJob.objects.drafts().exists(), "a change alone makes no new draft"
    answer = browser.post(where, tab)
    new = TuningJob.objects.drafts().get()
    assert answer.headers["Location"] == address("dataset", new)
    assert (new.description, new.epoch_count, new.owner) == ("typed <late>", 6, tuner)
    assert (new.base_model, new.training) == ("gemini-2.5-flash", training if end == "started" else None)


# ---- tune again ----


def test_tune_again_copies_every_field(browser: Client, google: TuningJob, tuner: User) -> None:
    chosen: dict[str, Any] = {
        "description": "d",
        "pre_tuned_model": MODEL,
        "pre_tuned_checkpoint": "2",
        "epoch_count": 3,
        "learning_rate_multiplier": 0.5,
        "export_last_checkpoint_only": True,
        "labels": {"team": "x"},
        "service_account": ACCOUNT,
        "kms_key_name": KEY,
        "upload_to": "gs://bucket/folder/",
        "validation_enabled": True,
    }
    TuningJob.objects.filter(pk=google.pk).update(**chosen)
    google.refresh_from_db()
    google.start(tuner)
    google.refresh_from_db()
    browser.post(address("again", google))
    copy = TuningJob.objects.drafts().get()
    assert {name: getattr(copy, name) for name in chosen} == chosen
    assert copy.training == google.training and copy.submission_id != google.submission_id
    assert {**build_tuning_request(copy), "labels": 0} == {**google.request, "labels": 0}


@pytest.mark.parametrize(
    ("kept", "sentence"),
    [
        ({"base_model": "gemini-0.1"}, "“gemini-0.1” can’t be tuned in this project."),
        ({"base_model": "gemini-2.5-pro", "adapter_size": 16}, "supports adapter sizes 1, 2, 4, 8."),
        ({"location": "asia-east1"}, "can’t be tuned in that region."),
    ],
    ids=["model", "adapter", "region"],
)
def test_copy_with_unavailable_values_shows_field_errors(
    browser: Client, google: TuningJob, kept: dict[str, Any], sentence: str
) -> None:
    TuningJob.objects.filter(pk=google.pk).update(submission=Submission.REFUSED, **kept)
    browser.post(address("again", google))
    copy = TuningJob.objects.drafts().get()
    page = get_page(browser, copy)
    assert sentence in page and "(not available)" in page
    assert ("open" in re.findall(r'<details class="folded"([^>]*)>', page)[0]) == ("adapter_size" in kept)


@pytest.mark.parametrize("submission", Submission.values)
@pytest.mark.parametrize("state", ["", "JOB_STATE_RUNNING", "JOB_STATE_FAILED", "JOB_STATE_CANCELLED"])
def test_tune_again_is_offered_in_every_state(
    browser: Client, draft: TuningJob, submission: str, state: str
) -> None:
    TuningJob.objects.filter(pk=draft.pk).update(submission=submission, state=state)
    assert f'action="{address("again", draft)}"' in browser.get("/p/local/jobs/").content.decode()
    if submission != Submission.DRAFT:
        assert (
            f'action="{address("again", draft)}"' in browser.get(address("details", draft)).content.decode()
        )


def test_viewer_cannot_tune_again(draft: TuningJob, person: Any, browser_of: Any) -> None:
    TuningJob.objects.filter(pk=draft.pk).update(submission=Submission.REFUSED)
    page = browser_of(person(Role.VIEWER)).get("/p/local/jobs/").content.decode()
    assert "/again/" not in page


def test_form_data_round_trips_the_draft(google: TuningJob, parent: TuningJob) -> None:
    google.pre_tuned_model, google.pre_tuned_checkpoint, google.base_model = MODEL, "2", "gemini-2.5-pro"
    google.labels, google.learning_rate_multiplier = {"a": "", "b": "c"}, 0.123456789
    form = ModelDetailsForm(instance=google)
    assert form.is_valid(), form.errors
    assert form.get_valid_columns() == {name: getattr(google, name) for name in form.get_valid_columns()}
    assert json.loads(json.dumps(form.get_valid_columns())) == form.get_valid_columns()
