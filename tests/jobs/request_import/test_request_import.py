"""What people paste: every way of quoting, what is refused and how it is said, and the page that takes it."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.messages import get_messages
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from jobs.models import TuningJob
from jobs.request_import import draft_fields, reader, views
from jobs.request_import.bash_lexer import tokenize_bash
from jobs.request_import.cmd_lexer import arguments, without_carets
from studio.models import Project
from tests.engine.running_engine import Engine
from tests.jobs.wizard.drafts import NASTY

URL = "https://europe-west4-aiplatform.googleapis.com/v1/projects/their-project/locations/europe-west4/tuningJobs"
SPEC = {"trainingDatasetUri": "gs://b/train.jsonl"}
BODY = {"baseModel": "gemini-2.5-flash", "supervisedTuningSpec": SPEC, "tunedModelDisplayName": "it's “x”"}
JSON = json.dumps(BODY)
TAKEN = {"base_model": "gemini-2.5-flash", "training": "gs://b/train.jsonl", "location": "europe-west4"}
PLAIN = (
    '{"baseModel": "gemini-2.5-flash", "supervisedTuningSpec": {"trainingDatasetUri": "gs://b/train.jsonl"}}'
)
IN_MARKS = PLAIN.replace('"', '\\"')
# The reference page's own request, with its comma too many.
REFERENCE = """{
  "baseModel": "gemini-1.5-pro-002",
  "supervisedTuningSpec" : {
      "training_dataset_uri": "gs://b/train.jsonl",
      "validation_dataset_uri": "gs://b/validation.jsonl",
      "hyperParameters": {
          "epochCount": 4,
          "adapterSize": "ADAPTER_SIZE_FOUR",
          "learningRateMultiplier": 1.0
      },
  },
  "tunedModelDisplayName": "tuned_gemini_pro"
}"""
REFERENCE_FIELDS = {
    "base_model": "gemini-1.5-pro-002",
    "training": "gs://b/train.jsonl",
    "validation": "gs://b/validation.jsonl",
    "validation_enabled": True,
    "epoch_count": 4,
    "adapter_size": 4,
    "learning_rate_multiplier": 1.0,
    "tuned_model_display_name": "tuned_gemini_pro",
}
HEADERS = (
    """-H "Authorization: Bearer $(gcloud auth print-access-token)" -H "Content-Type: application/json" """
)


def test_reference_json_is_parsed() -> None:
    pasted = reader.parse_request(REFERENCE)
    assert (pasted.fields, pasted.unknown, pasted.messages) == (REFERENCE_FIELDS, [], [])


@pytest.mark.parametrize(
    "command",
    [
        f"curl -X POST {HEADERS} -d '{PLAIN}' \"{URL}\"",
        f"curl -X POST \\\n  {HEADERS} \\\n  --data-binary '{PLAIN}' \\\n  {URL}",
        f"$ curl -sSLXPOST {URL} -d'{PLAIN}'",
        f"sudo /usr/bin/curl --url {URL} --json '{PLAIN}' > answer.json 2>&1",
        f'curl --data-raw "{IN_MARKS}" {URL} | jq .name',
        f"curl --data $'{IN_MARKS}' {URL}",
        f"curl -x http://proxy:3128 -e https://example.com -d '{PLAIN}' {URL}",
        f"curl -d @- {URL} <<'EOF'\n{PLAIN}\nEOF",
        f"curl -d @- {URL} <<EOF\n{PLAIN}\nEOF\n",
        f'curl -d @- {URL} <<-"END"\n\t{PLAIN}\n\tEND',
        f"curl -d @- {URL} <<< '{PLAIN}'",
        f"cat <<EOF | curl -d @- {URL}\n{PLAIN}\nEOF",
        f"echo '{PLAIN}' | curl -d @- {URL}",
        f"cat > request.json << 'EOF'\n{PLAIN}\nEOF\n\ncurl -X POST {HEADERS} -d @request.json \"{URL}\"",
        f"# first\nexport A=1; cd /tmp && curl --data-binary @./b.json {URL} --silent < /dev/null\n".replace(
            "curl", f"echo '{PLAIN}' > b.json && curl"
        ),
        f"curl https://example.com/health\ncurl -d '{PLAIN}' {URL}",
        f'curl -X POST ^\r\n  -H "Content-Type: application/json" ^\r\n  -d "{IN_MARKS}" ^\r\n  "{URL}"',
        f'curl.exe ^"{URL}^" ^\n  --data-raw ^"{IN_MARKS}^"'.replace('\\"', '^\\^"').replace("{", "^{"),
        f"curl.exe -X POST `\n  -d '{PLAIN}' `\n  {URL}",
        f"POST {URL}\nContent-Type: application/json\n\n{PLAIN}",
        f"{URL}\n\n{PLAIN}",
        f"$cred = gcloud auth print-access-token\n$body = @'\n{PLAIN}\n'@\n\nInvoke-WebRequest `\n"
        f'    -Method POST `\n    -Body $body `\n    -Uri "{URL}" | Select-Object -Expand Content',
        f"@'\n{PLAIN}\n'@  | Out-File -FilePath request.json -Encoding utf8\n\n"
        '$headers = @{ "A" = "B $c" }\n'
        f'Invoke-WebRequest `\n    -Headers $headers `\n    -InFile request.json `\n    -Uri "{URL}"',
        f"irm {URL} -Method Post -ContentType: 'application/json' -Body '{PLAIN}'",
        f"$b='{PLAIN}'\n$answer = Invoke-RestMethod -Uri {URL} -Body ([Text.Encoding]::UTF8.GetBytes($b))",
        f'Invoke-WebRequest -Body "{PLAIN}" -Uri {URL}'.replace('": "', '"": ""')
        .replace('"{"', '"{""')
        .replace('", "', '"", ""')
        .replace('": {"', '"": {""')
        .replace('"}}"', '""}}"'),
    ],
)
def test_every_quoting_style_is_parsed(command: str) -> None:
    pasted = reader.parse_request(command)
    assert pasted.fields == TAKEN
    assert (pasted.project_id, pasted.messages, pasted.unknown) == ("their-project", [], [])


@pytest.mark.parametrize("fence", ["```json\n{}\n```", "```\n{}\n```", "\ufeff{}", "\n\n  {}  \n"])
def test_fences_and_whitespace_are_ignored(fence: str) -> None:
    assert reader.parse_request(fence.replace("{}", PLAIN)).fields["base_model"] == "gemini-2.5-flash"


def test_job_list_and_publisher_model_name_are_unwrapped() -> None:
    job = {**BODY, "baseModel": "publishers/google/models/gemini-2.5-pro"}
    assert reader.parse_request(json.dumps({"tuningJobs": [job]})).fields["base_model"] == "gemini-2.5-pro"


@pytest.mark.parametrize(
    "text,said",
    [
        ("", "Paste a curl command, a PowerShell command or the JSON of a job."),
        ("hello", "neither a curl command nor JSON"),
        ("[1]", "not a JSON object"),
        ("{", "breaks off in line 1, column 2"),
        ('{\n  "baseModel": tru\n}', "wrong in line 2, column 16, at “tru”"),
        ('{"a": 1} x', "wrong in line 1, column 10, at “x”"),
        ("{" * 5 + '"a":' * 3, "line 1"),
        ('{"a":' * 100_000, "nested too deeply"),
        ('{"a":' + "9" * 5000 + "}", "number too long"),
        ("{}", "supervisedTuningSpec is missing"),
        ('{"supervisedTuningSpec": 3}', "supervisedTuningSpec is not an object"),
        ('{"preference_optimization_spec": {}}', "for preference tuning"),
        ('{"tuningJobs": [{}, {}]}', "list of 2 jobs"),
        (f"curl -d @request.json {URL}", "in the file request.json"),
        (f"curl -d @- {URL} < body.json", "in the file body.json"),
        (f"jq . x | curl -d @- {URL}", "comes from another command"),
        (f"curl -d '{PLAIN} {URL}", "mark ' in line 1 is not closed"),
        (f'curl \\\n -d "{{ {URL}', 'mark " in line 2 is not closed'),
        (f"curl -d @- {URL} <<EOF\n{PLAIN}\n", "here-document of line 1 has no end"),
        (f"curl {URL}", "sends no body"),
        (f"POST {URL}", "no body in this text"),
        ("wget x # curl", "No curl command was found"),
        (f"Invoke-WebRequest -Uri {URL}", "sends no body"),
        (f"Invoke-WebRequest -Uri {URL} -InFile request.json", "in the file request.json"),
        (f"irm {URL} -Body (@{{ a = 1 }} | ConvertTo-Json)", "not written out"),
        (f"irm {URL} -Body $body", "The body, $body, is not written out"),
        (f"irm {URL} -Body @'\n{PLAIN}\n", "here-string of line 1 has no end"),
    ],
)
def test_errors_say_what_to_do(text: str, said: str) -> None:
    with pytest.raises(reader.Unreadable) as caught:
        reader.parse_request(text)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "changes,fields,said",
    [
        ({"epochCount": "7"}, {"epoch_count": 7}, ""),
        ({"epoch_count": 7.0}, {"epoch_count": 7}, ""),
        ({"epochCount": 0}, {}, "epochCount: 0 : not a whole number from 1 to 1000"),
        ({"epochCount": 10**400}, {}, "epochCount"),
        ({"epochCount": True}, {}, "epochCount"),
        ({"adapterSize": "adapter_size_sixteen"}, {"adapter_size": 16}, ""),
        ({"adapterSize": "ADAPTER_SIZE_UNSPECIFIED"}, {}, ""),
        ({"adapterSize": 8}, {"adapter_size": 8}, "adapterSize: 8 was taken as the size"),
        ({"adapterSize": "8"}, {"adapter_size": 8}, "adapterSize: 8 was taken as the size"),
        ({"adapterSize": 3}, {}, "adapterSize: 3 : allowed values are 1, 2, 4, 8, 16, 32"),
        ({"learningRateMultiplier": "0.25"}, {"learning_rate_multiplier": 0.25}, ""),
        ({"learningRateMultiplier": 0}, {}, "not a number above 0"),
        ({"learningRateMultiplier": "1e999"}, {}, "not a number above 0"),
        ({"learningRateMultiplier": [1]}, {}, "not a number above 0"),
    ],
)
def test_hyper_parameters_accept_every_spelling(changes: dict[str, Any], fields: Any, said: str) -> None:
    pasted = reader.parse_request(json.dumps({"supervisedTuningSpec": {"hyperParameters": changes}}))
    assert pasted.fields == fields
    assert (said in " ".join(pasted.messages)) if said else not pasted.messages


def test_dropped_fields_are_reported() -> None:
    request = {
        **BODY,
        "outputUri": "gs://b/out",
        "state": "JOB_STATE_RUNNING",
        "labels": {"a": "b", "n": 1, "studio-submission": "0123"},
        "description": 3.5,
        "service_account": "x" * 300,
        "encryptionSpec": {"kms_key_name": "key", "other": 1},
        "preTunedModel": {"tuned_model_name": "m\x00", "checkpoint_id": 2},
        "supervisedTuningSpec": {
            "evaluationConfig": {},
            "export_last_checkpoint_only": "maybe",
            "hyperParameters": {"batchSize": "3"},
        },
    }
    pasted = reader.parse_request(json.dumps(request))
    assert pasted.unknown == [
        *("outputUri", "labels.n", "encryptionSpec.other", "supervisedTuningSpec.evaluationConfig"),
        "supervisedTuningSpec.hyperParameters.batchSize",
    ]
    assert pasted.outputs == ["state"]
    said = " ".join(pasted.messages)
    for path in (
        "description is not a text",
        "serviceAccount has 300",
        "tunedModelName: characters",
        "neither true",
    ):
        assert path in said
    assert pasted.fields["labels"] == {"a": "b"}
    assert (pasted.fields["pre_tuned_model"], pasted.fields["pre_tuned_checkpoint"]) == (
        "m\N{REPLACEMENT CHARACTER}",
        "2",
    )


def test_shell_variables_are_kept_and_reported() -> None:
    pasted = reader.parse_request(f'curl -d "{IN_MARKS}" {URL}'.replace("gemini-2.5-flash", "${MODEL}"))
    assert pasted.fields["base_model"] == "${MODEL}"
    assert "${MODEL} would be filled in by the shell" in pasted.messages[0]


def test_unexpected_urls_are_reported() -> None:
    assert (
        "no region"
        in reader.parse_request(f"curl -d '{PLAIN}' {URL}".replace("europe-west4/", "LOCATION/")).messages[0]
    )
    cancel = reader.parse_request(f"curl -d '{PLAIN}' {URL}/1:cancel")
    assert "not that of tuningJobs.create" in cancel.messages[0] and "location" not in cancel.fields


def test_length_limits_match_the_model() -> None:
    for name, longest in draft_fields.MAX_LENGTHS.items():
        if name not in {"training", "validation"}:
            field = TuningJob._meta.get_field(name)
            assert longest == field.max_length  # type: ignore[union-attr]


@given(st.text(st.sampled_from("{}[]\"'\\\n\t $`^@<>|;&,:-#ac=(){}u0Eurl")))
def test_any_text_parses_or_raises_unreadable(text: str) -> None:
    for start in ("", "curl -d ", "{", "irm x -Body ", "curl ^\n", "curl `\n"):
        try:
            reader.parse_request(start + text)
        except reader.Unreadable as refusal:
            assert str(refusal)


KEYS = st.one_of(
    st.sampled_from(
        [
            *(
                "baseModel",
                "preTunedModel",
                "tunedModelName",
                "checkpointId",
                "labels",
                "encryptionSpec",
                "name",
            ),
            *(
                "kmsKeyName",
                "hyperParameters",
                "epochCount",
                "adapterSize",
                "learningRateMultiplier",
                "description",
            ),
            *(
                "trainingDatasetUri",
                "validationDatasetUri",
                "exportLastCheckpointOnly",
                "tuningJobs",
                "serviceAccount",
            ),
        ]
    ),
    st.text(max_size=5),
)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=6),
        max_leaves=12,
    )
)
def test_any_json_parses_or_raises_unreadable(value: Any) -> None:
    request = {**(value if isinstance(value, dict) else {}), "supervisedTuningSpec": value, "labels": value}
    try:
        pasted = reader.parse_request(json.dumps(request))
    except reader.Unreadable:
        return
    json.dumps(pasted.fields, allow_nan=False).encode()
    " ".join([*pasted.messages, *pasted.unknown, *pasted.outputs]).encode()


@pytest.mark.parametrize(
    "text", ['"' * 50_001, "$(" * 50_000, "\\" * 100_001, '"' + '\\"' * 50_000, ",\n" * 50_000, "'" * 99_999]
)
@pytest.mark.parametrize("start", ["curl -d ", '{"a": ', "irm x -Body ", "curl ^\n-d "])
def test_long_text_is_parsed_fast(start: str, text: str) -> None:
    started = time.process_time()
    with pytest.raises(reader.Unreadable):
        reader.parse_request(start + text)
    assert time.process_time() - started < 10


# ---- as shells do it


def test_tokens_match_bash(tmp_path: Path) -> None:
    """Each line is cut by bash itself, too."""
    (tmp_path / "x").write_text("#!/bin/sh\nprintf '%s\\0' \"$@\"\n")
    (tmp_path / "x").chmod(0o755)
    lines = [
        *(
            "a b  c",
            "'a b'\"c d\"e",
            r"a\ b \' \" \\",
            r'"a\"b\\c\d\$e"',
            "$'a\\tb\\x41\\u00e9\\'\\101\\n'",
            "''",
        ),
        *(
            "a#b #c",
            "a \\\n b",
            '"a\\\nb"',
            "'a\nb'",
            "a'b'\\''c'",
            "-d'{\"a\": 1}'",
            '"!"',
            r"'a\'b",
            "a=b --c=d",
        ),
    ]
    for line in lines:
        environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "LC_ALL": "C.UTF-8"}
        done = subprocess.run(["bash", "-c", f"x {line}"], env=environment, capture_output=True, check=True)
        expected = done.stdout.decode().split("\0")[:-1]
        assert [word.text for word in tokenize_bash(f"x {line}")[0].words[1:]] == expected, line


@pytest.mark.parametrize(
    "line,words",
    [
        (r'"a b c" d e', ["a b c", "d", "e"]),
        (r'"ab\"c" "\\" d', ['ab"c', "\\", "d"]),
        (r'a\\\b d"e f"g h', ["a\\\\\\b", "de fg", "h"]),
        (r"a\\\"b c d", ['a\\"b', "c", "d"]),
        (r'a\\\\"b c" d e', ["a\\\\b c", "d", "e"]),
        (r'"a""b" ""', ['a"b', ""]),
    ],
)
def test_words_are_those_of_windows_programs(line: str, words: list[str]) -> None:
    """The examples of Microsoft's page on parsing C command-line arguments, and two more."""
    assert [word.text for word in arguments(line)] == words


def test_carets_are_those_of_windows_prompt() -> None:
    assert without_carets('a^b "c^d" ^" e^" ^^ f^\n g') == 'ab "c^d" " e" ^ f g'


@pytest.mark.parametrize("nasty", NASTY)
def test_escaped_single_quotes_are_decoded(nasty: str) -> None:
    text = json.dumps({**BODY, "description": nasty, "supervisedTuningSpec": SPEC}, ensure_ascii=False)
    quoted = text.replace("'", "'\\''")
    assert reader.parse_request(f"curl {URL} -d '{quoted}'").fields["description"] == nasty
    doubled = text.replace("'", "''").replace("\u2018", "\u2018\u2018").replace("\u2019", "\u2019\u2019")
    assert reader.parse_request(f"irm {URL} -Body '{doubled}'").fields["description"] == nasty


# ---- the page


def post_text(client: Client, project: Project, text: str) -> HttpResponse:
    address = reverse("jobs:paste", args=[project.slug])
    return client.post(address, {"request": text})


def get_message_text(answer: HttpResponse) -> str:
    return " ".join(str(message) for message in get_messages(answer.wsgi_request))  # type: ignore[attr-defined]


@pytest.fixture
def here(client: Client, tuner: User) -> Client:
    client.force_login(tuner)
    return client


@pytest.mark.django_db
def test_page_has_one_form_and_is_linked_from_the_list(here: Client, project: Project) -> None:
    address = reverse("jobs:paste", args=[project.slug])
    assert address in here.get(reverse("jobs:list", args=[project.slug])).content.decode()
    page = here.get(address).content.decode()
    assert page.count("<textarea") == 1 and "csrfmiddlewaretoken" in page
    assert not TuningJob.objects.exists()


@pytest.mark.django_db
def test_rejected_text_stays_in_the_form(here: Client, project: Project) -> None:
    answer = post_text(here, project, "{\n<b>")
    assert answer.status_code == 422
    assert "line 2" in answer.content.decode() and "{\n&lt;b&gt;</textarea>" in answer.content.decode()
    too_long = post_text(here, project, "{" * (views.MAX_CHARACTERS + 1))
    assert f"longer than {views.MAX_CHARACTERS}" in too_long.content.decode()
    assert not TuningJob.objects.exists()


@pytest.mark.django_db
def test_pasted_command_creates_a_draft(here: Client, project: Project, on_engine: Engine) -> None:
    request = {
        **BODY,
        "supervisedTuningSpec": {
            "trainingDatasetUri": on_engine.upload_examples("pasted.jsonl", 8),
            "validationDatasetUri": on_engine.upload_examples("pasted-validation.jsonl", 4),
            "hyperParameters": {"epochCount": 3, "adapterSize": "ADAPTER_SIZE_EIGHT"},
        },
        "labels": {"team": "red", "studio-submission": "another"},
    }
    url = f"http://x/v1/projects/{project.project_id}/locations/us-central1/tuningJobs"
    answer = post_text(here, project, f"curl {url} -d @- <<'E'\n{json.dumps(request)}\nE")
    job = TuningJob.objects.get()
    assert answer.headers["Location"] == reverse("jobs:model", args=[project.slug, job.pk])
    assert (job.tuned_model_display_name, job.epoch_count, job.adapter_size) == ("it's “x”", 3, 8)
    assert job.training and job.validation and job.validation_enabled and job.is_draft
    assert job.labels == {"team": "red"} and job.submission_id != "another"
    assert "Taken from the request" in get_message_text(
        answer
    ) and "names the project" not in get_message_text(answer)
    assert here.get(answer.headers["Location"]).status_code == 200


@pytest.mark.django_db
def test_missing_file_is_prefilled_in_step_2(here: Client, project: Project, on_engine: Engine) -> None:
    spec = {"trainingDatasetUri": "gs://data/nowhere.jsonl", "validationDatasetUri": "projects/1/datasets/2"}
    answer = post_text(here, project, json.dumps({**BODY, "supervisedTuningSpec": spec}))
    job = TuningJob.objects.get()
    assert job.training is None and job.validation is None and job.validation_enabled
    assert "gs://data/nowhere.jsonl: There is no such file." in get_message_text(answer)
    assert "projects/1/datasets/2: This is not the path of a file." in get_message_text(answer)
    page = here.get(reverse("jobs:dataset", args=[project.slug, job.pk])).content.decode()
    assert 'value="gs://data/nowhere.jsonl"' in page and 'value="projects/1/datasets/2"' in page
    other = TuningJob.objects.create(project=project, owner=job.owner, base_model="studio-tiny")
    assert "nowhere" not in here.get(reverse("jobs:dataset", args=[project.slug, other.pk])).content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize(
    "request_,said",
    [
        ({"baseModel": "gemini-99"}, "Base model gemini-99 is not offered here."),
        ({"baseModel": "studio-tiny", "name": "projects/1/locations/mars-east1/tuningJobs/1"}, "mars-east1"),
        (
            {"baseModel": "gemini-1.5-pro-002", "hyperParameters": {"adapterSize": "ADAPTER_SIZE_SIXTEEN"}},
            "gemini-1.5-pro-002 doesn’t support adapter size 16.",
        ),
        ({"preTunedModel": {"tunedModelName": "projects/1/locations/l/models/2@1"}}, "on which base model"),
        ({"baseModel": "studio-tiny", "tunedModelDisplayName": "x" * 129}, "has 129 characters"),
        ({"baseModel": "studio-tiny", "labels": {"\x00": "\ud800"}}, "Taken from the request"),
    ],
)
def test_unsupported_values_are_reported_and_the_draft_is_created(
    here: Client, project: Project, request_: dict[str, Any], said: str
) -> None:
    spec = {"hyperParameters": request_.pop("hyperParameters", {})}
    answer = post_text(here, project, json.dumps({**request_, "supervisedTuningSpec": spec}))
    job = TuningJob.objects.get()
    assert said in get_message_text(answer)
    for step in ("jobs:model", "jobs:dataset", "jobs:request"):
        assert here.get(reverse(step, args=[project.slug, job.pk])).status_code == 200


@pytest.mark.django_db
def test_other_project_in_the_url_is_reported(here: Client, project: Project) -> None:
    answer = post_text(
        here,
        project,
        f"curl -d '{json.dumps({**BODY, 'supervisedTuningSpec': {}})}' {URL}".replace("it's", "its"),
    )
    assert "names the project their-project" in get_message_text(answer)


@pytest.mark.django_db
def test_long_field_lists_are_truncated(here: Client, project: Project) -> None:
    request = {**BODY, "supervisedTuningSpec": {}, **{f"field{number}": 1 for number in range(500)}}
    assert "480 more" in get_message_text(post_text(here, project, json.dumps(request)))
