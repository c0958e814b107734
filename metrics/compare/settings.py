"""The table of settings: a row for each setting, and where the runs differ (pure)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from jobs.datasets.models import Dataset
from jobs.tuning_job_resource import HyperParameter, get_object
from metrics.compare.runs import RunLine, dataset_content
from studio.formats import join_list


@dataclass(frozen=True, slots=True)
class Cell:
    """`requested` is shown before the text if the service chose or changed the value; `differs` is from the
    baseline."""

    text: str
    requested: str = ""
    differs: bool = False
    title: str = ""


@dataclass(frozen=True, slots=True)
class SettingRow:
    label: str | Promise
    cells: list[Cell]
    differs: bool


@dataclass(frozen=True, slots=True)
class Value:
    """`key` decides whether two values are the same, if the text alone does not."""

    text: str
    requested: str = ""
    key: object = None
    title: str = ""


def build_setting_rows(lines: Sequence[RunLine], baseline: RunLine | None) -> list[SettingRow]:
    """Return a row for each setting that at least one run has."""
    found = []
    at = lines.index(baseline) if baseline else 0
    for label, read in SETTING_ROWS:
        values = [read(line) for line in lines]
        if any(value.text for value in values):
            found.append(build_setting_row(label, values, at))
    return found


def build_setting_row(label: str | Promise, values: Sequence[Value], baseline: int) -> SettingRow:
    keys = [value.key or value.text for value in values]
    cells = [
        Cell(value.text or "–", value.requested, key != keys[baseline], value.title)
        for value, key in zip(values, keys, strict=True)
    ]
    return SettingRow(label, cells, len(set(keys)) > 1)


def format_hyperparameter(setting: HyperParameter) -> Value:
    text = "" if setting.effective is None else f"{setting.effective:g}"
    requested = _("recommended") if not setting.changed else ""
    if setting.changed and setting.resolved is not None and setting.resolved != setting.requested:
        requested = f"{setting.requested:g} →"
    return Value(text, requested if text else "")


def format_dataset(dataset: Dataset | None) -> Value:
    if dataset is None:
        return Value("")
    return Value(str(dataset), key=dataset_content(dataset), title=f"{dataset.uri} · crc32c {dataset.crc32c}")


def format_count(value: float | None) -> Value:
    return Value("" if value is None else f"{value:,.0f}")


def format_labels(line: RunLine) -> Value:
    found = get_object(line.job.remote or line.job.request, "labels")
    own = {key: value for key, value in found.items() if key != "studio-submission"}
    return Value(join_list(f"{key}={value}" for key, value in sorted(own.items())))


def format_pre_tuned_model(line: RunLine) -> Value:
    model = line.job.pre_tuned_model
    checkpoint = line.job.pre_tuned_checkpoint
    return Value(" · ".join(filter(None, [model.rpartition("/")[2], checkpoint])), title=model)


SETTING_ROWS: tuple[tuple[str | Promise, Callable[[RunLine], Value]], ...] = (
    (gettext_lazy("Base model"), lambda line: Value(line.job.base_model)),
    (gettext_lazy("Pre-tuned model"), format_pre_tuned_model),
    (gettext_lazy("Training dataset"), lambda line: format_dataset(line.job.training)),
    (gettext_lazy("Validation dataset"), lambda line: format_dataset(line.job.validation)),
    (gettext_lazy("Number of epochs"), lambda line: format_hyperparameter(line.job.epochs)),
    (gettext_lazy("Adapter size"), lambda line: format_hyperparameter(line.job.adapter)),
    (gettext_lazy("Learning rate multiplier"), lambda line: format_hyperparameter(line.job.learning_rate)),
    (
        gettext_lazy("Export last checkpoint only"),
        lambda line: Value(_("Yes") if line.job.export_last_checkpoint_only else _("No")),
    ),
    (gettext_lazy("Steps"), lambda line: format_count(line.steps)),
    (gettext_lazy("Examples"), lambda line: format_count(line.examples)),
    (gettext_lazy("Billable tokens"), lambda line: format_count(line.tokens)),
    (gettext_lazy("Region"), lambda line: Value(line.job.location)),
    (gettext_lazy("Labels"), format_labels),
    (gettext_lazy("Service account"), lambda line: Value(line.job.service_account)),
    (gettext_lazy("Encryption key"), lambda line: Value(line.job.kms_key_name)),
)
