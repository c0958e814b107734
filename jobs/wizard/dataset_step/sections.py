"""Sections of step 2: per dataset the chosen file, or the sources to choose from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from jobs.datasets import ingest
from jobs.datasets.check.model_limits import Purpose
from jobs.datasets.errors import Refusal
from jobs.datasets.transform import hold_out
from jobs.datasets.uploads.resumable_upload import UploadSession
from jobs.wizard.draft_summary import DatasetSection

if TYPE_CHECKING:
    from jobs.models import TuningJob

Way = Literal["upload", "existing", "library", "hold_out"]
WAYS: dict[str, tuple[Way, ...]] = {
    "training": ("upload", "existing", "library"),
    "validation": ("upload", "existing", "library", "hold_out"),
}
FIELDS_OF_WAYS: dict[str, tuple[str, ...]] = {
    "upload": ("file", "upload_to"),
    "existing": ("uri",),
    "hold_out": ("percent", "seed"),
}
"""The fields that can show an error; that of another field is shown above them all."""


@dataclass(frozen=True)
class DatasetPicker(DatasetSection):
    """Source picker of one dataset.

    `refusal` is the last error, `at` its field ("" if unknown) and `typed` the form's values; `arrived` is a
    complete upload on this server that couldn't be stored.
    """

    way: str = "upload"
    replacing: bool = False
    refusal: str = ""
    at: str = ""
    typed: Mapping[str, str] = field(default_factory=dict)
    arrived: UploadSession | None = None

    @property
    def shows_file(self) -> bool:
        return bool(self.dataset and not self.replacing and not self.refusal)

    @property
    def is_held_out(self) -> bool:
        """Whether the validation dataset is held out of the training file."""
        return hold_out.are_halves(self.job.training, self.job.validation)

    @property
    def upload_to(self) -> str:
        return self.typed.get("upload_to", self.job.upload_to)

    @property
    def default_folder(self) -> str:
        try:
            return ingest.default_folder(self.job.project)
        except ingest.NoBucket:
            return "gs://bucket/folder/"


@dataclass(frozen=True)
class RejectedChoice:
    """A rejected choice for one of the two datasets."""

    purpose: Purpose
    way: str
    why: Refusal
    typed: Mapping[str, str]
    arrived: UploadSession | None = None


def build_picker(
    job: TuningJob,
    purpose: Purpose,
    query: Mapping[str, str],
    refused: RejectedChoice | None = None,
    pasted: Mapping[str, str] | None = None,
) -> DatasetPicker:
    """Return the picker of one dataset. `query` tells which dataset is replaced and which source is open;
    `pasted` are the URIs of a pasted request that couldn't be read."""
    if refused and refused.purpose == purpose:
        at = refused.why.field if refused.why.field in FIELDS_OF_WAYS.get(refused.way, ()) else ""
        return DatasetPicker(
            job, purpose, refused.way, False, str(refused.why), at, refused.typed, refused.arrived
        )
    if (uri := (pasted or {}).get(purpose)) and getattr(job, purpose) is None:
        return DatasetPicker(job, purpose, "existing", typed={"uri": uri})
    source = query.get("way", "")
    way = source if source in WAYS[purpose] and query.get("for", purpose) == purpose else "upload"
    return DatasetPicker(job, purpose, way, replacing=query.get("replace") == purpose)
