"""What step 2 shows of one dataset: the file that was chosen, or the ways to choose one."""

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


@dataclass(frozen=True)
class DatasetPicker(DatasetSection):
    """`refusal` is why the last try was not taken, `at` the field where that is known; `typed` what stood in
    the form then; `arrived` an upload that lies here whole and was not stored."""

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
        """A part of the training file is held out for validation."""
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
    """A try that was not taken, for one of the two datasets."""

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
    """`query` says what is to be replaced, and which way is open; `pasted` are addresses of a pasted request
    that could not be had."""
    if refused and refused.purpose == purpose:
        why = refused.why
        return DatasetPicker(
            job, purpose, refused.way, False, str(why), why.field, refused.typed, refused.arrived
        )
    if (uri := (pasted or {}).get(purpose)) and getattr(job, purpose) is None:
        return DatasetPicker(job, purpose, "existing", typed={"uri": uri})
    asked = query.get("way", "")
    way = asked if asked in WAYS[purpose] and query.get("for", purpose) == purpose else "upload"
    return DatasetPicker(job, purpose, way, replacing=query.get("replace") == purpose)
