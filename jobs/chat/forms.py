"""Forms of the chat page: generation settings, and the next message with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from jobs.chat.models import Conversation

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

TEXT_LIMIT = 100_000
"""Bytes of one text: about 25,000 tokens at 4 bytes each. A choice: every turn sends the texts before it
again, so a long text is paid for with each answer."""
MAX_STOP_SEQUENCES = 5
"""Vertex AI's limit."""
MAX_SEED = 2**31 - 1
"""`seed` is an int32 in generationConfig."""
DEFAULTS = {"temperature": 0, "maxOutputTokens": 1024, "topP": 0.95, "topK": 40}
"""Default generationConfig. Temperature 0 always picks the most likely token, which shows best what was
learned."""


def validate_text_size(text: str) -> None:
    size = len(text.encode())
    if size > TEXT_LIMIT:
        raise ValidationError(
            _("The text is %(size)d kB; the limit is %(limit)d kB. Shorten it.")
            % {"size": size // 1000, "limit": TEXT_LIMIT // 1000}
        )


def bounded_number_field(
    field: type[forms.IntegerField],
    label: _StrPromise,
    help_text: _StrPromise,
    wrong: _StrPromise,
    bounds: tuple[int, int],
    step: float,
    reach: float | None = None,
) -> Any:
    """Return a number field with bounds and a single message for all errors.

    `reach` is the maximum of the slider, if the upper bound is too large for one.
    """
    low, high = bounds
    attributes = {
        "class": "form-control",
        "step": step,
        "form": "composer",
        "placeholder": gettext_lazy("auto"),
    }
    number_field: Any = field(
        label=label,
        help_text=help_text,
        required=False,
        min_value=low,
        max_value=high,
        widget=forms.NumberInput(attrs=attributes),
        error_messages=dict.fromkeys(("invalid", "min_value", "max_value"), wrong),
    )
    number_field.reach = reach or high
    return number_field


class SettingsForm(forms.Form):
    """Generation settings. A blank field means the service's default."""

    system_instruction = forms.CharField(
        label=gettext_lazy("System instructions"),
        required=False,
        validators=[validate_text_size],
        widget=forms.Textarea(attrs={"class": "form-control small", "rows": 3, "form": "composer"}),
    )
    temperature = bounded_number_field(
        forms.FloatField,
        gettext_lazy("Temperature"),
        gettext_lazy(
            "0 always picks the most likely token. Raise it if answers are too short or too similar."
        ),
        gettext_lazy("Enter a temperature from 0 to 2."),
        (0, 2),
        0.1,
    )
    max_output_tokens = bounded_number_field(
        forms.IntegerField,
        gettext_lazy("Output token limit"),
        gettext_lazy("One token is about 4 characters; 100 tokens are about 60 to 80 words."),
        gettext_lazy("Enter a whole number from 1 to 65535 for the output token limit."),
        (1, 65535),
        1,
        reach=8192,
    )
    top_p = bounded_number_field(
        forms.FloatField,
        gettext_lazy("Top-P"),
        gettext_lazy("Samples from the smallest set of tokens whose probability reaches this value."),
        gettext_lazy("Enter a Top-P value from 0 to 1."),
        (0, 1),
        0.01,
    )
    top_k = bounded_number_field(
        forms.IntegerField,
        gettext_lazy("Top-K"),
        gettext_lazy(
            "Samples from this many of the most likely tokens. 1 always picks the most likely token."
        ),
        gettext_lazy("Enter a whole number from 1 to 64 for Top-K."),
        (1, 64),
        1,
    )
    stop_sequences = forms.CharField(
        label=gettext_lazy("Stop sequences"),
        help_text=gettext_lazy("One per line, up to 5. The answer stops before the first match."),
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"class": "form-control small mono", "rows": 2, "form": "composer"}),
    )
    seed = forms.IntegerField(
        label=gettext_lazy("Seed"),
        help_text=gettext_lazy("The same seed and settings give the same answer if the model supports it."),
        required=False,
        min_value=0,
        max_value=MAX_SEED,
        widget=forms.NumberInput(attrs={"class": "form-control", "form": "composer"}),
        error_messages=dict.fromkeys(
            ("invalid", "min_value", "max_value"),
            gettext_lazy("Enter a whole number from 0 to 2147483647 for the seed."),
        ),
    )

    @classmethod
    def from_conversation(cls, conversation: Conversation, **more: Any) -> Self:
        config = conversation.generation_config
        return cls(
            initial={
                "system_instruction": conversation.system_instruction,
                "temperature": config.get("temperature"),
                "max_output_tokens": config.get("maxOutputTokens"),
                "top_p": config.get("topP"),
                "top_k": config.get("topK"),
                "stop_sequences": "\n".join(config.get("stopSequences", [])),
                "seed": config.get("seed"),
                **more,
            }
        )

    def clean_stop_sequences(self) -> list[str]:
        lines = [line for line in self.cleaned_data["stop_sequences"].splitlines() if line]
        if len(lines) > MAX_STOP_SEQUENCES:
            raise ValidationError(_("Enter at most 5 stop sequences. Remove some lines."))
        if any(len(line) > 100 for line in lines):
            raise ValidationError(
                _("Stop sequences can have up to 100 characters each. Shorten the long line.")
            )
        return lines

    def generation_config(self) -> dict[str, Any]:
        """The filled-in fields as a generationConfig of the REST API."""
        chosen = {
            "temperature": self.cleaned_data["temperature"],
            "maxOutputTokens": self.cleaned_data["max_output_tokens"],
            "topP": self.cleaned_data["top_p"],
            "topK": self.cleaned_data["top_k"],
            "stopSequences": self.cleaned_data["stop_sequences"] or None,
            "seed": self.cleaned_data["seed"],
        }
        return {name: value for name, value in chosen.items() if value is not None}

    def save(self, conversation: Conversation) -> None:
        conversation.system_instruction = self.cleaned_data["system_instruction"]
        conversation.generation_config = self.generation_config()
        conversation.save()


class AskForm(SettingsForm):
    """The message with its settings. A suggestion's button submits its own text."""

    prompt = forms.CharField(
        label=gettext_lazy("Message"),
        validators=[validate_text_size],
        error_messages={"required": gettext_lazy("Enter a message.")},
        widget=forms.Textarea(
            attrs={
                "class": "form-control",
                "rows": 1,
                "placeholder": gettext_lazy("Ask something"),
                "data-send-on-enter": True,
            }
        ),
    )
