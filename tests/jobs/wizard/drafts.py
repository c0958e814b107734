"""Drafts with arbitrary field values, for property tests."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from jobs.request.body import build_tuning_request
from jobs.request.target import RequestTarget
from studio.vertex.catalog import ADAPTER_SIZES

NASTY = [
    *(
        "it's",
        'say "hi"',
        "a\\b",
        "a\\nb",
        "$HOME ${X} $(id) `id`",
        "100 %PATH% ^^ ^",
        "!! !x",
        "# no comment",
    ),
    *(
        "line\nbreak\r\n\tand tab",
        "REQUEST",
        "\nREQUEST\n",
        "'@",
        "\n'@\n",
        '"@',
        "@file",
        "-d",
        "&& rm ; | <<EOF",
    ),
    *(
        "\u2018curly\u2019 \u201cmarks\u201d",
        "名前 テスト",
        "👩‍🔬🇯🇵",
        "\u202eright to left\u202c",
        "\u2028\u2029\u0085",
    ),
    *(
        "\x7f\x1b[31m",
        "{,}",
        ",]",
        "null",
        "</pre><script>",
        "curl",
        "Invoke-WebRequest",
        "``` ```",
        "\ufeff",
    ),
]
LETTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\x00")


def text_strategy(most: int, least: int = 0) -> st.SearchStrategy[str]:
    nasty = st.sampled_from([sample for sample in NASTY if least <= len(sample) <= most])
    return st.one_of(st.text(LETTERS, min_size=least, max_size=most), nasty)


@dataclass(frozen=True)
class File:
    uri: str


@dataclass
class Draft:
    """The fields of a TuningJob that the request body uses."""

    tuned_model_display_name: str = ""
    description: str = ""
    base_model: str = "studio-tiny"
    pre_tuned_model: str = ""
    pre_tuned_checkpoint: str = ""
    location: str = "us-central1"
    labels: dict[str, str] = field(default_factory=dict)
    service_account: str = ""
    kms_key_name: str = ""
    epoch_count: int | None = None
    adapter_size: int | None = None
    learning_rate_multiplier: float | None = None
    export_last_checkpoint_only: bool = False
    validation_enabled: bool = False
    submission_id: str = "0123456789abcdef"
    training: File | None = None
    validation: File | None = None

    @property
    def body(self) -> dict[str, Any]:
        return build_tuning_request(self)

    @property
    def expected_fields(self) -> dict[str, Any]:
        """The fields that an import of this draft's request has to return."""
        fields: dict[str, Any] = {
            "tuned_model_display_name": self.tuned_model_display_name,
            "description": self.description,
            "base_model": "" if self.pre_tuned_model else self.base_model,
            "pre_tuned_model": self.pre_tuned_model,
            "pre_tuned_checkpoint": self.pre_tuned_checkpoint if self.pre_tuned_model else "",
            "location": self.location,
            "labels": self.labels,
            "service_account": self.service_account,
            "kms_key_name": self.kms_key_name,
            "epoch_count": self.epoch_count,
            "adapter_size": self.adapter_size,
            "learning_rate_multiplier": self.learning_rate_multiplier,
            "export_last_checkpoint_only": self.export_last_checkpoint_only,
            "training": self.training and self.training.uri,
        }
        if self.validation_enabled and self.validation:
            fields |= {"validation": self.validation.uri, "validation_enabled": True}
        return {name: value for name, value in fields.items() if value not in (None, "", {}, False)}


FILES = st.one_of(st.none(), st.builds(File, st.builds("gs://bucket/{}.jsonl".format, text_strategy(80, 1))))
DRAFTS = st.builds(
    Draft,
    tuned_model_display_name=text_strategy(128),
    description=text_strategy(300),
    base_model=st.one_of(st.just("gemini-2.5-flash"), text_strategy(100, 1)),
    pre_tuned_model=st.one_of(
        st.just(""), st.builds("projects/1/locations/l/models/{}@2".format, text_strategy(100))
    ),
    pre_tuned_checkpoint=text_strategy(40),
    location=st.sampled_from(["us-central1", "europe-west4", "global"]),
    labels=st.dictionaries(
        text_strategy(64, 1).filter(lambda key: key != "studio-submission"), text_strategy(64), max_size=4
    ),
    service_account=text_strategy(100),
    kms_key_name=text_strategy(200),
    epoch_count=st.one_of(st.none(), st.integers(1, 1000)),
    adapter_size=st.one_of(st.none(), st.sampled_from(sorted(ADAPTER_SIZES.values()))),
    learning_rate_multiplier=st.one_of(
        st.none(), st.floats(0, exclude_min=True, allow_nan=False, allow_infinity=False)
    ),
    export_last_checkpoint_only=st.booleans(),
    validation_enabled=st.booleans(),
    training=FILES,
    validation=FILES,
)


def make_target(location: str, **changes: Any) -> RequestTarget:
    url = f"https://{location}-aiplatform.googleapis.com"
    return RequestTarget(**{"url": url, "project_id": "my-project", "location": location, **changes})


ENGINE = {"url": "http://127.0.0.1:8090", "project_id": "local", "on_engine": True}
PLACES = st.sampled_from(
    [{}, {"quota_project": "who-pays"}, {"project_id": "example.com:old"}, ENGINE, {**ENGINE, "token": True}]
)


def render_job(draft: Draft) -> str:
    """Return a response of tuningJobs.get: the request with the service's own fields."""
    added = {
        "name": f"projects/123456789012/locations/{draft.location}/tuningJobs/42",
        "state": "JOB_STATE_SUCCEEDED",
        "createTime": "2026-11-22T20:46:36.544916Z",
        "experiment": "projects/1/locations/l/metadataStores/default/contexts/tuning-experiment-1",
        "tunedModel": {"model": "projects/1/locations/l/models/2@1", "endpoint": "projects/1"},
        "tuningDataStats": {"supervisedTuningDataStats": {"tuningStepCount": "4"}},
    }
    return json.dumps({**added, **draft.body})
