"""The style of all forms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms

from studio.models import Project

if TYPE_CHECKING:
    ProjectModelForm = forms.ModelForm[Project]
else:
    ProjectModelForm = forms.ModelForm


class StyledForm(forms.BaseForm):
    """Adds Bootstrap's class to each field; templates/studio/pages/_field.html renders it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"label_suffix": "", **kwargs})
        for field in self.fields.values():
            chooses = isinstance(field.widget, forms.Select)
            field.widget.attrs.setdefault("class", "form-select" if chooses else "form-control")
