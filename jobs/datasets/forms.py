"""Step 2 of a draft: a file to upload and where to, the path of one, and how much to hold out."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from jobs.datasets import gcs_paths
from jobs.datasets.check.model_limits import Purpose
from jobs.datasets.transform.split import MOST_PERCENT
from jobs.datasets.uploads import filenames
from studio.vertex.errors import BadName
from studio.vertex.storage import parse_gs_uri

PURPOSES: tuple[Purpose, Purpose] = ("training", "validation")
MAX_SEED = 2**31 - 1
TOO_BIG = gettext_lazy("The file is larger than 1 GB. Remove some examples, or split it.")
NO_FILE = gettext_lazy("Choose a JSONL file.")


def first_error(form: forms.Form) -> tuple[str, str]:
    """(field, words): one thing at a time is said at its field."""
    field, errors = next(iter(form.errors.items()))
    return field, str(errors[0])


def validate_filename(name: str) -> str:
    if refusal := filenames.explain_refusal(name):
        raise ValidationError(refusal)
    return name


class UploadFolderForm(forms.Form):
    """Where uploads of this draft go; blank is the project's bucket."""

    upload_to = forms.CharField(max_length=1100, required=False)

    def clean_upload_to(self) -> str:
        try:
            return gcs_paths.parse_folder_uri(self.cleaned_data["upload_to"])
        except BadName:
            raise ValidationError(
                _("This isn’t a Cloud Storage folder. Enter a path like gs://bucket/folder/.")
            ) from None


class UploadForm(UploadFolderForm):
    file = forms.FileField(allow_empty_file=True, error_messages={"required": NO_FILE})

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        validate_filename(file.name)
        return file


class BeginUploadForm(UploadFolderForm):
    """What the browser says of a file before it sends it."""

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


class ExistingFileForm(forms.Form):
    uri = forms.CharField(
        max_length=1100,
        error_messages={"required": gettext_lazy("Enter a file path, such as gs://bucket/file.jsonl.")},
    )

    def clean_uri(self) -> str:
        uri: str = self.cleaned_data["uri"]
        try:
            address = parse_gs_uri(uri)
        except BadName:
            raise ValidationError(
                _("This isn’t a file path. Enter a path like gs://bucket/file.jsonl.")
            ) from None
        if filenames.has_txt_suffix(address.name):
            raise ValidationError(
                _("The file name ends in .txt. Rename the file in Cloud Storage so that it ends in .jsonl.")
            )
        if not address.name.endswith(".jsonl"):
            raise ValidationError(_("The file name must end in .jsonl."))
        return uri


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
