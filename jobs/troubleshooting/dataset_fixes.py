"""Cures for what is wrong with a dataset: each leads to where its file is chosen."""

from __future__ import annotations

from django.utils.translation import gettext as _

from jobs.datasets.check.model_limits import Purpose
from jobs.datasets.models import Dataset
from jobs.troubleshooting.fix import Case, Recipe

AGENT = "service-PROJECT_NUMBER@gcp-sa-vertex-tune.iam.gserviceaccount.com"
"""Whom Vertex reads as where a job names no account: cloud.google.com/iam/docs/service-agents."""


def which(case: Case) -> Purpose:
    """The dataset that the symptom is about: by its field, its words, or the number of examples it tells."""
    if case.symptom.field in ("training", "validation"):
        return "validation" if case.symptom.field == "validation" else "training"
    if "validation" in case.text.lower():
        return "validation"
    total = case.found.groupdict().get("total")
    if total and total != count(case.job.training) and total == count(case.job.validation):
        return "validation"
    return "training"


def count(dataset: Dataset | None) -> str:
    return str(dataset.parsed_report.examples) if dataset else ""


def replace(case: Case, cause: str, action: str, purpose: Purpose | None = None) -> Recipe:
    """A button that opens the chooser of the dataset in question."""
    purpose = purpose or which(case)
    button = (
        _("Choose another training file") if purpose == "training" else _("Choose another validation file")
    )
    return Recipe(cause, action, purpose, button=button)


def name_of(case: Case) -> str:
    """The file, or where none is known what it is."""
    dataset: Dataset | None = getattr(case.job, which(case))
    if dataset:
        return str(dataset)
    return _("the training dataset") if which(case) == "training" else _("the validation dataset")


def not_jsonl(case: Case) -> Recipe:
    cause = _("%(file)s is not taken as a JSONL file.") % {"file": name_of(case)}
    action = _("Choose a file on Cloud Storage whose name ends in .jsonl, with one JSON object per line.")
    return replace(case, cause, action)


def not_there(case: Case) -> Recipe:
    cause = _("%(file)s is not where it was: nothing lies at its address.") % {"file": name_of(case)}
    return replace(case, cause, _("Upload it again, or choose another file."))


def not_readable(case: Case) -> Recipe:
    """Who may not read which bucket, and the role that lets them."""
    who = case.found.groupdict().get("who") or case.job.service_account or AGENT
    dataset: Dataset | None = getattr(case.job, which(case))
    bucket = dataset.uri.removeprefix("gs://").partition("/")[0] if dataset else ""
    cause = _("%(account)s may not read the bucket %(bucket)s.") % {"account": who, "bucket": bucket}
    action = _(
        "Give it the role Storage Object Viewer (roles/storage.objectViewer) on the bucket, then tune again."
    )
    page = case.console(f"storage/browser/{bucket};tab=permissions") if bucket else ""
    return Recipe(
        cause, action, button=_("Tune again"), link=page, link_words=_("Open the bucket’s permissions")
    )


def modality(case: Case) -> Recipe:
    cause = _("Example %(n)s of %(total)s in %(file)s holds what %(model)s is not tuned on: %(kind)s.")
    told = {name: case.found[name] for name in ("n", "total", "kind")}
    action = _("Take it out of “parts” in that line, and in any other like it; or choose another model.")
    return replace(case, cause % {**told, "file": name_of(case), "model": case.model_id}, action)


def role(case: Case) -> Recipe:
    cause = _("A message in %(file)s has a role other than user and model.") % {"file": name_of(case)}
    action = _("Write user or model as “role” of every entry of “contents”.")
    return replace(case, cause, action)


def too_many_held_out(case: Case) -> Recipe:
    most = case.found.groupdict().get("most")
    cause = _("%(file)s has more examples than the service takes for validation.") % {"file": name_of(case)}
    action = (
        _("Choose a file with up to %(n)s examples.") % {"n": most} if most else _("Choose a shorter file.")
    )
    return replace(case, cause, action, "validation")


def too_long(case: Case) -> Recipe:
    limit = case.model.tokens_per_example if case.model else None
    cause = _("An example in %(file)s is longer than %(model)s takes.") % {
        "file": name_of(case),
        "model": case.model_id,
    }
    action = (
        _("Shorten or leave out what has more than %(n)d tokens.") % {"n": limit}
        if limit
        else _("Shorten the longest examples, or split them.")
    )
    return replace(case, cause, action)


def nothing_to_learn(case: Case) -> Recipe:
    """The engine names the first lines and what is wrong with each."""
    reasons = case.found.groupdict().get("reasons") or ""
    cause = _("No example of %(file)s can be learned from.") % {"file": name_of(case)}
    action = _("Mend its lines, or choose another file.")
    return replace(case, f"{cause} {reasons}".strip(), action)


def too_big(case: Case) -> Recipe:
    cause = _("%(file)s is larger than 1 GB.") % {"file": name_of(case)}
    return replace(case, cause, _("Leave out examples, or split it."))
