"""Form of step 1: starting point, name, base model, region and advanced options."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from jobs import base_models
from jobs.models import TuningJob
from jobs.preflight import list_tuning_regions
from jobs.tuned_models import owns_tuned_model
from jobs.wizard.model_step.choices import (
    adapter_choices,
    checkpoint_choices,
    include_unavailable,
    model_choices,
)
from jobs.wizard.model_step.display_name import validate_display_name
from jobs.wizard.model_step.fields import ADVANCED, COLUMNS, OTHER, ModelFields, build_form_data
from jobs.wizard.model_step.pre_tuned_models import PreTunedModel, list_pre_tuned_models
from studio.formats import join_list
from studio.vertex import catalog
from studio.vertex.catalog import BaseModel

DEPENDENT_FIELDS = (
    "pre_tuned_model",
    "other_model",
    "pre_tuned_checkpoint",
    "base_model",
    "location",
    "adapter_size",
)
TEXT_FIELDS = ("tuned_model_display_name", "epoch_count", "learning_rate_multiplier", *ADVANCED[4:])
LOCATION_PREFIX = r"projects/[a-z0-9:.-]+/locations/(?P<location>[a-z0-9-]+)/"
KMS_KEY_NAME = re.compile(LOCATION_PREFIX + r"keyRings/[A-Za-z0-9_-]+/cryptoKeys/[A-Za-z0-9_-]+")
MODEL_NAME = re.compile(LOCATION_PREFIX + r"models/[A-Za-z0-9_-]+(@[A-Za-z0-9_.-]+)?")


class ModelDetailsForm(ModelFields):
    """Bound to the posted data, or to the draft's own values, so that values no longer allowed show an error.

    `live` is the URL that saves changes; with `final`, missing required values are errors.
    """

    def __init__(
        self,
        data: Mapping[str, Any] | None = None,
        *,
        instance: TuningJob,
        live: str = "",
        final: bool = False,
    ) -> None:
        self.job, self.project, self.final = instance, instance.project, final
        super().__init__(build_form_data(instance) if data is None else data, label_suffix="")
        self.chosen = self._find_base_model(
            self.parent.base_model if self.parent else self._raw_value("base_model")
        )
        self._set_choices()
        self._set_widget_attrs(live)

    # ---- starting point ----

    def _raw_value(self, name: str) -> str:
        """Return what was entered, before it is validated; without NUL, which PostgreSQL can't search for."""
        return str(self.data.get(name) or "").replace("\0", "").strip()

    @cached_property
    def is_from_pre_tuned(self) -> bool:
        """Whether a pre-tuned model is tuned further.

        Without `source`, this depends on whether one is named.
        """
        return (
            self._raw_value("source") or ("pre_tuned" if self.pre_tuned_name else "foundation")
        ) == "pre_tuned"

    @cached_property
    def pre_tuned_name(self) -> str:
        """The requested pre-tuned model's resource name, whether or not the model exists."""
        picked = self._raw_value("pre_tuned_model")
        return self._raw_value("other_model") if picked == OTHER else picked

    @cached_property
    def parents(self) -> list[PreTunedModel]:
        return list_pre_tuned_models(self.project, self._raw_value("location"))

    @cached_property
    def parent(self) -> PreTunedModel | None:
        if not (self.is_from_pre_tuned and self.pre_tuned_name):
            return None
        return next((parent for parent in self.parents if parent.name == self.pre_tuned_name), None)

    @property
    def fixed_adapter(self) -> bool:
        """Whether the adapter size is set by a pre-tuned model: further tuning keeps it."""
        return self.is_from_pre_tuned and bool(self.pre_tuned_name)

    @property
    def choices_key(self) -> str:
        """Values that the choices depend on.

        The page posts them, and gets new choices if they have changed.
        """
        parent = self.pre_tuned_name if self.parent else ""
        return f"{self.is_from_pre_tuned} {self.fixed_adapter} {parent} {self.region} {self.chosen.id}"

    @property
    def region(self) -> str:
        return self._raw_value("location")

    # ---- choices ----

    def _find_base_model(self, id: str) -> BaseModel:
        """Return the chosen model, or the first one if the name is invalid (its own field shows that
        error)."""
        offered = base_models.list_base_models(self.project)
        match = next((model for model in offered if model.id == id), None)
        if match is None and self.parent:
            own = catalog.describe_added_model(id) if self.project.on_engine else None
            match = catalog.find_model(id, self.project.backend) or own
        return match or offered[0]

    def _choice_field(self, name: str) -> forms.ChoiceField:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 - told to the type checker
        return field

    def _set_choices(self) -> None:
        """Set the choices. An invalid value stays listed, so that it is visible; its field shows an error."""
        allowed = {
            "location": [(region, region) for region in list_tuning_regions(self.project, self.chosen)],
            "adapter_size": adapter_choices(self.chosen),
        }
        for name, choices in allowed.items():
            self._choice_field(name).choices = choices
            self.fields[name].widget.choices = include_unavailable(choices, self._raw_value(name))
        self._choice_field("adapter_size").disabled = self.fixed_adapter
        offered = model_choices(self.project)
        self.fields["base_model"].widget.choices = include_unavailable(offered, self._raw_value("base_model"))
        self.fields["pre_tuned_model"].widget.choices = self._parent_choices
        if self.parent and self.parent.checkpoints:
            choices = checkpoint_choices(self.parent)
            self.fields["pre_tuned_checkpoint"].widget = forms.Select(
                choices=include_unavailable(choices, self.checkpoint)
            )
        self.fields["kms_key_name"].disabled = self.project.on_engine
        self._set_error_messages()

    def _parent_choices(self) -> Iterator[tuple[str, str]]:
        """Yield the pre-tuned models; evaluated lazily, when the field is rendered."""
        yield "", _("Select a model")
        yield from ((parent.name, str(parent)) for parent in self.parents)
        yield OTHER, _("Another model (by resource name)")

    def _set_error_messages(self) -> None:
        self.fields["location"].error_messages["invalid_choice"] = _(
            "%(model)s can’t be tuned in that region. Choose a model from the list."
        ) % {"model": self.chosen.id}
        self.fields["adapter_size"].error_messages["invalid_choice"] = _(
            "%(model)s supports adapter sizes %(sizes)s."
        ) % {"model": self.chosen.id, "sizes": join_list(self.chosen.adapter_sizes)}

    def _set_widget_attrs(self, live: str) -> None:
        """Set CSS classes, placeholders, descriptions and the URL that saves changes."""
        for name, field in self.fields.items():
            attrs = field.widget.attrs
            attrs["class"] = get_css_class(field.widget)
            if name != "source":
                attrs["aria-describedby"] = f"id_{name}_helptext id_{name}_error"
            attrs |= build_autosave_attrs(
                live, "input changed delay:700ms, change" if name in TEXT_FIELDS else "change"
            )
        self.fields["tuned_model_display_name"].widget.attrs |= {
            "data-counter": "name-length",
            "autocomplete": "off",
        }
        self.fields["export_last_checkpoint_only"].widget.attrs |= {
            "role": "switch",
            "aria-describedby": "id_export_last_checkpoint_only_helptext",
        }
        self.fields["epoch_count"].widget.attrs["placeholder"] = _("recommended")
        self.fields["learning_rate_multiplier"].widget.attrs["placeholder"] = "1"
        self.fields["labels"].widget.attrs["placeholder"] = "team=support\nstage=trial"

    @property
    def base_words(self) -> str:
        return self.chosen.description(get_language() or "en")

    @property
    def advanced_errors(self) -> int:
        return len(self.errors.keys() & set(ADVANCED))

    @property
    def other_fields(self) -> list[forms.BoundField]:
        """Fields whose errors are updated even if the choices aren't."""
        placeless = {"source", "export_last_checkpoint_only", *DEPENDENT_FIELDS}
        return [field for field in self if field.name not in placeless]

    @property
    def choice_fields(self) -> list[forms.BoundField]:
        """Fields whose errors are rendered together with new choices."""
        hidden = {"adapter_size"} if self.fixed_adapter else set()
        if self.parent and not self.parent.checkpoints:
            hidden.add("pre_tuned_checkpoint")
        return [self[name] for name in DEPENDENT_FIELDS if name not in hidden]

    def get_label(self, name: str) -> str:
        return str(self.fields[name].label)

    # ---- cleaning ----

    def clean_base_model(self) -> str:
        if self.parent:
            return self.parent.base_model
        name: str = self.cleaned_data["base_model"]
        if name not in {model.id for model in base_models.list_base_models(self.project)}:
            raise ValidationError(
                _("“%(model)s” can’t be tuned in this project. Choose a model from the list.")
                % {"model": name}
            )
        return name

    def clean_learning_rate_multiplier(self) -> float | None:
        value: float | None = self.cleaned_data["learning_rate_multiplier"]
        if value is not None and not (math.isfinite(value) and value > 0):
            raise ValidationError(_("Enter a number above 0."))
        return value

    def clean_tuned_model_display_name(self) -> str:
        return validate_display_name(self.cleaned_data["tuned_model_display_name"])

    def clean_kms_key_name(self) -> str:
        name: str = self.cleaned_data["kms_key_name"]
        if name and not KMS_KEY_NAME.fullmatch(name):
            raise ValidationError(
                _("Enter the key’s full name: projects/…/locations/…/keyRings/…/cryptoKeys/….")
            )
        return name

    def clean(self) -> dict[str, Any]:
        self._validate_source(self.cleaned_data)
        self._validate_key(self.cleaned_data)
        return self.cleaned_data

    def _validate_source(self, cleaned: dict[str, Any]) -> None:
        if not self.is_from_pre_tuned:
            cleaned |= {"pre_tuned_model": "", "pre_tuned_checkpoint": ""}
            return
        checkpoint = self.checkpoint
        cleaned.pop("pre_tuned_model", None)
        cleaned.pop("pre_tuned_checkpoint", None)
        field = "other_model" if self._raw_value("pre_tuned_model") == OTHER else "pre_tuned_model"
        if not self.pre_tuned_name:
            if self.final:
                self.add_error(field, _("Choose the model to continue from."))
        elif fault := self._find_parent_error():
            self.add_error(field, fault)
        elif self.parent and checkpoint not in {"", *(found.id for found in self.parent.checkpoints)}:
            known = join_list(found.id for found in self.parent.checkpoints) or _("none")
            self.add_error("pre_tuned_checkpoint", _("Available checkpoints: %(ids)s.") % {"ids": known})
        elif not (self.errors.keys() & {"other_model", "pre_tuned_model", "pre_tuned_checkpoint"}):
            cleaned |= {"pre_tuned_model": self.pre_tuned_name, "pre_tuned_checkpoint": checkpoint}

    @property
    def checkpoint(self) -> str:
        """Return the requested checkpoint, or "" if it was chosen for another model on the same page."""
        before = self.data.get("shown_model")
        return (
            ""
            if before is not None and before != self.pre_tuned_name
            else self._raw_value("pre_tuned_checkpoint")
        )

    def _find_parent_error(self) -> str:
        location = self._raw_value("location")
        if self.parent:
            return ""
        found = MODEL_NAME.fullmatch(self.pre_tuned_name)
        if not found:
            return _("Enter a model resource name: projects/…/locations/…/models/ID.")
        if found["location"] != location:
            return _("This model is in %(lies)s. Choose that region, or a model in %(location)s.") % {
                "lies": found["location"],
                "location": location,
            }
        if not owns_tuned_model(self.project, self.pre_tuned_name):
            return _("This model isn’t one of this project, %(project_id)s. Choose another model.") % {
                "project_id": self.project.project_id
            }
        return ""

    def _validate_key(self, cleaned: dict[str, Any]) -> None:
        key = cleaned.get("kms_key_name")
        found = KMS_KEY_NAME.fullmatch(key) if key else None
        if found and found["location"] != cleaned.get("location", found["location"]):
            self.add_error(
                "kms_key_name",
                _("The key is in %(lies)s. Enter a key in the job’s region, %(location)s.")
                % {"lies": found["location"], "location": cleaned["location"]},
            )
        elif (
            self.parent and key is not None and key != self.parent.kms_key_name and not self.project.on_engine
        ):
            own = self.parent.kms_key_name
            message = _("The pre-tuned model is encrypted with %(key)s. Enter the same key.") % {"key": own}
            self.add_error(
                "kms_key_name", message if own else _("The pre-tuned model has no key. Leave this empty.")
            )

    def get_valid_columns(self) -> dict[str, Any]:
        """Return the columns with valid values, even if other fields are invalid."""
        self.errors  # noqa: B018 - cleans
        return {name: self.cleaned_data[name] for name in COLUMNS if name in self.cleaned_data}


def get_css_class(widget: forms.Widget) -> str:
    if isinstance(widget, forms.RadioSelect | forms.CheckboxInput):
        return "form-check-input"
    return "form-select" if isinstance(widget, forms.Select) else "form-control"


def build_autosave_attrs(live: str, when: str) -> dict[str, str]:
    """Return the htmx attributes of autosave: one request at a time, followed by one with the latest
    values."""
    if not live:
        return {}
    return {"hx-post": live, "hx-trigger": when, "hx-swap": "none", "hx-sync": "closest form:queue last"}
