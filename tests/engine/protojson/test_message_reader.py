"""Proto-JSON: what is accepted in, what comes out, what is refused and how."""

from __future__ import annotations

from typing import Any

import pytest

from engine.protojson.enums import ENUMS
from engine.protojson.errors import ApiError
from engine.protojson.message_reader import normalize_message
from engine.protojson.schema import MESSAGES, ONEOFS


def normalize_job(**fields: Any) -> dict[str, Any]:
    return normalize_message("TuningJob", fields, "tuning_job")


def normalize_hyper_parameters(**fields: Any) -> dict[str, Any]:
    found: dict[str, Any] = normalize_job(supervisedTuningSpec={"hyperParameters": fields})[
        "supervisedTuningSpec"
    ]["hyperParameters"]
    return found


def catch_error(message: str, value: Any, root: str = "") -> ApiError:
    with pytest.raises(ApiError) as caught:
        normalize_message(message, value, root)
    return caught.value


def test_every_type_in_the_schema_is_known() -> None:
    scalars = {"string", "int32", "int64", "double", "bool", "bytes", "data", "output"}
    kinds = {kind.strip("[]{}") for fields in MESSAGES.values() for kind in fields.values()}
    assert kinds <= scalars | set(MESSAGES) | set(ENUMS)
    for message, oneofs in ONEOFS.items():
        for members in oneofs.values():
            assert set(members) <= set(MESSAGES[message])


def test_snake_and_camel_case_can_be_mixed_at_every_depth() -> None:
    job = normalize_job(
        base_model="m",
        supervisedTuningSpec={
            "training_dataset_uri": "gs://b/t.jsonl",
            "validationDatasetUri": "gs://b/v.jsonl",
            "hyper_parameters": {"epochCount": 4, "adapter_size": "ADAPTER_SIZE_ONE"},
            "evaluationConfig": {"outputConfig": {"gcs_destination": {"output_uri_prefix": "gs://b/e"}}},
        },
    )
    assert job == {
        "baseModel": "m",
        "supervisedTuningSpec": {
            "trainingDatasetUri": "gs://b/t.jsonl",
            "validationDatasetUri": "gs://b/v.jsonl",
            "hyperParameters": {"epochCount": "4", "adapterSize": "ADAPTER_SIZE_ONE"},
            "evaluationConfig": {"outputConfig": {"gcsDestination": {"outputUriPrefix": "gs://b/e"}}},
        },
    }


@pytest.mark.parametrize("value", [3, "3", 3.0, "3.0"])
def test_64_bit_integers_are_normalized_to_strings(value: Any) -> None:
    assert normalize_hyper_parameters(epochCount=value) == {"epochCount": "3"}


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("ADAPTER_SIZE_FOUR", "ADAPTER_SIZE_FOUR"),
        (2, "ADAPTER_SIZE_FOUR"),
        ("2", "ADAPTER_SIZE_FOUR"),
        (4, "ADAPTER_SIZE_SIXTEEN"),
        (6, "ADAPTER_SIZE_TWO"),
    ],
)
def test_enums_are_normalized_to_names(value: Any, name: str) -> None:
    assert normalize_hyper_parameters(adapterSize=value) == {"adapterSize": name}


def test_doubles_and_booleans_may_be_strings() -> None:
    assert normalize_hyper_parameters(learningRateMultiplier="1.5") == {"learningRateMultiplier": 1.5}
    job = normalize_job(supervisedTuningSpec={"exportLastCheckpointOnly": "true"})
    assert job["supervisedTuningSpec"] == {"exportLastCheckpointOnly": True}


def test_null_and_output_only_fields_are_ignored() -> None:
    assert normalize_job(description=None, state=4, name="x", error={"any": "thing"}) == {}


def test_a_lone_object_is_a_list_of_one() -> None:
    body = {"contents": {"role": "USER", "parts": {"text": "hi"}}}
    assert normalize_message("GenerateContentRequest", body) == {
        "contents": [{"role": "USER", "parts": [{"text": "hi"}]}]
    }


def test_lists_in_lists_are_flattened_and_null_in_a_list_is_an_empty_element() -> None:
    body = {"contents": [[{"parts": []}], None], "generationConfig": {"stopSequences": ["a", ["b"], None]}}
    assert normalize_message("GenerateContentRequest", body) == {
        "contents": [{"parts": []}, {}],
        "generationConfig": {"stopSequences": ["a", "b", ""]},
    }


def test_keys_of_maps_are_unchanged() -> None:
    args = {"snake_key": {"camelKey": [1, [2]], "none": None}}
    body = {
        "labels": {"client_request_id": "a", "camelCase": "b"},
        "contents": [{"parts": [{"functionCall": {"name": "f", "args": args}}]}],
        "generation_config": {"response_schema": {"any_of": []}},
    }
    read = normalize_message("GenerateContentRequest", body)
    assert read["labels"] == body["labels"]
    assert read["contents"][0]["parts"][0]["functionCall"]["args"] == args
    assert read["generationConfig"]["responseSchema"] == {"any_of": []}


def test_unknown_field_error_matches_googles_wording() -> None:
    error = catch_error("TuningJob", {"foo": 1, "supervisedTuningSpec": {"bar": 2}}, "tuning_job")
    wanted = [
        (
            "tuning_job",
            "Invalid JSON payload received. Unknown name \"foo\" at 'tuning_job': Cannot find field.",
        ),
        (
            "tuning_job.supervised_tuning_spec",
            'Invalid JSON payload received. Unknown name "bar" at '
            "'tuning_job.supervised_tuning_spec': Cannot find field.",
        ),
    ]
    assert [(violation.field, violation.description) for violation in error.violations] == wanted
    assert error.message == "\n".join(description for _, description in wanted)
    assert catch_error("GenerateContentRequest", {"foo": 1}).message == (
        'Invalid JSON payload received. Unknown name "foo": Cannot find field.'
    )


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"epochCount": 3.5}, "(TYPE_INT64), 3.5"),
        ({"epochCount": "many"}, '(TYPE_INT64), "many"'),
        ({"epochCount": True}, "(TYPE_INT64), true"),
        ({"epochCount": 2**63}, "(TYPE_INT64), 9223372036854775808"),
        ({"learningRateMultiplier": "fast"}, '(TYPE_DOUBLE), "fast"'),
        ({"adapterSize": "adapter_size_four"}, '.AdapterSize), "adapter_size_four"'),
        ({"adapterSize": 99}, ".AdapterSize), 99"),
        ({"adapterSize": {}}, ".AdapterSize), an object"),
    ],
)
def test_value_of_the_wrong_type_is_reported_with_its_path(fields: dict[str, Any], message: str) -> None:
    body = {"supervisedTuningSpec": {"hyperParameters": fields}}
    error = catch_error("TuningJob", body, "tuning_job")
    assert error.violations[0].field.startswith("tuning_job.supervised_tuning_spec.hyper_parameters.")
    assert error.message.startswith(f"Invalid value at '{error.violations[0].field}' (")
    assert message in error.message


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ([], "tuning_job"),
        ({"supervisedTuningSpec": "x"}, "tuning_job.supervised_tuning_spec"),
        ({"baseModel": ["a"]}, "tuning_job"),
        ({"labels": {"a": 1}}, "tuning_job.labels[a]"),
        ({"labels": []}, "tuning_job.labels"),
    ],
)
def test_value_of_the_wrong_shape_is_refused(body: Any, field: str) -> None:
    assert [violation.field for violation in catch_error("TuningJob", body, "tuning_job").violations] == [
        field
    ]


def test_two_members_of_a_oneof_exclude_each_other() -> None:
    error = catch_error(
        "TuningJob", {"baseModel": "m", "preTunedModel": {"tuned_model_name": "n"}}, "tuning_job"
    )
    assert "oneof field 'source_model' is already set" in error.message
    part = {"contents": [{"parts": [{"text": "a", "inlineData": {"data": ""}}]}]}
    assert catch_error("GenerateContentRequest", part).violations[0].field == "contents[0].parts[0]"


def test_normalization_is_idempotent() -> None:
    body = {
        "base_model": "m",
        "labels": {"a": "b"},
        "supervisedTuningSpec": {"hyper_parameters": {"epochCount": 3, "adapterSize": 2}},
    }
    once = normalize_job(**body)
    assert normalize_job(**once) == once
