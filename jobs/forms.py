"""What step 2 of a draft asks for: where a dataset comes from."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from studio.vertex.errors import BadName
from studio.vertex.storage import parse_gs_uri


class UploadForm(forms.Form):
    file = forms.FileField(
        allow_empty_file=True,
        error_messages={"required": gettext_lazy("Choose a JSONL file.")},
    )

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if not file.name.lower().endswith((".jsonl", ".json", ".ndjson")):
            raise ValidationError(
                _("Choose a file whose name ends in .jsonl; this one is %(name)s.") % {"name": file.name}
            )
        return file


class AddressForm(forms.Form):
    uri = forms.CharField(
        max_length=1100,
        error_messages={"required": gettext_lazy("Write the path of a file: gs://bucket/file.jsonl.")},
    )

    def clean_uri(self) -> str:
        uri: str = self.cleaned_data["uri"]
        try:
            address = parse_gs_uri(uri)
        except BadName:
            raise ValidationError(
                _("This is not the path of a file. Write gs://bucket/file.jsonl.")
            ) from None
        if not address.name.endswith(".jsonl"):
            raise ValidationError(_("The file’s name has to end in .jsonl."))
        return uri
