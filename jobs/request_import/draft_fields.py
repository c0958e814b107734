"""The body of tuningJobs.create, or a whole TuningJob, as somebody wrote it -> the fields of a draft (pure).

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

from jobs.request.body import LABEL
from jobs.request_import.tokens import Unreadable
from studio.storable import make_storable
from studio.vertex.auth import LOCATION
from studio.vertex.catalog import ADAPTER_SIZES

LONGEST = {
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
"""Characters that each field of a draft can hold."""
MOST_EPOCHS = 1000
SHOWN = 80
"""Characters of somebody's own text in a message."""
OUTPUTS = {
    *("name", "state", "createTime", "startTime", "endTime", "updateTime", "error", "experiment"),
    *("tunedModel", "tuningDataStats", "evaluateDatasetRuns", "gcsMetricsUri", "pipelineJob"),
    *("tuningJobState", "tuningJobMetadata", "satisfiesPzs", "satisfiesPzi"),
}
"""What the service fills in, in the answer only."""
METHODS: dict[str, str | Promise] = {
    "preferenceOptimizationSpec": gettext_lazy("preference tuning"),
    "distillationSpec": gettext_lazy("distillation"),
    "reinforcementTuningSpec": gettext_lazy("reinforcement tuning"),
    "fullFineTuningSpec": gettext_lazy("full fine-tuning"),
    "partnerModelTuningSpec": gettext_lazy("tuning of a partner’s model"),
    "veoTuningSpec": gettext_lazy("tuning of Veo"),
    "veoLoraTuningSpec": gettext_lazy("tuning of Veo"),
}
JOB_NAME = re.compile(r"projects/[^/]+/locations/([^/]+)/tuningJobs/[^/]+")
PUBLISHED = re.compile(r"(?:projects/[^/]+/locations/[^/]+/)?publishers/google/models/([^/]+)")

Values = dict[str, Any]


@dataclass(slots=True)
class Pasted:
    """`fields` are those of a TuningJob, with `training` and `validation` as the addresses of files. By the
    names on the wire: `taken`, `outputs` (filled in by the service, so left out), `unknown` (not taken).
    `messages` say what became of single values."""

    fields: Values = field(default_factory=dict)
    taken: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    project_id: str = ""

    def take(self, path: str, name: str, value: Any) -> None:
        if value is not None:
            self.fields[name] = value
            self.taken.append(path)

    def take_location(self, name: str) -> None:
        if LOCATION.fullmatch(name) and len(name) <= LONGEST["location"]:
            self.fields["location"] = name
        else:
            self.messages.append(_("The address names no region, but “%(name)s”.") % {"name": shown(name)})

    def leave(self, *paths: str) -> None:
        self.unknown += map(shown, paths)


def pasted_body(body: Values) -> Pasted:
    """Raises Unreadable where it is not a request for supervised tuning."""
    body = camel_keys(body)
    pasted = Pasted()
    spec = supervised(body)
    take_job(pasted, body)
    take_source(pasted, body)
    take_spec(pasted, spec)
    named = JOB_NAME.fullmatch(str(body.get("name") or ""))
    if named:
        pasted.take_location(named[1])
    return pasted


def supervised(body: Values) -> Values:
    spec = body.get("supervisedTuningSpec")
    if isinstance(spec, dict):
        return camel_keys(spec)
    if spec is not None:
        raise Unreadable(
            _("supervisedTuningSpec is not an object. Write { … } with trainingDatasetUri in it.")
        )
    if other := next((method for name, method in METHODS.items() if name in body), None):
        raise Unreadable(
            _("This request is for %(method)s. Only supervised tuning can be made here.") % {"method": other}
        )
    raise Unreadable(
        _(
            "supervisedTuningSpec is missing. "
            "Paste the body of a request that creates a supervised tuning job."
        )
    )


def take_job(pasted: Pasted, body: Values) -> None:
    taken = {"supervisedTuningSpec", "baseModel", "preTunedModel", "labels", "encryptionSpec"}
    names = {
        "tunedModelDisplayName": "tuned_model_display_name",
        "description": "description",
        "serviceAccount": "service_account",
    }
    for key, value in body.items():
        if key in OUTPUTS:
            pasted.outputs.append(key)
        elif key in names:
            pasted.take(key, names[key], text_of(pasted, key, names[key], value))
        elif key not in taken:
            pasted.leave(key)
    take_labels(pasted, body.get("labels"))
    encryption = inner(pasted, body, "encryptionSpec", {"kmsKeyName"})
    key_name = text_of(pasted, "encryptionSpec.kmsKeyName", "kms_key_name", encryption.get("kmsKeyName"))
    pasted.take("encryptionSpec.kmsKeyName", "kms_key_name", key_name)


def take_source(pasted: Pasted, body: Values) -> None:
    """A base model, or a tuned one to go on from, whose own base model the service may have told."""
    source = inner(pasted, body, "preTunedModel", {"tunedModelName", "checkpointId", "baseModel"})
    base_model = text_of(pasted, "baseModel", "base_model", body.get("baseModel"))
    if base_model is None:
        path = "preTunedModel.baseModel"
        base_model = text_of(pasted, path, "base_model", source.get("baseModel"))
    else:
        path = "baseModel"
    published = PUBLISHED.fullmatch(base_model or "")
    pasted.take(path, "base_model", published[1] if published else base_model)
    for key, name in (("tunedModelName", "pre_tuned_model"), ("checkpointId", "pre_tuned_checkpoint")):
        path = f"preTunedModel.{key}"
        pasted.take(path, name, text_of(pasted, path, name, source.get(key)))


def take_labels(pasted: Pasted, labels: Any) -> None:
    """All but our own: it belongs to one job, and each draft has another."""
    if labels is None:
        return
    if not isinstance(labels, dict):
        pasted.messages.append(_("labels is not an object: left out."))
        return
    good = {
        make_storable(key): make_storable(value)
        for key, value in labels.items()
        if key != LABEL and isinstance(value, str)
    }
    pasted.leave(*(f"labels.{key}" for key, value in labels.items() if not isinstance(value, str)))
    pasted.take("labels", "labels", good or None)


def take_spec(pasted: Pasted, spec: Values) -> None:
    known = {"trainingDatasetUri", "validationDatasetUri", "exportLastCheckpointOnly", "hyperParameters"}
    at = "supervisedTuningSpec"
    pasted.leave(*(f"{at}.{key}" for key in spec if key not in known))
    for key, name in (("trainingDatasetUri", "training"), ("validationDatasetUri", "validation")):
        path = f"{at}.{key}"
        pasted.take(path, name, text_of(pasted, path, name, spec.get(key)))
    if "validation" in pasted.fields:
        pasted.fields["validation_enabled"] = True
    path = f"{at}.exportLastCheckpointOnly"
    pasted.take(
        path, "export_last_checkpoint_only", switch_of(pasted, path, spec.get("exportLastCheckpointOnly"))
    )
    sizes = {"epochCount", "adapterSize", "learningRateMultiplier"}
    chosen = inner(pasted, spec, "hyperParameters", sizes, f"{at}.")
    at = f"{at}.hyperParameters"
    pasted.take(f"{at}.epochCount", "epoch_count", epochs_of(pasted, chosen.get("epochCount")))
    pasted.take(f"{at}.adapterSize", "adapter_size", adapter_of(pasted, chosen.get("adapterSize")))
    rate = rate_of(pasted, chosen.get("learningRateMultiplier"))
    pasted.take(f"{at}.learningRateMultiplier", "learning_rate_multiplier", rate)


def inner(pasted: Pasted, body: Values, key: str, known: set[str], above: str = "") -> Values:
    """The object under `key`, its unknown fields told; empty where it is absent or none."""
    value = body.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        pasted.messages.append(_("%(field)s is not an object: left out.") % {"field": f"{above}{key}"})
        return {}
    value = camel_keys(value)
    pasted.leave(*(f"{above}{key}.{name}" for name in value if name not in known))
    return value


def text_of(pasted: Pasted, path: str, name: str, value: Any) -> str | None:
    if value is None or value == "":
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        pasted.messages.append(_("%(field)s is not a text: left out.") % {"field": path})
        return None
    kept = make_storable(value)
    if kept != value:
        pasted.messages.append(
            _("%(field)s: characters that cannot be stored were left out.") % {"field": path}
        )
    if len(kept) > LONGEST[name]:
        pasted.messages.append(
            _("%(field)s has %(length)d characters, of at most %(most)d: left out.")
            % {"field": path, "length": len(kept), "most": LONGEST[name]}
        )
        return None
    return kept or None


def switch_of(pasted: Pasted, path: str, value: Any) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    if str(value).lower() in {"true", "false"}:
        return str(value).lower() == "true"
    pasted.messages.append(_("%(field)s is neither true nor false: left out.") % {"field": path})
    return None


def epochs_of(pasted: Pasted, value: Any) -> int | None:
    if value is None:
        return None
    number = number_of(value)
    if number is None or number != int(number) or not 1 <= number <= MOST_EPOCHS:
        pasted.messages.append(
            _("epochCount: %(value)s is not a whole number from 1 to %(most)d: left out.")
            % {"value": shown(value), "most": MOST_EPOCHS}
        )
        return None
    return int(number)


def rate_of(pasted: Pasted, value: Any) -> float | None:
    if value is None:
        return None
    number = number_of(value)
    if number is None or number <= 0:
        pasted.messages.append(
            _("learningRateMultiplier: %(value)s is not a number above 0: left out.")
            % {"value": shown(value)}
        )
        return None
    return number


def adapter_of(pasted: Pasted, value: Any) -> int | None:
    """By its name. A number is taken as the size; to Vertex AI it would be the place in its list of sizes."""
    if value is None or value == "ADAPTER_SIZE_UNSPECIFIED":
        return None
    if isinstance(value, str) and value.upper() in ADAPTER_SIZES:
        return ADAPTER_SIZES[value.upper()]
    number = number_of(value)
    if number not in ADAPTER_SIZES.values():
        sizes = ", ".join(map(str, sorted(ADAPTER_SIZES.values())))
        pasted.messages.append(
            _("adapterSize: %(value)s is none of the sizes %(sizes)s: left out.")
            % {"value": shown(value), "sizes": sizes}
        )
        return None
    size = int(number or 0)
    pasted.messages.append(
        _("adapterSize: %(size)d was taken as the size. Vertex AI itself reads a bare number otherwise.")
        % {"size": size}
    )
    return size


def number_of(value: Any) -> float | None:
    """int64 travels as a string. None for what is no finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def shown(value: Any) -> str:
    text = make_storable(str(value))
    return f"{text[:SHOWN]}…" if len(text) > SHOWN else text


def camel_keys(values: Values) -> Values:
    """Google takes both spellings of its own fields; in the values nothing is changed."""
    return {
        re.sub(r"(?<=[a-z0-9])_([a-z0-9])", lambda found: found[1].upper(), key): value
        for key, value in values.items()
    }
