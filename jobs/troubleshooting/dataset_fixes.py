"""Cures for what is wrong with a dataset: each leads to where its file is chosen."""

from __future__ import annotations

from django.utils.translation import gettext as _

from jobs.datasets.check.model_limits import Purpose
from jobs.datasets.models import Dataset
from jobs.troubleshooting.fix import FailureCase, Fix

VERTEX_SERVICE_AGENT = "service-PROJECT_NUMBER@gcp-sa-vertex-tune.iam.gserviceaccount.com"
"""Whom Vertex reads as where a job names no account: cloud.google.com/iam/docs/service-agents."""


def identify_dataset(case: FailureCase) -> Purpose:
    """The dataset that the symptom is about: by its field, its words, or the number of examples it tells."""
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
    """A button that opens the chooser of the dataset in question."""
    purpose = purpose or identify_dataset(case)
    button = (
        _("Choose another training file") if purpose == "training" else _("Choose another validation file")
    )
    return Fix(cause, action, purpose, button=button)


def get_file_name(case: FailureCase) -> str:
    """The file, or where none is known what it is."""
    dataset: Dataset | None = getattr(case.job, identify_dataset(case))
    if dataset:
        return str(dataset)
    return _("the training dataset") if identify_dataset(case) == "training" else _("the validation dataset")


def fix_not_jsonl(case: FailureCase) -> Fix:
    cause = _("%(file)s is not taken as a JSONL file.") % {"file": get_file_name(case)}
    action = _("Choose a file on Cloud Storage whose name ends in .jsonl, with one JSON object per line.")
    return suggest_other_file(case, cause, action)


def fix_missing_file(case: FailureCase) -> Fix:
    cause = _("%(file)s is not where it was: nothing lies at its address.") % {"file": get_file_name(case)}
    return suggest_other_file(case, cause, _("Upload it again, or choose another file."))


def fix_unreadable_file(case: FailureCase) -> Fix:
    """Who may not read which bucket, and the role that lets them."""
    who = case.match.groupdict().get("who") or case.job.service_account or VERTEX_SERVICE_AGENT
    dataset: Dataset | None = getattr(case.job, identify_dataset(case))
    bucket = dataset.uri.removeprefix("gs://").partition("/")[0] if dataset else ""
    cause = _("%(account)s may not read the bucket %(bucket)s.") % {"account": who, "bucket": bucket}
    action = _(
        "Give it the role Storage Object Viewer (roles/storage.objectViewer) on the bucket, then tune again."
    )
    page = case.console_url(f"storage/browser/{bucket};tab=permissions") if bucket else ""
    return Fix(
        cause, action, button=_("Tune again"), link=page, link_words=_("Open the bucket’s permissions")
    )


def fix_unsupported_modality(case: FailureCase) -> Fix:
    cause = _("Example %(n)s of %(total)s in %(file)s holds what %(model)s is not tuned on: %(kind)s.")
    told = {name: case.match[name] for name in ("n", "total", "kind")}
    action = _("Take it out of “parts” in that line, and in any other like it; or choose another model.")
    return suggest_other_file(
        case, cause % {**told, "file": get_file_name(case), "model": case.model_id}, action
    )


def fix_invalid_role(case: FailureCase) -> Fix:
    cause = _("A message in %(file)s has a role other than user and model.") % {"file": get_file_name(case)}
    action = _("Write user or model as “role” of every entry of “contents”.")
    return suggest_other_file(case, cause, action)


def fix_too_many_validation_examples(case: FailureCase) -> Fix:
    most = case.match.groupdict().get("most")
    cause = _("%(file)s has more examples than the service takes for validation.") % {
        "file": get_file_name(case)
    }
    action = (
        _("Choose a file with up to %(n)s examples.") % {"n": most} if most else _("Choose a shorter file.")
    )
    return suggest_other_file(case, cause, action, "validation")


def fix_too_long_example(case: FailureCase) -> Fix:
    limit = case.model.tokens_per_example if case.model else None
    cause = _("An example in %(file)s is longer than %(model)s takes.") % {
        "file": get_file_name(case),
        "model": case.model_id,
    }
    action = (
        _("Shorten or leave out what has more than %(n)d tokens.") % {"n": limit}
        if limit
        else _("Shorten the longest examples, or split them.")
    )
    return suggest_other_file(case, cause, action)


def fix_no_usable_example(case: FailureCase) -> Fix:
    """The engine names the first lines and what is wrong with each."""
    reasons = case.match.groupdict().get("reasons") or ""
    cause = _("No example of %(file)s can be learned from.") % {"file": get_file_name(case)}
    action = _("Mend its lines, or choose another file.")
    return suggest_other_file(case, f"{cause} {reasons}".strip(), action)


def fix_too_large_file(case: FailureCase) -> Fix:
    cause = _("%(file)s is larger than 1 GB.") % {"file": get_file_name(case)}
    return suggest_other_file(case, cause, _("Leave out examples, or split it."))
