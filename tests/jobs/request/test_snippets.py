"""Code samples of a request: their content, and that shells and the engine accept them unchanged."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from hypothesis import given

from jobs.datasets import ingest
from jobs.models import TuningJob
from jobs.request import snippets
from jobs.request.panel import RequestPanel, build_target
from jobs.request.target import Snippet
from jobs.request_import import reader
from studio.models import Project
from studio.vertex.auth import Place
from tests.engine.running_engine import Engine
from tests.html import squeeze_html
from tests.jobs.wizard.drafts import DRAFTS, ENGINE, NASTY, PLACES, Draft, File, make_target, render_job

WAYS: list[Callable[..., Snippet]] = [snippets.rest, snippets.curl]
FULL = Draft(
    tuned_model_display_name="it's “intents” 👩‍🔬 $HOME",
    description='first line\nsecond: `id` "x" \\ \'@ !',
    labels={"team": "red", "städte": "köln"},
    service_account="tuner@my-project.iam.gserviceaccount.com",
    kms_key_name="projects/p/locations/us-central1/keyRings/r/cryptoKeys/k",
    epoch_count=2,
    adapter_size=4,
    learning_rate_multiplier=0.5,
    export_last_checkpoint_only=True,
    validation_enabled=True,
    training=File("gs://b/train.jsonl"),
    validation=File("gs://b/validation.jsonl"),
)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
@given(draft=DRAFTS, place=PLACES)
def test_pasting_a_snippet_restores_every_field(
    way: Callable[..., Snippet], draft: Draft, place: Any
) -> None:
    where = make_target(draft.location, **place)
    pasted = reader.parse_request(way(draft.body, where).text)
    assert pasted.fields == draft.expected_fields
    assert (pasted.project_id, pasted.unknown, pasted.outputs, pasted.messages) == (
        where.project_id,
        [],
        [],
        [],
    )


@given(draft=DRAFTS, place=PLACES)
def test_powershell_holds_the_body_in_a_here_string(draft: Draft, place: Any) -> None:
    where = make_target(draft.location, **place)
    text = snippets.powershell(draft.body, where).text
    found = re.search(r"^\$body = @'\n(.*?)\n'@$", text, re.DOTALL | re.MULTILINE)
    assert found and json.loads(found[1]) == draft.body
    assert found[1].isascii() and "\n'" not in found[1]
    call = f"-Body $body `\n    -Uri {snippets.quote_for_powershell(where.method_url)} `"
    assert call in text[found.end() :]


@given(draft=DRAFTS)
def test_pasting_the_json_restores_every_field(draft: Draft) -> None:
    without = {name: value for name, value in draft.expected_fields.items() if name != "location"}
    assert reader.parse_request(json.dumps(draft.body)).fields == without
    assert reader.parse_request(snippets.format_body(draft.body)).fields == without


@given(draft=DRAFTS)
def test_pasting_a_job_restores_every_field_and_lists_the_outputs(draft: Draft) -> None:
    pasted = reader.parse_request(render_job(draft))
    assert pasted.fields == draft.expected_fields
    assert {"state", "tunedModel", "tuningDataStats"} < set(pasted.outputs)


@given(draft=DRAFTS)
def test_formatted_body_is_equal_and_fully_visible(draft: Draft) -> None:
    shown = snippets.format_body(draft.body)
    assert json.loads(shown) == draft.body
    assert all(letter == "\n" or snippets.is_visible(letter) for letter in shown)


@given(draft=DRAFTS, place=PLACES)
def test_python_snippets_contain_or_list_every_field(draft: Draft, place: Any) -> None:
    where = make_target(draft.location, **place)
    for snippet in (snippets.python_genai(draft.body, where), snippets.python_vertexai(draft.body, where)):
        literals = {
            node.value for node in ast.walk(ast.parse(snippet.text)) if isinstance(node, ast.Constant)
        }
        texts = {"tunedModelDisplayName": draft.tuned_model_display_name, "description": draft.description}
        for field, value in {**texts, "serviceAccount": draft.service_account}.items():
            left_out = field in snippet.left_out or "preTunedModel" in snippet.left_out
            assert not value or left_out or value in literals
        assert all(field in snippet.text for field in snippet.left_out if field != "preTunedModel")


def test_left_out_lists_exactly_the_unsupported_fields() -> None:
    where = make_target("us-central1")
    assert snippets.python_genai(FULL.body, where).left_out == ()
    assert snippets.python_vertexai(FULL.body, where).left_out == (
        "supervisedTuningSpec.exportLastCheckpointOnly",
        "description",
    )
    two = Draft(adapter_size=2, training=File("gs://b/t.jsonl"))
    sizes = snippets.python_vertexai(two.body, where)
    assert sizes.left_out == ("supervisedTuningSpec.hyperParameters.adapterSize",)
    assert "adapter_size=" not in sizes.text
    assert (
        "later"
        in snippets.python_vertexai(
            {**two.body, **make_tuning_spec(adapterSize="ADAPTER_SIZE_THIRTY_TWO")}, where
        ).text
    )
    onward = Draft(pre_tuned_model="projects/1/locations/l/models/2@1", training=File("gs://b/t.jsonl"))
    assert snippets.python_vertexai(onward.body, where).left_out == ("preTunedModel",)
    assert "sft.train(" not in snippets.python_vertexai(onward.body, where).text


def make_tuning_spec(**hyper_parameters: str) -> dict[str, Any]:
    return {"supervisedTuningSpec": {"trainingDatasetUri": "gs://b/t", "hyperParameters": hyper_parameters}}


def test_unknown_fields_are_listed_in_python_snippets() -> None:
    body = {
        **FULL.body,
        "outputUri": "gs://b/out",
        "supervisedTuningSpec": {"evaluationConfig": {"metrics": []}},
    }
    for python in (snippets.python_genai, snippets.python_vertexai):
        found = python(body, make_target("us-central1"))
        assert {"outputUri", "supervisedTuningSpec.evaluationConfig.metrics"} <= set(found.left_out)
        assert "outputUri" in found.text


def test_snippets_never_contain_the_token() -> None:
    place = Place("engine", "local", engine_url="http://127.0.0.1:8090", token="s3cret")
    for snippet in snippets.SNIPPET_BUILDERS:
        text = snippet(FULL.body, build_target(place, "us-central1")).text
        assert "s3cret" not in text
        if snippet is not snippets.rest:
            assert "ENGINE_TOKEN" in text


@pytest.mark.parametrize(
    "location,url",
    [
        ("us-central1", "https://us-central1-aiplatform.googleapis.com"),
        ("europe-west4", "https://tuning.example.com"),
        ("", "https://LOCATION-aiplatform.googleapis.com"),
    ],
)
def test_target_uses_the_host_of_the_region(location: str, url: str) -> None:
    place = Place("google", "p", host_overrides=(("europe-west4", "https://tuning.example.com"),))
    found = build_target(place, location)
    assert found.method_url.startswith(f"{url}/v1/projects/p/locations/{location or 'LOCATION'}/")
    assert ("base_url" in snippets.python_genai(FULL.body, found).text) == (location == "europe-west4")


# ---- in a real shell


@pytest.fixture(scope="module")
def fake_curl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A curl that prints its arguments and input."""
    folder = tmp_path_factory.mktemp("bin")
    curl = folder / "curl"
    curl.write_text("#!/bin/sh\nprintf '%s\\0' \"$@\"; case \" $* \" in *' @- '*) cat;; esac\n")
    curl.chmod(0o755)
    gcloud = folder / "gcloud"
    gcloud.write_text("#!/bin/sh\necho token-of-$1\n")
    gcloud.chmod(0o755)
    return folder


def run_in_bash(text: str, fake: Path) -> tuple[list[str], str]:
    environment = {**os.environ, "PATH": f"{fake}:{os.environ['PATH']}", "ENGINE_TOKEN": "t0ken"}
    done = subprocess.run(["bash", "-c", text], env=environment, capture_output=True, timeout=120, check=True)
    *arguments, stdin = done.stdout.decode().split("\0")
    return arguments, stdin


@pytest.mark.parametrize("nasty", NASTY)
def test_bash_sends_the_body_unchanged(nasty: str, fake_curl: Path) -> None:
    draft = Draft(
        nasty, nasty, labels={nasty: nasty}, service_account=nasty, training=File(f"gs://b/{nasty}")
    )
    arguments, stdin = run_in_bash(snippets.curl(draft.body, make_target("us-central1")).text, fake_curl)
    assert json.loads(stdin) == draft.body
    assert arguments == [
        *("-X", "POST", "-H", "Authorization: Bearer token-of-auth"),
        *("-H", "Content-Type: application/json; charset=utf-8", "--data-binary", "@-"),
        "https://us-central1-aiplatform.googleapis.com/v1/projects/my-project/locations/us-central1/tuningJobs",
    ]


@given(draft=DRAFTS)
def test_bash_sends_any_draft_unchanged(fake_curl: Path, draft: Draft) -> None:
    assert (
        json.loads(run_in_bash(snippets.curl(draft.body, make_target(draft.location)).text, fake_curl)[1])
        == draft.body
    )


@pytest.mark.parametrize("nasty", NASTY)
def test_bash_sends_headers_and_url_unchanged(nasty: str, fake_curl: Path) -> None:
    where = make_target("us-central1", project_id=nasty, quota_project=nasty)
    arguments, _ = run_in_bash(snippets.curl(FULL.body, where).text, fake_curl)
    assert f"x-goog-user-project: {nasty}" in arguments
    assert arguments[-1] == where.method_url


def test_engine_token_comes_from_the_environment(fake_curl: Path) -> None:
    text = snippets.curl(FULL.body, make_target("us-central1", **ENGINE, token=True)).text
    assert "Authorization: Bearer t0ken" in run_in_bash(text, fake_curl)[0]


# ---- against the engine


@pytest.fixture
def full(project: Project, tuner: User, on_engine: Engine) -> TuningJob:
    """A draft with every field that the engine supports for a base model (no customer-managed key)."""
    fields = {name: value for name, value in vars(FULL).items() if name not in {"training", "validation"}}
    return TuningJob.objects.create(
        project=project,
        owner=tuner,
        **{**fields, "kms_key_name": "", "submission_id": "shown-in-curl"},
        training=ingest.ingest_existing(project, tuner, on_engine.upload_examples("curl-train.jsonl", 8)),
        validation=ingest.ingest_existing(
            project, tuner, on_engine.upload_examples("curl-validation.jsonl", 4)
        ),
    )


@pytest.mark.django_db
def test_curl_snippet_creates_the_requested_job(full: TuningJob, on_engine: Engine) -> None:
    curl = next(snippet for snippet in RequestPanel(full).snippets if snippet.key == "curl")
    environment = {**os.environ, "no_proxy": "*"}
    done = subprocess.run(
        ["bash", "-c", curl.text], env=environment, capture_output=True, text=True, timeout=120, check=True
    )
    created = json.loads(done.stdout)
    assert "name" in created, created
    job = on_engine.get(f"v1/{created['name']}").json()
    on_engine.post(f"v1/{created['name']}:cancel")
    asked = json.loads(curl.text[curl.text.index("\n{") : curl.text.rindex("\n")])
    assert asked["labels"] == {**FULL.labels, "studio-submission": "shown-in-curl"}
    assert {field: job[field] for field in asked} == asked


# ---- pages


@pytest.mark.django_db
def test_request_page_shows_every_snippet(client: Client, tuner: User, draft: TuningJob) -> None:
    client.force_login(tuner)
    address_ = reverse("jobs:request", args=[draft.project.slug, draft.pk])
    page = squeeze_html(client.get(address_).content.decode())
    for snippet in RequestPanel(draft).snippets:
        assert f'id="request-{snippet.key}"' in page
    assert 'value="rest" autocomplete="off" checked' in page
    assert 'value="curl" autocomplete="off" checked' in squeeze_html(
        client.get(f"{address_}?as=curl").content.decode()
    )
    assert 'value="rest" autocomplete="off" checked' in squeeze_html(
        client.get(f"{address_}?as=x").content.decode()
    )


@pytest.mark.django_db
def test_request_page_of_a_started_job_shows_the_sent_body(
    client: Client, tuner: User, draft: TuningJob
) -> None:
    draft.start(tuner)
    TuningJob.objects.update(tuned_model_display_name="renamed since")
    client.force_login(tuner)
    where = reverse("jobs:request", args=[draft.project.slug, draft.pk])
    page = client.get(where).content.decode()
    assert "&quot;tunedModelDisplayName&quot;: &quot;intents&quot;" in page
    assert "What was sent" in page
    details = reverse("jobs:details", args=[draft.project.slug, draft.pk])
    assert f'href="{where}"' in client.get(details).content.decode()


@pytest.mark.django_db
def test_wizard_shows_the_request_without_a_region(client: Client, tuner: User, draft: TuningJob) -> None:
    draft.update_draft(location="")
    client.force_login(tuner)
    page = client.get(reverse("jobs:dataset", args=[draft.project.slug, draft.pk]))
    assert page.status_code == 200 and "LOCATION" in page.content.decode()
