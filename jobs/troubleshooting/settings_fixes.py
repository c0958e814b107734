"""Fixes for wizard settings: model, region, hyper-parameters, name, labels, service account and key."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from django.utils.translation import gettext as _

from jobs.preflight import list_tuning_regions
from jobs.request.body import SUBMISSION_LABEL
from jobs.troubleshooting.fix import FailureCase, Fix, describe_change, format_use_label, format_value
from jobs.tuning_job_resource import CHECKPOINT_ID
from studio.formats import join_list
from studio.vertex import catalog
from studio.vertex.catalog import BaseModel

MAX_NAME_LENGTH = 128
"""Vertex AI's limit for display names, in characters; some versions count bytes."""
GEMINI = re.compile(r"gemini-(?P<version>\d+(?:\.\d+)?)-(?P<kind>pro|flash-lite|flash)")
KEY = re.compile(r"projects/[^/]+/locations/(?P<location>[^/]+)/keyRings/")
MAX_LIMIT = 10_000.0
"""Above any limit of epochs or of the learning rate multiplier: a larger number is a mistake, or no limit."""
MIN_PATTERN = re.compile(
    r"(?:at least|greater than or equal to|>=|between|from) *(?P<n>\d+(?:\.\d+)?)", re.IGNORECASE
)
MAX_PATTERN = re.compile(
    r"(?:at most|less than or equal to|no more than|<=|maximum (?:value )?(?:is|of)"
    r"|(?:between|from) *[\d.]+ *(?:and|to)) *(?P<n>\d+(?:\.\d+)?)",
    re.IGNORECASE,
)


def fix_adapter_size(case: FailureCase) -> Fix:
    """Use the model's largest supported size below the requested one, or the recommended size if the service
    contradicts the catalog."""
    requested, sizes = case.job.adapter_size, case.model.adapter_sizes if case.model else ()
    smaller = [size for size in sizes if requested is not None and size < requested]
    best = max(smaller) if smaller and requested not in sizes else None
    cause = _("Adapter size %(size)s isn’t supported by %(model)s.") % {
        "size": format_value(requested),
        "model": case.model_id,
    }
    if requested is None:
        return Fix(
            cause, _("Choose another adapter size."), "adapter_size", button=_("Choose an adapter size")
        )
    why = (
        describe_adapter_sizes(case.model_id, sizes)
        if best
        else _("%(model)s doesn’t support it.") % {"model": case.model_id}
    )
    action = (
        _("Use %(size)s, the largest supported size below that.") % {"size": best}
        if best
        else _("Use the recommended value.")
    )
    button = format_use_label(best) if best else _("Use recommended value")
    return change_one_field(case, "adapter_size", best, Fix(cause, action, button=button), why)


def describe_adapter_sizes(model: str, sizes: Sequence[int]) -> str:
    return _("%(model)s supports %(sizes)s.") % {"model": model, "sizes": join_list(sizes)}


def change_one_field(case: FailureCase, field: str, new: Any, recipe: Fix, why: str) -> Fix:
    """Return `recipe` with a change of one field and its note."""
    note = describe_change(getattr(case.job, field), new, why)
    return Fix(recipe.cause, recipe.action, field, {field: new}, recipe.button, {field: note})


def fix_pre_tuned_adapter_size(case: FailureCase) -> Fix:
    cause = _("A pre-tuned model keeps the adapter size it was tuned with.")
    recipe = Fix(cause, _("Remove the adapter size."), button=_("Remove it"))
    return change_one_field(case, "adapter_size", None, recipe, cause)


def fix_out_of_memory(case: FailureCase) -> Fix:
    """The engine ran out of memory; for a killed trainer this is only the likely cause."""
    cause = (
        _("Training was killed several times. The usual cause is that the machine ran out of memory.")
        if "killed" in case.text
        else _("The engine ran out of memory.")
    )
    now = case.job.adapter.effective or (case.model and case.model.default_adapter_size) or 0
    sizes = [size for size in (case.model.adapter_sizes if case.model else ()) if size < now]
    if not sizes:
        action = _("Shorten or split the longest examples.")
        return Fix(cause, action, "training", button=_("Choose another training file"))
    recipe = Fix(
        cause, _("Use a smaller adapter size or shorter examples."), button=format_use_label(max(sizes))
    )
    return change_one_field(case, "adapter_size", max(sizes), recipe, cause)


def fix_nan_loss(case: FailureCase) -> Fix:
    """The loss became NaN or infinite: lower the learning rate."""
    multiplier = case.job.learning_rate_multiplier or 1.0
    lower = 1.0 if multiplier > 1 else multiplier / 2
    cause = _("The loss diverged until it was no longer a number. The learning rate is too high.")
    action = _("Lower the learning rate multiplier.")
    return change_one_field(
        case, "learning_rate_multiplier", lower, Fix(cause, action, button=format_use_label(lower)), cause
    )


def fix_epoch_count(case: FailureCase) -> Fix:
    cause = _("%(n)s isn’t an allowed number of epochs.") % {"n": format_value(case.job.epoch_count)}
    return clamp_to_limits(case, "epoch_count", cause, int)


def fix_learning_rate(case: FailureCase) -> Fix:
    cause = _("A learning rate multiplier of %(n)s isn’t allowed.") % {
        "n": format_value(case.job.learning_rate_multiplier)
    }
    return clamp_to_limits(case, "learning_rate_multiplier", cause, float)


def find_limit(pattern: re.Pattern[str], text: str) -> float | None:
    """Return the number that the error message names, unless no setting can be so large."""
    found = pattern.search(text)
    limit = float(found["n"]) if found else None
    return limit if limit is not None and limit <= MAX_LIMIT else None


def clamp_to_limits(case: FailureCase, field: str, cause: str, kind: Callable[[float], Any]) -> Fix:
    """Use the nearest number allowed by the error message, or the recommended value if it names no limits."""
    requested = getattr(case.job, field)
    least, most = (find_limit(pattern, case.text) for pattern in (MIN_PATTERN, MAX_PATTERN))
    new = None
    if requested is not None and most is not None and requested > most:
        new = kind(most)
    elif requested is not None and least is not None and requested < least:
        new = kind(least)
    action = (
        _("Use %(n)s, the nearest allowed value.") % {"n": format_value(new)}
        if new
        else _("Use the recommended value.")
    )
    button = format_use_label(new) if new else _("Use recommended value")
    return change_one_field(case, field, new, Fix(cause, action, button=button), cause)


def fix_base_model(case: FailureCase) -> Fix:
    """Use the closest model of the catalog, with a region and adapter size that it supports."""
    job = case.job
    cause = _("%(model)s can’t be tuned here.") % {
        "model": case.match.groupdict().get("model") or case.model_id
    }
    new = None if job.pre_tuned_model else find_nearest_model(job.base_model, job.project.backend)
    if new is None:
        field = "pre_tuned_model" if job.pre_tuned_model else "base_model"
        return Fix(cause, _("Choose another model."), field, button=_("Choose another model"))
    changes, notes = build_model_changes(case, new)
    action = _("Use %(model)s, the closest current model.") % {"model": new.id}
    return Fix(cause, action, "base_model", changes, format_use_label(new.id), notes)


def build_model_changes(case: FailureCase, new: BaseModel) -> tuple[dict[str, Any], dict[str, str]]:
    """Return changes and notes for a new model.

    Region and adapter size change only if it doesn't support them.
    """
    job = case.job
    changes: dict[str, Any] = {"base_model": new.id}
    notes = {"base_model": describe_change(job.base_model, new.id, _("The previous value was rejected."))}
    if job.location not in (offered := list_tuning_regions(job.project, new)):
        changes["location"] = offered[0]
        why = _("%(model)s can be tuned there.") % {"model": new.id}
        notes["location"] = describe_change(job.location, offered[0], why)
    if job.adapter_size is not None and job.adapter_size not in new.adapter_sizes:
        best = max((size for size in new.adapter_sizes if size < job.adapter_size), default=None)
        changes["adapter_size"] = best
        notes["adapter_size"] = describe_change(
            job.adapter_size, best, describe_adapter_sizes(new.id, new.adapter_sizes)
        )
    return changes, notes


def find_nearest_model(id: str, backend: str) -> BaseModel | None:
    """Return a current model of the same kind, the closest version first, or the engine's own base."""
    current = [model for model in catalog.models(backend) if not model.retired and model.id != id]
    wanted = GEMINI.match(id)
    alike = (
        [model for model in current if wanted and parse_model_kind(model) == wanted["kind"]] if wanted else []
    )
    if wanted and alike:
        return min(alike, key=lambda model: abs(parse_model_version(model.id) - parse_model_version(id)))
    return current[0] if backend == "engine" and current else None


def parse_model_kind(model: BaseModel) -> str:
    found = GEMINI.match(model.id)
    return found["kind"] if found else ""


def parse_model_version(id: str) -> float:
    found = GEMINI.match(id)
    return float(found["version"]) if found else 0.0


def fix_location(case: FailureCase) -> Fix:
    """Use another region of the project in which the model can be tuned."""
    job = case.job
    offered = list_tuning_regions(job.project, case.model) if case.model else list(job.project.regions)
    others = [region for region in offered if region != job.location]
    cause = _("%(model)s can’t be tuned in %(region)s.") % {"model": case.model_id, "region": job.location}
    if not others:
        action = _(
            "Choose a region where this model can be tuned. A project admin can add regions in Settings."
        )
        return Fix(cause, action, "location", button=_("Choose another region"))
    recipe = Fix(cause, _("Use %(region)s.") % {"region": others[0]}, button=format_use_label(others[0]))
    return change_one_field(case, "location", others[0], recipe, cause)


def fix_pre_tuned_checkpoint(case: FailureCase) -> Fix:
    """Use the last checkpoint listed in the error message, else the model's default."""
    listed = re.findall(r"[^\s,]+", case.match.groupdict().get("listed") or "")
    last = listed[-1].rstrip(".") if listed else ""
    new = last if CHECKPOINT_ID.fullmatch(last) else ""
    cause = _("The pre-tuned model doesn’t have checkpoint %(id)s.") % {"id": case.job.pre_tuned_checkpoint}
    action = (
        _("Continue from checkpoint %(id)s.") % {"id": new}
        if new
        else _("Continue from its default checkpoint.")
    )
    button = _("Use checkpoint %(id)s") % {"id": new} if new else _("Use the default checkpoint")
    return change_one_field(case, "pre_tuned_checkpoint", new, Fix(cause, action, button=button), cause)


def fix_pre_tuned_model(case: FailureCase) -> Fix:
    cause = _("The pre-tuned model can’t be tuned further.")
    action = _("Choose a model that was tuned in this project and region.")
    return Fix(cause, action, "pre_tuned_model", button=_("Choose another model"))


def fix_other_build(case: FailureCase) -> Fix:
    """Tune the base model instead: the adapter belongs to another build of it."""
    cause = _("The pre-tuned model was tuned on a different build of %(model)s than this engine has now.") % {
        "model": case.match["model"]
    }
    if catalog.find_model(case.match["model"], case.job.project.backend) is None:
        return Fix(cause, _("Choose another model."), "pre_tuned_model", button=_("Choose another model"))
    changes = {"pre_tuned_model": "", "pre_tuned_checkpoint": "", "base_model": case.match["model"]}
    note = describe_change(case.job.pre_tuned_model, "", cause)
    action = _("Tune %(model)s itself with the same data.") % {"model": case.match["model"]}
    return Fix(
        cause, action, "base_model", changes, format_use_label(case.match["model"]), {"base_model": note}
    )


def fix_display_name(case: FailureCase) -> Fix:
    """Cut the name to 128 characters or, if it is short enough, to 128 bytes without splitting a
    character."""
    name = case.job.tuned_model_display_name
    short = name[:MAX_NAME_LENGTH].strip()
    if short == name:
        short = name.encode()[:MAX_NAME_LENGTH].decode(errors="ignore").strip()
    cause = _("The name is too long (%(n)d characters).") % {"n": len(name)}
    recipe = Fix(cause, _("Shorten it."), button=_("Shorten the name"))
    return change_one_field(case, "tuned_model_display_name", short, recipe, cause)


def fix_labels(case: FailureCase) -> Fix:
    """Remove the labels named in the error message, never our own."""
    labels: dict[str, str] = case.job.labels
    quoted = set(re.findall(r"['\"`]([^'\"`\n]*)['\"`]", case.text))
    named = quoted & labels.keys() or set(re.findall(r"[\w-]+", case.text))
    wrong = [key for key in labels if key in named and key != SUBMISSION_LABEL]
    cause = _("A label isn’t allowed.")
    action = _(
        "Keys and values can have up to 63 lowercase letters, digits, _ and -. Keys must start with a letter."
    )
    if not wrong:
        return Fix(cause, action, "labels", button=_("Change the labels"))
    listed = join_list(wrong)
    valid = {key: value for key, value in labels.items() if key not in wrong}
    cause = _("These labels aren’t allowed: %(keys)s.") % {"keys": listed}
    note = _("Removed: %(keys)s.") % {"keys": join_list(f"{key}={labels[key]}" for key in wrong)}
    button = _("Remove %(keys)s") % {"keys": listed}
    return Fix(cause, action, "labels", {"labels": valid}, button, {"labels": note})


def fix_too_many_labels(case: FailureCase) -> Fix:
    cause = _("There are too many labels. The limit is 64, including one for this application.")
    return Fix(cause, _("Remove some labels."), "labels", button=_("Change the labels"))


def fix_service_account(case: FailureCase) -> Fix:
    cause = _("%(account)s isn’t accepted as a service account.") % {"account": case.job.service_account}
    action = _("Enter its email address, or leave this empty to use the service’s own account.")
    recipe = Fix(cause, action, button=_("Remove it"))
    return change_one_field(case, "service_account", "", recipe, cause)


def fix_key_region(case: FailureCase) -> Fix | None:
    """Move the job to the key's region if the model can be tuned there."""
    job, key = case.job, KEY.match(case.job.kms_key_name)
    if case.on_engine or key is None or key["location"] == job.location:
        return None
    where = key["location"]
    cause = _("The encryption key is in %(key)s, but the job’s region is %(region)s.") % {
        "key": where,
        "region": job.location,
    }
    if case.model is None or where not in list_tuning_regions(job.project, case.model):
        action = _("Enter a key in %(region)s.") % {"region": job.location}
        return Fix(cause, action, "kms_key_name", button=_("Enter another key"))
    action = _("Run the job in the key’s region, or enter a key in %(region)s.") % {"region": job.location}
    return change_one_field(
        case, "location", where, Fix(cause, action, button=format_use_label(where)), cause
    )


def fix_unsupported_key(case: FailureCase) -> Fix:
    """Offer a copy without encryption.

    This is the user's decision, so the copy isn't started automatically.
    """
    cause = (
        _("The engine doesn’t support customer-managed encryption keys (CMEK).")
        if case.on_engine
        else _("%(model)s doesn’t support customer-managed encryption keys (CMEK).")
        % {"model": case.model_id}
    )
    action = (
        _("Remove the key, or choose a model that supports one.") if not case.on_engine else _("Remove it.")
    )
    return change_one_field(
        case, "kms_key_name", "", Fix(cause, action, button=_("Continue without the key")), cause
    )


def fix_invalid_key(case: FailureCase) -> Fix:
    cause = _("The encryption key wasn’t accepted.")
    action = _("Enter its full name, including a region: projects/…/locations/…/keyRings/…/cryptoKeys/….")
    return Fix(cause, action, "kms_key_name", button=_("Enter another key"))
