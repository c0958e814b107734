"""Initial focus of a form: the first invalid field, or a given one.

It uses the attribute `autofocus`, which works without JavaScript.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms


def set_autofocus(form: forms.BaseForm, field: str = "", notes: Mapping[str, str] | None = None) -> str:
    """Focus the first invalid field, else `field`. Return its name, or "".

    `notes` are stored as `note` of their form fields, which are displayed and read out with them.
    """
    for name, note in (notes or {}).items():
        if name in form.fields:
            attach_note(form, name, note)
    wrong = (name for name in form.fields if name in form.errors) if form.is_bound else iter(())
    chosen = next(wrong, field)
    if chosen not in form.fields:
        return ""
    get_widget_attrs(form, chosen)["autofocus"] = True
    return chosen


def attach_note(form: forms.BaseForm, name: str, note: str) -> None:
    bound: Any = form[name]
    attrs = get_widget_attrs(form, name)
    before = attrs.get("aria-describedby") or bound.aria_describedby
    attrs["aria-describedby"] = " ".join(filter(None, [before, f"{bound.auto_id}_note"]))
    form.fields[name].note = note  # type: ignore[attr-defined]


def get_widget_attrs(form: forms.BaseForm, name: str) -> dict[str, Any]:
    found: dict[str, Any] = form.fields[name].widget.attrs
    return found
