"""Forms of step 2: start of a resumable upload, and the hold-out for validation."""

from __future__ import annotations

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy

from jobs.datasets.check.model_limits import Purpose
from jobs.datasets.errors import TOO_BIG
from jobs.datasets.forms import NO_FILE, UploadFolderForm, validate_filename
from jobs.datasets.transform.split import MOST_PERCENT

PURPOSES: tuple[Purpose, Purpose] = ("training", "validation")
MAX_SEED = 2**31 - 1
"""The largest signed 32-bit number, a usual range of seeds."""


class BeginUploadForm(UploadFolderForm):
    """Purpose, name and size of a file, sent by the browser before its content."""

    purpose = forms.ChoiceField(choices=[(purpose, purpose) for purpose in PURPOSES])
    name = forms.CharField(max_length=300, error_messages={"required": NO_FILE})
    size = forms.IntegerField(min_value=0)
    modified = forms.CharField(max_length=40, required=False)

    def clean_name(self) -> str:
        return validate_filename(self.cleaned_data["name"])

    def clean_size(self) -> int:
        size: int = self.cleaned_data["size"]
        if size > settings.DATASET_MAX_BYTES:
            raise ValidationError(TOO_BIG)
        return size


class HoldOutForm(forms.Form):
    percent = forms.IntegerField(
        min_value=1,
        max_value=MOST_PERCENT,
        initial=10,
        label=gettext_lazy("Percentage to hold out"),
        error_messages={
            "required": gettext_lazy("Enter a whole number from 1 to 50."),
            "invalid": gettext_lazy("Enter a whole number from 1 to 50."),
            "min_value": gettext_lazy("Enter 1 or more."),
            "max_value": gettext_lazy("Enter %(limit_value)s or less."),
        },
    )
    seed = forms.IntegerField(
        min_value=0,
        max_value=MAX_SEED,
        initial=0,
        label=gettext_lazy("Seed"),
        error_messages={
            "required": gettext_lazy("Enter a whole number, such as 0."),
            "invalid": gettext_lazy("Enter a whole number, such as 0."),
            "min_value": gettext_lazy("Enter 0 or more."),
            "max_value": gettext_lazy("Enter %(limit_value)s or less."),
        },
    )
