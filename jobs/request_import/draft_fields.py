"""Turns the body of tuningJobs.create, or a whole TuningJob, into the fields of a draft (pure).

https://cloud.google.com/vertex-ai/docs/reference/rest/v1/projects.locations.tuningJobs#TuningJob
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from jobs.request.body import SUBMISSION_LABEL
from jobs.request_import.tokens import Unreadable
from jobs.wizard.model_step.fields import MAX_EPOCHS
from studio.formats import join_list
from studio.vertex.auth import LOCATION
from studio.vertex.catalog import ADAPTER_SIZES
from studio.vertex.storable import make_storable

MAX_LENGTHS = {
    "tuned_model_display_name": 128,
    "description": 2000,
    "base_model": 100,
    "location": 40,
    "pre_tuned_model": 300,
    "pre_tuned_checkpoint": 40,
    "service_account": 254,
    "kms_key_name": 300,
    "training": 1100,
    "validation": 1100,
}
"""Characters that each field of a draft can hold, as its column in the database does."""
MAX_SHOWN = 80
"""Characters of the user's own text in a message, so that a message stays a few lines."""
OUTPUT_ONLY_FIELDS = {
    *("name", "state", "createTime", "startTime", "endTime", "updateTime", "error", "experiment"),
    *("tunedModel", "tuningDataStats", "evaluateDatasetRuns", "gcsMetricsUri", "pipelineJob"),
    *("tuningJobState", "tuningJobMetadata", "satisfiesPzs", "satisfiesPzi"),
}
"""Fields that the service sets in its answers."""
OTHER_METHODS: dict[str, str | Promise] = {
    "preferenceOptimizationSpec": gettext_lazy("preference tuning"),
    "distillationSpec": gettext_lazy("distillation"),
    "reinforcementTuningSpec": gettext_lazy("reinforcement tuning"),
    "fullFineTuningSpec": gettext_lazy("full fine-tuning"),
    "partnerModelTuningSpec": gettext_lazy("partner model tuning"),
    "veoTuningSpec": gettext_lazy("Veo tuning"),
    "veoLoraTuningSpec": gettext_lazy("Veo tuning"),
}
JOB_NAME = re.compile(r"projects/[^/]+/locations/([^/]+)/tuningJobs/[^/]+")
PUBLISHER_MODEL = re.compile(r"(?:projects/[^/]+/locations/[^/]+/)?publishers/google/models/([^/]+)")

Values = dict[str, Any]


@dataclass(slots=True)
class ImportedRequest:
    """`fields` are those of a TuningJob, except that `training` and `validation` are paths of files.

    `taken`, `outputs` (set by the service, so ignored) and `unknown` (ignored) list the names in the request.
    `messages` explain what happened to single values.
    """

    fields: Values = field(default_factory=dict)
    taken: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    project_id: str = ""

    def add_field(self, path: str, name: str, value: Any) -> None:
        if value is not None:
            self.fields[name] = value
            self.taken.append(path)

    def set_location(self, name: str) -> None:
        if LOCATION.fullmatch(name) and len(name) <= MAX_LENGTHS["location"]:
            self.fields["location"] = name
        else:
            self.messages.append(
                _("The URL contains “%(name)s” instead of a region.") % {"name": shorten_value(name)}
            )

    def add_unknown(self, *paths: str) -> None:
        self.unknown += map(shorten_value, paths)


def parse_body(body: Values) -> ImportedRequest:
    """Return the fields in `body`. Raises Unreadable if it isn't a request for supervised tuning."""
    body = to_camel_keys(body)
    pasted = ImportedRequest()
    spec = get_supervised_spec(body)
    parse_job_fields(pasted, body)
    parse_source_model(pasted, body)
    parse_tuning_spec(pasted, spec)
    named = JOB_NAME.fullmatch(str(body.get("name") or ""))
    if named:
        pasted.set_location(named[1])
    return pasted


def get_supervised_spec(body: Values) -> Values:
    spec = body.get("supervisedTuningSpec")
    if isinstance(spec, dict):
        return to_camel_keys(spec)
    if spec is not None:
        raise Unreadable(_("supervisedTuningSpec isn’t an object. Use { … } with trainingDatasetUri inside."))
    if other := next((method for name, method in OTHER_METHODS.items() if name in body), None):
        raise Unreadable(
            _("This request is for %(method)s. Only supervised tuning is supported here.") % {"method": other}
        )
    raise Unreadable(
        _(
            "supervisedTuningSpec is missing. "
            "Paste the body of a request that creates a supervised tuning job."
        )
    )


def parse_job_fields(pasted: ImportedRequest, body: Values) -> None:
    taken = {"supervisedTuningSpec", "baseModel", "preTunedModel", "labels", "encryptionSpec"}
    names = {
        "tunedModelDisplayName": "tuned_model_display_name",
        "description": "description",
        "serviceAccount": "service_account",
    }
    for key, value in body.items():
        if key in OUTPUT_ONLY_FIELDS:
            pasted.outputs.append(key)
        elif key in names:
            pasted.add_field(key, names[key], parse_text(pasted, key, names[key], value))
        elif key not in taken:
            pasted.add_unknown(key)
    parse_labels(pasted, body.get("labels"))
    encryption = get_nested_object(pasted, body, "encryptionSpec", {"kmsKeyName"})
    key_name = parse_text(pasted, "encryptionSpec.kmsKeyName", "kms_key_name", encryption.get("kmsKeyName"))
    pasted.add_field("encryptionSpec.kmsKeyName", "kms_key_name", key_name)


def parse_source_model(pasted: ImportedRequest, body: Values) -> None:
    """The base model, or a tuned model to continue from; in an answer, also that model's own base model."""
    source = get_nested_object(pasted, body, "preTunedModel", {"tunedModelName", "checkpointId", "baseModel"})
    base_model = parse_text(pasted, "baseModel", "base_model", body.get("baseModel"))
    if base_model is None:
        path = "preTunedModel.baseModel"
        base_model = parse_text(pasted, path, "base_model", source.get("baseModel"))
    else:
        path = "baseModel"
    published = PUBLISHER_MODEL.fullmatch(base_model or "")
    pasted.add_field(path, "base_model", published[1] if published else base_model)
    for key, name in (("tunedModelName", "pre_tuned_model"), ("checkpointId", "pre_tuned_checkpoint")):
        path = f"preTunedModel.{key}"
        pasted.add_field(path, name, parse_text(pasted, path, name, source.get(key)))


def parse_labels(pasted: ImportedRequest, labels: Any) -> None:
    """All labels except the one that identifies a submission: each draft has its own."""
    if labels is None:
        return
    if not isinstance(labels, dict):
        pasted.messages.append(_("Ignored labels: not an object."))
        return
    good = {
        store_text(pasted, "labels", key): store_text(pasted, "labels", value)
        for key, value in labels.items()
        if key != SUBMISSION_LABEL and isinstance(value, str)
    }
    pasted.add_unknown(*(f"labels.{key}" for key, value in labels.items() if not isinstance(value, str)))
    pasted.add_field("labels", "labels", good or None)


def parse_tuning_spec(pasted: ImportedRequest, spec: Values) -> None:
    known = {"trainingDatasetUri", "validationDatasetUri", "exportLastCheckpointOnly", "hyperParameters"}
    at = "supervisedTuningSpec"
    pasted.add_unknown(*(f"{at}.{key}" for key in spec if key not in known))
    for key, name in (("trainingDatasetUri", "training"), ("validationDatasetUri", "validation")):
        path = f"{at}.{key}"
        pasted.add_field(path, name, parse_text(pasted, path, name, spec.get(key)))
    if "validation" in pasted.fields:
        pasted.fields["validation_enabled"] = True
    path = f"{at}.exportLastCheckpointOnly"
    pasted.add_field(
        path, "export_last_checkpoint_only", parse_bool(pasted, path, spec.get("exportLastCheckpointOnly"))
    )
    sizes = {"epochCount", "adapterSize", "learningRateMultiplier"}
    chosen = get_nested_object(pasted, spec, "hyperParameters", sizes, f"{at}.")
    at = f"{at}.hyperParameters"
    pasted.add_field(f"{at}.epochCount", "epoch_count", parse_epochs(pasted, chosen.get("epochCount")))
    pasted.add_field(
        f"{at}.adapterSize", "adapter_size", parse_adapter_size(pasted, chosen.get("adapterSize"))
    )
    rate = parse_learning_rate(pasted, chosen.get("learningRateMultiplier"))
    pasted.add_field(f"{at}.learningRateMultiplier", "learning_rate_multiplier", rate)


def get_nested_object(
    pasted: ImportedRequest, body: Values, key: str, known: set[str], above: str = ""
) -> Values:
    """The object under `key`, with its unknown fields recorded; empty if there is none."""
    value = body.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        pasted.messages.append(_("Ignored %(field)s: not an object.") % {"field": f"{above}{key}"})
        return {}
    value = to_camel_keys(value)
    pasted.add_unknown(*(f"{above}{key}.{name}" for name in value if name not in known))
    return value


def parse_text(pasted: ImportedRequest, path: str, name: str, value: Any) -> str | None:
    if value is None or value == "":
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        pasted.messages.append(_("Ignored %(field)s: not a string.") % {"field": path})
        return None
    storable = store_text(pasted, path, value)
    if len(storable) > MAX_LENGTHS[name]:
        pasted.messages.append(
            _("Ignored %(field)s: it has %(length)d characters; the limit is %(most)d.")
            % {"field": path, "length": len(storable), "most": MAX_LENGTHS[name]}
        )
        return None
    return storable


def store_text(pasted: ImportedRequest, path: str, text: str) -> str:
    """Return the text as a row can hold it, with a message if that is another one."""
    storable = make_storable(text)
    message = _("%(field)s: characters that can’t be stored were replaced.") % {"field": path}
    if storable != text and message not in pasted.messages:
        pasted.messages.append(message)
    return storable


def parse_bool(pasted: ImportedRequest, path: str, value: Any) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    if str(value).lower() in {"true", "false"}:
        return str(value).lower() == "true"
    pasted.messages.append(_("Ignored %(field)s: neither true nor false.") % {"field": path})
    return None


def parse_epochs(pasted: ImportedRequest, value: Any) -> int | None:
    if value is None:
        return None
    number = parse_number(value)
    if number is None or number != int(number) or not 1 <= number <= MAX_EPOCHS:
        pasted.messages.append(
            _("Ignored epochCount %(value)s: not a whole number from 1 to %(most)d.")
            % {"value": shorten_value(value), "most": MAX_EPOCHS}
        )
        return None
    return int(number)


def parse_learning_rate(pasted: ImportedRequest, value: Any) -> float | None:
    if value is None:
        return None
    number = parse_number(value)
    if number is None or number <= 0:
        pasted.messages.append(
            _("Ignored learningRateMultiplier %(value)s: not a number above 0.")
            % {"value": shorten_value(value)}
        )
        return None
    return number


def parse_adapter_size(pasted: ImportedRequest, value: Any) -> int | None:
    """The size by name. A number is read as the size; Vertex AI reads it as an index into its sizes."""
    if value is None or value == "ADAPTER_SIZE_UNSPECIFIED":
        return None
    if isinstance(value, str) and value.upper() in ADAPTER_SIZES:
        return ADAPTER_SIZES[value.upper()]
    number = parse_number(value)
    if number not in ADAPTER_SIZES.values():
        sizes = join_list(sorted(ADAPTER_SIZES.values()))
        pasted.messages.append(
            _("Ignored adapterSize %(value)s: allowed values are %(sizes)s.")
            % {"value": shorten_value(value), "sizes": sizes}
        )
        return None
    size = int(number or 0)
    pasted.messages.append(
        _(
            "adapterSize: %(size)d was read as the size. Vertex AI itself interprets a bare number "
            "differently."
        )
        % {"size": size}
    )
    return size


def parse_number(value: Any) -> float | None:
    """A finite number, also as a string, as JSON carries int64; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def shorten_value(value: Any) -> str:
    text = make_storable(str(value))
    return f"{text[:MAX_SHOWN]}…" if len(text) > MAX_SHOWN else text


def to_camel_keys(values: Values) -> Values:
    """Rename snake_case keys: Google accepts both spellings of its fields. Values stay as they are."""
    return {
        re.sub(r"(?<=[a-z0-9])_([a-z0-9])", lambda found: found[1].upper(), key): value
        for key, value in values.items()
    }
