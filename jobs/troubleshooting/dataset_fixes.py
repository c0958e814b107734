"""Fixes for dataset errors. Each leads to the step in which the file is chosen."""

from __future__ import annotations

from django.utils.text import capfirst
from django.utils.translation import gettext as _

from jobs.datasets.check.model_limits import Purpose
from jobs.datasets.models import Dataset
from jobs.troubleshooting.fix import FailureCase, Fix

VERTEX_SERVICE_AGENT = "service-PROJECT_NUMBER@gcp-sa-vertex-tune.iam.gserviceaccount.com"
"""The account that reads datasets if the job names none: cloud.google.com/iam/docs/service-agents."""


def identify_dataset(case: FailureCase) -> Purpose:
    """Return the dataset that the error is about, found by its field, its text or its number of examples."""
    if case.detail.field in ("training", "validation"):
        return "validation" if case.detail.field == "validation" else "training"
    if "validation" in case.text.lower():
        return "validation"
    total = case.match.groupdict().get("total")
    if (
        total
        and total != format_example_count(case.job.training)
        and total == format_example_count(case.job.validation)
    ):
        return "validation"
    return "training"


def format_example_count(dataset: Dataset | None) -> str:
    return str(dataset.parsed_report.examples) if dataset else ""


def suggest_other_file(case: FailureCase, cause: str, action: str, purpose: Purpose | None = None) -> Fix:
    """Return a fix with a button that opens the dataset chooser."""
    purpose = purpose or identify_dataset(case)
    button = (
        _("Choose another training file") if purpose == "training" else _("Choose another validation file")
    )
    return Fix(cause, action, purpose, button=button)


def get_file_name(case: FailureCase, *, starts_sentence: bool = True) -> str:
    """Return the file's name, or "the training dataset" if there is none."""
    dataset: Dataset | None = getattr(case.job, identify_dataset(case))
    if dataset:
        return str(dataset)
    words = _("the training dataset") if identify_dataset(case) == "training" else _("the validation dataset")
    return capfirst(words) if starts_sentence else words


def fix_not_jsonl(case: FailureCase) -> Fix:
    cause = _("%(file)s isn’t accepted as a JSONL file.") % {"file": get_file_name(case)}
    action = _("Choose a Cloud Storage file whose name ends in .jsonl, with one JSON object per line.")
    return suggest_other_file(case, cause, action)


def fix_missing_file(case: FailureCase) -> Fix:
    cause = _("%(file)s no longer exists at its path.") % {"file": get_file_name(case)}
    return suggest_other_file(case, cause, _("Upload it again, or choose another file."))


def fix_unreadable_file(case: FailureCase) -> Fix:
    """Name the account, the bucket and the missing role."""
    who = case.match.groupdict().get("who") or case.job.service_account or VERTEX_SERVICE_AGENT
    dataset: Dataset | None = getattr(case.job, identify_dataset(case))
    bucket = dataset.uri.removeprefix("gs://").partition("/")[0] if dataset else ""
    cause = _("%(account)s isn’t allowed to read bucket %(bucket)s.") % {"account": who, "bucket": bucket}
    action = _(
        "Grant it the Storage Object Viewer role (roles/storage.objectViewer) on the bucket, then tune again."
    )
    page = case.console_url(f"storage/browser/{bucket};tab=permissions") if bucket else ""
    return Fix(cause, action, button=_("Tune again"), link=page, link_words=_("Open bucket permissions"))


def fix_unsupported_modality(case: FailureCase) -> Fix:
    cause = _(
        "Example %(n)s of %(total)s in %(file)s has content that %(model)s can’t be tuned on: %(kind)s."
    )
    details = {name: case.match[name] for name in ("n", "total", "kind")}
    action = _("Remove it from “parts” in this line and any similar lines, or choose another model.")
    return suggest_other_file(
        case, cause % {**details, "file": get_file_name(case), "model": case.model_id}, action
    )


def fix_invalid_role(case: FailureCase) -> Fix:
    file = get_file_name(case, starts_sentence=False)
    cause = _("A message in %(file)s has a role other than user or model.") % {"file": file}
    action = _("Set “role” to user or model in every entry of “contents”.")
    return suggest_other_file(case, cause, action)


def fix_too_many_validation_examples(case: FailureCase) -> Fix:
    most = case.match.groupdict().get("most")
    cause = _("%(file)s has more examples than the service allows for validation.") % {
        "file": get_file_name(case)
    }
    action = (
        _("Choose a file with at most %(n)s examples.") % {"n": most}
        if most
        else _("Choose a file with fewer examples.")
    )
    return suggest_other_file(case, cause, action, "validation")


def fix_too_long_example(case: FailureCase) -> Fix:
    limit = case.model.tokens_per_example if case.model else None
    cause = _("An example in %(file)s is too long for %(model)s.") % {
        "file": get_file_name(case, starts_sentence=False),
        "model": case.model_id,
    }
    action = (
        _("Shorten or remove examples longer than %(n)d tokens.") % {"n": limit}
        if limit
        else _("Shorten or split the longest examples.")
    )
    return suggest_other_file(case, cause, action)


def fix_no_usable_example(case: FailureCase) -> Fix:
    """Quote the engine's message, which lists the first unusable lines with reasons."""
    reasons = case.match.groupdict().get("reasons") or ""
    cause = _("%(file)s has no examples that can be used for training.") % {"file": get_file_name(case)}
    action = _("Fix its lines, or choose another file.")
    return suggest_other_file(case, f"{cause} {reasons}".strip(), action)


def fix_too_large_file(case: FailureCase) -> Fix:
    cause = _("%(file)s is larger than 1 GB.") % {"file": get_file_name(case)}
    return suggest_other_file(case, cause, _("Remove some examples, or split the file."))
