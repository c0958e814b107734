"""Invalid input: it is kept and gets an error message that says what to do, never an error page.

The wizard's and the addresses' cases of the corpus of bad input; those of JSONL lie in tests/jobs/datasets,
those of the chat in tests/jobs/chat.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from html import escape

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from jobs.models import Submission, TuningJob
from jobs.wizard.autofocus import set_autofocus
from jobs.wizard.model_step.display_name import validate_display_name
from jobs.wizard.model_step.form import ModelDetailsForm
from studio.models import AuditEntry, Project
from tests.studio.vertex.double import FakeVertexServer

pytestmark = pytest.mark.django_db
FAMILY = "👩‍👩‍👧‍👦"


@pytest.fixture
def browser(tuner: User, browser_of: Callable[[User], Client]) -> Client:
    """A client that returns 500 responses instead of raising the exception."""
    client = browser_of(tuner)
    client.raise_request_exception = False
    return client


@pytest.fixture
def flash(project: Project, draft: TuningJob) -> TuningJob:
    """A draft on Google, where the models differ in their limits."""
    Project.objects.filter(pk=project.pk).update(backend="google", regions=["us-central1", "asia-northeast1"])
    TuningJob.objects.filter(pk=draft.pk).update(base_model="gemini-2.5-flash")
    draft.refresh_from_db()
    return draft


def address(name: str, job: TuningJob) -> str:
    return reverse(f"jobs:{name}", args=[job.project.slug, job.pk])


def make_form_data(**changed: str) -> dict[str, str]:
    return {
        "tuned_model_display_name": "intents",
        "base_model": "gemini-2.5-flash",
        "location": "us-central1",
        "epoch_count": "",
        "adapter_size": "",
        "learning_rate_multiplier": "",
        **changed,
    }


def decode_page(answer: HttpResponse) -> str:
    return answer.content.decode()


def find_control(page: str, name: str) -> str:
    """The control called `name`."""
    found = re.search(rf'<(?:input|select|textarea)\b[^>]*\bname="{name}"[^>]*>', page)
    assert found, name
    return found[0]


# ---- step 1: the values ----

NAMES = {
    "none": "",
    "1 character": "x",
    "128 characters": "x" * 128,
    "128 characters of two units each": "𝒳" * 128,
    "an image that breaks": "<img src=x onerror=alert(1)>",
    "emoji joined": FAMILY,
    "right to left": "نموذج النوايا",
    "Persian with a non-joiner": "مدل‌ها",
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES.keys())
def test_names_in_any_language_are_saved_and_escaped(
    browser: Client, flash: TuningJob, name: str, tuner: User
) -> None:
    answer = browser.post(address("model", flash), make_form_data(tuned_model_display_name=name))
    assert answer.status_code == 302
    flash.refresh_from_db()
    assert flash.tuned_model_display_name == name
    assert "<img src=x" not in decode_page(browser.get(address("dataset", flash)))
    flash.start(tuner)
    flash.refresh_from_db()
    for url in (address("detail", flash), reverse("jobs:list", args=["local"])):
        page = decode_page(browser.get(url))
        assert "<img src=x" not in page
        assert f"<bdi>{escape(str(flash))}</bdi>" in page, "nothing but itself is turned by it"


WRONG = {
    "name of 129": ("tuned_model_display_name", "x" * 129, "Enter up to 128 characters; this name has 129."),
    "name turned round": ("tuned_model_display_name", "x\u202egpj", "Character 2 is invisible (U+202E)."),
    "name with an isolate": ("tuned_model_display_name", "\u2067x", "Character 1 is invisible (U+2067)."),
    "name with a bell": ("tuned_model_display_name", "a\x07", "Character 2 is invisible (U+0007)."),
    "name of two lines": ("tuned_model_display_name", "a\nb", "Character 2 is invisible (U+000A)."),
    "name with a NUL": ("tuned_model_display_name", "a\x00b", "Null characters are not allowed."),
    "epochs 0": ("epoch_count", "0", "Enter 1 or more."),
    "epochs -1": ("epoch_count", "-1", "Enter 1 or more."),
    "epochs 1e9": ("epoch_count", "1e9", "Enter a whole number, such as 3."),
    "epochs 1000000000": ("epoch_count", "1000000000", "Enter 1000 or less."),
    "epochs 1.5": ("epoch_count", "1.5", "Enter a whole number, such as 3."),
    "epochs NaN": ("epoch_count", "NaN", "Enter a whole number, such as 3."),
    "epochs of 5000 digits": ("epoch_count", "9" * 5000, "Enter a whole number, such as 3."),
    "adapter size not listed": ("adapter_size", "32", "supports adapter sizes 1, 2, 4, 8, 16."),
    "adapter size -1": ("adapter_size", "-1", "gemini-2.5-flash supports adapter sizes"),
    "rate 0": ("learning_rate_multiplier", "0", "Enter a number above 0."),
    "rate -1": ("learning_rate_multiplier", "-1", "Enter a number above 0."),
    "rate Inf": ("learning_rate_multiplier", "Inf", "Enter a number, such as 0.5."),
    "rate Infinity": ("learning_rate_multiplier", "Infinity", "Enter a number, such as 0.5."),
    "rate 1e999": ("learning_rate_multiplier", "1e999", "Enter a number, such as 0.5."),
    "rate NaN": ("learning_rate_multiplier", "NaN", "Enter a number, such as 0.5."),
    "region of other models": ("location", "asia-northeast1", "can’t be tuned in that region."),
    "region not listed": ("location", "mars-north1", "gemini-2.5-flash can’t be tuned in that region."),
    "region with a path": ("location", "../us-central1", "gemini-2.5-flash can’t be tuned in that region."),
    "model of the engine": ("base_model", "studio-tiny", "can’t be tuned in this project."),
    "model with a path": ("base_model", "../../gemini-2.5-flash", "can’t be tuned in this project."),
}  # fmt: skip


@pytest.mark.sql
@pytest.mark.parametrize(("field", "value", "sentence"), WRONG.values(), ids=WRONG.keys())
def test_invalid_value_shows_an_error_at_its_field(
    browser: Client, flash: TuningJob, field: str, value: str, sentence: str
) -> None:
    others = {"epoch_count": "7", "learning_rate_multiplier": "0.25", "tuned_model_display_name": "mine"}
    answer = browser.post(address("model", flash), make_form_data(**{**others, field: value}))
    page = decode_page(answer)
    assert answer.status_code == 422
    error = re.search(rf'id="id_{field}_error">.*?</div></div>', page, re.DOTALL)
    assert error and escape(sentence, quote=False) in error[0]
    tag = find_control(page, field)
    assert "autofocus" in tag and f"id_{field}_error" in tag and 'aria-invalid="true"' in tag
    assert page.count(" autofocus") == 1
    if tag.startswith("<input"):
        assert f'value="{escape(value)}"'.replace("\x00", "�") in tag.replace("\x00", "�")
    for name, kept in others.items():
        assert name == field or f'value="{kept}"' in find_control(page, name)
    before = getattr(flash, field)
    flash.refresh_from_db()
    assert getattr(flash, field) == before
    right = {"epoch_count": 7, "learning_rate_multiplier": 0.25, "tuned_model_display_name": "mine"}
    assert all(name == field or getattr(flash, name) == kept for name, kept in right.items())


def test_adapter_size_of_another_model_is_rejected(browser: Client, flash: TuningJob) -> None:
    values = make_form_data(base_model="gemini-2.5-pro", adapter_size="16")
    answer = browser.post(address("model", flash), values)
    assert answer.status_code == 422
    assert "gemini-2.5-pro supports adapter sizes 1, 2, 4, 8." in decode_page(answer)


def test_first_invalid_field_gets_autofocus(browser: Client, flash: TuningJob) -> None:
    values = make_form_data(epoch_count="0", learning_rate_multiplier="0", location="mars")
    page = decode_page(browser.post(address("model", flash), values))
    assert "autofocus" in find_control(page, "location") and page.count(" autofocus") == 1
    assert '<details class="folded" open>' in page


def test_htmx_responses_have_no_autofocus(browser: Client, flash: TuningJob) -> None:
    values = make_form_data(epoch_count="0", adapter_size="99")
    asked = {"HX-Request": "true", "HX-Trigger-Name": "base_model"}
    page = decode_page(browser.post(address("model", flash), values, headers=asked))
    assert "autofocus" not in page and "Enter 1 or more." in page


def test_unknown_field_gets_no_autofocus(flash: TuningJob) -> None:
    form = ModelDetailsForm(instance=flash)
    assert set_autofocus(form, "nothing", {"nothing": "x"}) == ""
    assert set_autofocus(form, "epoch_count") == "epoch_count"


@pytest.mark.parametrize(
    "name", ["a\u200db", "a\u200cb", "\u200eabc\u200f", "\U0001f3f4\U000e0067\U000e007f", "\ufeffa"]
)
def test_joiners_and_direction_marks_are_allowed_in_names(name: str) -> None:
    assert validate_display_name(name) == name


@pytest.mark.parametrize("letter", ["\u202a", "\u202d", "\u2066", "\u2069", "\u2028", "\u0085", "\ud800"])
def test_bidi_controls_and_line_breaks_are_rejected_in_names(letter: str) -> None:
    with pytest.raises(ValidationError, match=f"U\\+{ord(letter):04X}"):
        validate_display_name(f"name{letter}")


# ---- twice, too late, not mine ----


def test_starting_twice_creates_one_job(browser: Client, draft: TuningJob) -> None:
    first, second = (browser.post(address("start", draft)) for _click in range(2))
    assert first.headers["Location"] == second.headers["Location"] == address("detail", draft)
    assert TuningJob.objects.count() == 1
    assert TuningJob.objects.get().submission == Submission.READY
    assert AuditEntry.objects.filter(action="tuning_job.start").count() == 1


def test_input_for_a_started_draft_goes_to_a_new_draft(
    browser: Client, flash: TuningJob, tuner: User
) -> None:
    flash.start(tuner)
    answer = browser.post(
        address("model", flash), make_form_data(tuned_model_display_name="later", epoch_count="7")
    )
    copy = TuningJob.objects.drafts().get()
    assert answer.headers["Location"] == address("dataset", copy)
    assert (copy.tuned_model_display_name, copy.epoch_count, copy.training) == ("later", 7, flash.training)
    page = decode_page(browser.get(address("dataset", copy)))
    assert "“intents” was started in another tab. What you entered is kept in this new draft." in page
    flash.refresh_from_db()
    assert (flash.tuned_model_display_name, flash.epoch_count) == ("intents", None)


def test_invalid_input_for_a_started_draft_is_shown_in_a_new_draft(
    browser: Client, flash: TuningJob, tuner: User
) -> None:
    flash.start(tuner)
    answer = browser.post(address("model", flash), make_form_data(epoch_count="0"))
    copy = TuningJob.objects.drafts().get()
    page = decode_page(answer)
    assert (
        answer.status_code == 422
        and "Enter 1 or more." in page
        and 'value="0"' in find_control(page, "epoch_count")
    )
    assert f'action="{address("model", copy)}"' in page


def test_input_for_a_discarded_draft_goes_to_a_new_draft(browser: Client, flash: TuningJob) -> None:
    browser.post(address("discard", flash))
    answer = browser.post(
        address("model", flash), make_form_data(tuned_model_display_name="later", epoch_count="7")
    )
    copy = TuningJob.objects.get()
    assert copy.is_draft and (copy.tuned_model_display_name, copy.epoch_count) == ("later", 7)
    page = decode_page(browser.get(answer.headers["Location"]))
    assert "This draft was discarded in another tab. What you entered is kept in a new draft" in page


def test_unknown_draft_returns_404(
    browser: Client, flash: TuningJob, person: Callable[..., User], browser_of: Callable[[User], Client]
) -> None:
    assert (
        browser.post(address("model", flash).replace(str(flash.pk), "9999"), make_form_data()).status_code
        == 404
    )
    browser.post(address("discard", flash))
    other = browser_of(person(username="other"))
    assert other.post(address("model", flash), make_form_data()).status_code == 404
    assert not TuningJob.objects.exists()


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("locate", {"purpose": "training", "uri": "gs://bucket/other.jsonl"}),
        ("remove", {"purpose": "training"}),
        ("validation", {"enabled": "on"}),
        ("sample", {}),
        ("upload", {"purpose": "training"}),
    ],
)
def test_dataset_changes_after_the_start_are_rejected(
    browser: Client,
    draft: TuningJob,
    tuner: User,
    service: FakeVertexServer,
    name: str,
    values: dict[str, str],
) -> None:
    draft.start(tuner)
    answer = browser.post(address(name, draft), values)
    assert answer.headers["Location"] == address("detail", draft)
    page = decode_page(browser.get(address("detail", draft)))
    assert "“intents” was started in another tab, so its data wasn’t changed." in page
    draft.refresh_from_db()
    assert draft.training is not None and not draft.validation_enabled
    assert not service.asked


STEPS = {
    *("model", "dataset", "upload", "locate", "sample", "remove", "validation"),
    *("start", "discard", "again", "mend"),
}


@pytest.mark.parametrize("name", sorted(STEPS))
@pytest.mark.parametrize("slug", ["local", "other", "nowhere"])
def test_draft_of_another_project_returns_404(
    browser: Client, flash: TuningJob, name: str, slug: str
) -> None:
    """The draft is found neither in its own project nor in that of the user."""
    other = Project.objects.create(slug="other", name="Other", project_id="other", regions=["us-central1"])
    TuningJob.objects.filter(pk=flash.pk).update(project=other)
    url = reverse(f"jobs:{name}", args=[slug, flash.pk])
    answer = browser.post(url, make_form_data()) if name != "dataset" else browser.get(url)
    assert answer.status_code == 404
    assert TuningJob.objects.get().epoch_count is None


# ---- step 2: addresses ----

ADDRESSES = {
    "up from the bucket": "gs://../x",
    "up, encoded": "gs://b/%2e%2e/x",
    "up, with the right ending": "gs://bucket/%2e%2e/x.jsonl",
    "up, encoded twice": "gs://bucket/%252e%252e/x.jsonl",
    "a line break": "gs://b\n/x.jsonl",
    "a line break inside": "gs://bucket/x\r\nHost: evil.jsonl",
    "the metadata server": "http://169.254.169.254/",
    "a file of the server": "file:///etc/passwd",
    "a bucket of 300 characters": f"gs://{'b' * 300}/x.jsonl",
    "no bucket": "gs:///x.jsonl",
    "a NUL": "gs://bucket/\x00.jsonl",
    "another ending": "gs://bucket/x.csv",
    "1100 characters": f"gs://bucket/{'x' * 1100}.jsonl",
    "nothing": "",
}
URI_ERRORS = (
    "Enter a file path|This isn’t a file path|must end in .jsonl|Null characters|at most 1100 characters"
)


@pytest.mark.sql
@pytest.mark.parametrize("uri", ADDRESSES.values(), ids=ADDRESSES.keys())
@pytest.mark.parametrize("purpose", ["training", "validation"])
def test_invalid_uri_is_rejected_without_a_request(
    browser: Client, draft: TuningJob, service: FakeVertexServer, uri: str, purpose: str
) -> None:
    TuningJob.objects.filter(pk=draft.pk).update(validation_enabled=True)
    answer = browser.post(address("locate", draft), {"purpose": purpose, "uri": uri})
    page = decode_page(answer)
    assert answer.status_code == 422
    assert not service.asked
    assert re.search(URI_ERRORS, page)
    tag = find_control(page[page.index(f'id="{purpose}"') :], "uri")
    assert escape(uri.strip()).replace("\x00", "") in tag.replace("\x00", "")
    draft.refresh_from_db()
    assert draft.training is not None and draft.training.uri == "gs://tuning-data/train.jsonl"
    assert draft.validation is None
