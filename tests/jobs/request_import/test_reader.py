"""What people paste: which texts are read, what is refused, and what the messages say."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.models import TuningJob
from jobs.request_import import draft_fields, json_body, reader
from tests.jobs.request_import.samples import BODY, PLAIN, URL
from tests.jobs.wizard.drafts import NASTY

TAKEN = {"base_model": "gemini-2.5-flash", "training": "gs://b/train.jsonl", "location": "europe-west4"}
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
IN_LOCATION = URL.replace("locations/europe-west4", "locations/LOCATION")
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
        f"POST {URL}\nContent-Type: application/json\n\n{PLAIN}",
        f"{URL}\n\n{PLAIN}",
        f"cat << EOF > request.json\n{PLAIN}\nEOF\ncurl -d @request.json {URL}",
        f"cat << EOF > request.json\n{PLAIN}\nEOF\ncat request.json | curl -d @- {URL}",
        f"cat << EOF > request.json\n{PLAIN}\nEOF\ncurl --json @- {URL} < ./request.json",
        f"echo '{{}}' > a.json\necho '{PLAIN}' > a.json\ncurl -d @a.json {URL}\necho '{{}}' > a.json",
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
        ("", "Paste a curl command or the JSON of a job."),
        ("hello", "Expected a curl command or JSON."),
        ("[1]", "isn’t a JSON object"),
        ("{", "ends early at line 1, column 2"),
        ('{\n  "baseModel": tru\n}', "Invalid JSON at line 2, column 16, near “tru”"),
        ("{a: 1 bc: 2}", "Invalid JSON at line 1, column 7, near “bc: 2}”"),
        ('{"a": "x\ny"}', "line 1, column 8, near “x”"),
        ('{"a":' * 2000, "nested too deeply"),
        ("{a: " + "9" * 5000 + "}", "number that’s too long"),
        ('{"a": 1} x', "Invalid JSON at line 1, column 10, near “x”"),
        ("{" * 5 + '"a":' * 3, "line 1"),
        ('{"a":' * 100_000, "nested too deeply"),
        ('{"a":' + "9" * 5000 + "}", "number that’s too long"),
        ("{}", "supervisedTuningSpec is missing"),
        ('{"supervisedTuningSpec": 3}', "supervisedTuningSpec isn’t an object"),
        ('{"preference_optimization_spec": {}}', "for preference tuning"),
        ('{"tuningJobs": [{}, {}]}', "list of 2 jobs"),
        (f"curl -d @request.json {URL}", "in the file request.json"),
        (f"curl -d @- {URL} < body.json", "in the file body.json"),
        (f"jq . x | curl -d @- {URL}", "comes from another command"),
        (f"curl -d '{PLAIN} {URL}", "mark ' on line 1 isn’t closed"),
        (f'curl \\\n -d "{{ {URL}', 'mark " on line 2 isn’t closed'),
        (f"curl -d @- {URL} <<EOF\n{PLAIN}\n", "here-document on line 1 isn’t closed"),
        (f"curl {URL}", "sends no body"),
        (f"POST {URL}", "has no request body"),
        (f"Invoke-WebRequest -Uri {URL} -Body '{PLAIN}'", "Expected a curl command or JSON."),
        (f"curl -d $BODY {URL}", "contents of the body $BODY"),
        (f'BODY=$(cat b.json)\ncurl -d "$BODY" {URL}', "contents of the body $BODY"),
        (f"curl -d @b.json {URL}\ncat <<E > b.json\n{PLAIN}\nE\n", "in the file b.json"),
        ("wget x # curl", "No curl command found"),
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
        ({"epochCount": 0}, {}, "Ignored epochCount 0: not a whole number from 1 to 1000."),
        ({"epochCount": 10**400}, {}, "epochCount"),
        ({"epochCount": True}, {}, "epochCount"),
        ({"adapterSize": "adapter_size_sixteen"}, {"adapter_size": 16}, ""),
        ({"adapterSize": "ADAPTER_SIZE_UNSPECIFIED"}, {}, ""),
        ({"adapterSize": 8}, {"adapter_size": 8}, "adapterSize: 8 was read as the size."),
        ({"adapterSize": "8"}, {"adapter_size": 8}, "adapterSize: 8 was read as the size."),
        ({"adapterSize": 3}, {}, "Ignored adapterSize 3: allowed values are 1, 2, 4, 8, 16, 32."),
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
        "Ignored description: not a string.",
        "Ignored serviceAccount: it has 300 characters",
        "tunedModelName: characters that can’t be stored were replaced.",
        "neither true nor false",
    ):
        assert path in said
    assert pasted.fields["labels"] == {"a": "b"}
    assert (pasted.fields["pre_tuned_model"], pasted.fields["pre_tuned_checkpoint"]) == (
        "m\N{REPLACEMENT CHARACTER}",
        "2",
    )


def test_variables_set_in_the_text_are_filled_in() -> None:
    """The reference page's own example."""
    path = "v1/projects/${PROJECT_ID}/locations/$LOCATION/tuningJobs"
    pasted = reader.parse_request(
        f"PROJECT_ID=myproject\nLOCATION=us-central1\n\ncurl \\\n-X POST \\\n{HEADERS} \\\n"
        f'"https://${{LOCATION}}-aiplatform.googleapis.com/{path}" \\\n-d \\\n'
        f"$'{REFERENCE}'"
    )
    assert pasted.fields == {**REFERENCE_FIELDS, "location": "us-central1"}
    assert (pasted.project_id, pasted.messages, pasted.unknown) == ("myproject", [], [])


@pytest.mark.parametrize("delimiter,filled_in", [("EOF", True), ("'EOF'", False)])
def test_variables_in_a_file_that_the_text_writes_are_filled_in(delimiter: str, filled_in: bool) -> None:
    pasted = reader.parse_request(
        f'export MODEL="gemini-2.5-flash" LOCATION=europe-west4\ncat << {delimiter} > request.json\n'
        f"{PLAIN.replace('gemini-2.5-flash', '${MODEL}')}\nEOF\n"
        f'curl -X POST {HEADERS} "{IN_LOCATION.replace("LOCATION", "$LOCATION")}" \\\n  -d @request.json'
    )
    assert pasted.fields == (TAKEN if filled_in else {**TAKEN, "base_model": "${MODEL}"})
    assert pasted.messages == []


def test_variables_that_the_text_does_not_set_stay_and_are_named() -> None:
    pasted = reader.parse_request(f'curl -d "{IN_MARKS}" {URL}'.replace("gemini-2.5-flash", "${MODEL}"))
    assert pasted.fields["base_model"] == "${MODEL}"
    assert pasted.messages == ["${MODEL} isn’t set in the pasted text and stays as written."]
    url = URL.replace("their-project", "$PROJECT_ID").replace(
        "locations/europe-west4", "locations/${LOCATION}"
    )
    pasted = reader.parse_request(f"LOCATION=$(cat region)\ncurl -d '{PLAIN}' {url}")
    assert (pasted.project_id, "location" in pasted.fields) == ("", False)
    assert pasted.messages == ["$PROJECT_ID, ${LOCATION} aren’t set in the pasted text and stay as written."]


@pytest.mark.parametrize(
    "text",
    [
        "{'baseModel': 'it\\'s \"x\"', 'supervisedTuningSpec': {}}",
        '{baseModel: "it\'s \\"x\\"", supervisedTuningSpec: {},}',
        '{\n  // why\n  "baseModel": "it\'s \\"x\\"", /* what */ "supervisedTuningSpec": {}}',
    ],
)
def test_json_written_by_hand_is_parsed(text: str) -> None:
    assert reader.parse_request(text).fields == {"base_model": 'it\'s "x"'}


def test_escaped_characters_are_decoded_in_lenient_json() -> None:
    pasted = reader.parse_request("{description: '\\ud83d\\ude00 \\u00e9', supervisedTuningSpec: {}}")
    assert (pasted.fields["description"], pasted.messages) == ("😀 é", [])


@pytest.mark.parametrize("value", ["NaN", "-Infinity", "1e999", "0x0"])
@pytest.mark.parametrize("comma", ["", ","])
def test_number_that_json_does_not_have_is_ignored(value: str, comma: str) -> None:
    text = f'{{"supervisedTuningSpec": {{"hyperParameters": {{"learningRateMultiplier": {value}{comma}}}}}}}'
    assert "not a number above 0" in reader.parse_request(text).messages[0]


def test_long_text_gets_the_strict_error() -> None:
    start = '{"supervisedTuningSpec": {}, "description": "'
    for length, accepted in ((json_body.MAX_LENIENT_LENGTH, True), (json_body.MAX_LENIENT_LENGTH + 1, False)):
        text = start + "x" * (length - len(start) - 3) + '",}'
        if accepted:
            assert "characters; the limit is 2000" in reader.parse_request(text).messages[0]
        else:
            with pytest.raises(reader.Unreadable, match=f"column {length}, near “}}”"):
                reader.parse_request(text)


def test_unexpected_urls_are_reported() -> None:
    assert (
        "instead of a region"
        in reader.parse_request(f"curl -d '{PLAIN}' {URL}".replace("europe-west4/", "LOCATION/")).messages[0]
    )
    cancel = reader.parse_request(f"curl -d '{PLAIN}' {URL}/1:cancel")
    assert "isn’t that of tuningJobs.create" in cancel.messages[0] and "location" not in cancel.fields


def test_length_limits_match_the_model() -> None:
    for name, longest in draft_fields.MAX_LENGTHS.items():
        if name not in {"training", "validation"}:
            field = TuningJob._meta.get_field(name)
            assert longest == field.max_length  # type: ignore[union-attr]


@given(st.text(st.sampled_from("{}[]\"'\\\n\t $`^@<>|;&,:-#ac=(){}u0Eurl")))
def test_any_text_parses_or_raises_unreadable(text: str) -> None:
    for start in ("", "curl -d ", "{", "A=1\ncurl -d @b <<E >b\n", 'A="$A'):
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
@pytest.mark.parametrize("start", ["curl -d ", '{"a": ', "A=$A; curl -d @- <<E\n"])
def test_long_text_is_parsed_fast(start: str, text: str) -> None:
    started = time.process_time()
    with pytest.raises(reader.Unreadable):
        reader.parse_request(start + text)
    assert time.process_time() - started < 10


@pytest.mark.parametrize("nasty", NASTY)
def test_escaped_single_quotes_are_decoded(nasty: str) -> None:
    text = json.dumps({**BODY, "description": nasty}, ensure_ascii=False)
    quoted = text.replace("'", "'\\''")
    assert reader.parse_request(f"curl {URL} -d '{quoted}'").fields["description"] == nasty


def test_replaced_characters_of_labels_are_told_once() -> None:
    request = {"labels": {"a\0": "b\ud800", "c": "\0"}, "supervisedTuningSpec": {}}
    pasted = reader.parse_request(json.dumps(request))
    assert pasted.fields["labels"] == {"a\ufffd": "b\ufffd", "c": "\ufffd"}
    assert pasted.messages == ["labels: characters that can’t be stored were replaced."]
