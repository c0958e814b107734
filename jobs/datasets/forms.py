"""Two ways to add a file: an upload, with the folder it goes to, and the path of an existing file."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from jobs.datasets.errors import TOO_BIG, Refusal
from jobs.datasets.uploads import filenames
from jobs.datasets.uploads.upload_handler import exceeds_limit, is_left_out_for_space
from studio.models import Project
from studio.pages.error_messages import explain_error
from studio.vertex.errors import BadName
from studio.vertex.gs_folders import parse_folder_uri
from studio.vertex.storage import OutsidePlaces, parse_gs_uri

NO_FILE = gettext_lazy("Choose a JSONL file.")


def clean_form(form: forms.Form) -> dict[str, Any]:
    """Return the cleaned data. Raises Refusal with the first error: one thing at a time is said at its
    field."""
    if not form.is_valid():
        field, errors = next(iter(form.errors.items()))
        raise Refusal(str(errors[0]), field)
    return form.cleaned_data


def validate_filename(name: str) -> str:
    if refusal := filenames.explain_refusal(name):
        raise ValidationError(refusal)
    return name


class UploadFolderForm(forms.Form):
    """The folder that uploads go to, one in the project's places; blank means the project's bucket."""

    upload_to = forms.CharField(max_length=1100, required=False)

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.project = project

    def clean_upload_to(self) -> str:
        try:
            folder = parse_folder_uri(self.cleaned_data["upload_to"])
            if folder:
                self.project.storage_places().require_folder(folder)
            return folder
        except OutsidePlaces as error:
            raise ValidationError(str(explain_error(error))) from None
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


def clean_upload(request: HttpRequest, project: Project) -> dict[str, Any]:
    """Return `file` and `upload_to` of an upload. Raises Refusal; a file that is too large, or finds no room,
    was not written to disk, so the form would only miss it."""
    if exceeds_limit(int(request.META.get("CONTENT_LENGTH") or 0)):
        raise Refusal(str(TOO_BIG), "file")
    form = UploadForm(request.POST, request.FILES, project=project)  # FILES reads the request
    if is_left_out_for_space(request):
        raise Refusal.for_full_disk()
    return clean_form(form)


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
