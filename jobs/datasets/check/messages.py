"""What a dataset check says about each problem, and how to fix it, by the problem's code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from jobs.datasets.check.report import Problem
from studio.formats import format_count, format_size

REMOVE = _("Fix or remove the line.")
CONVERT = _(
    'Download the converted file, or rewrite the line as {"contents": [{"role": "user", …}, '
    '{"role": "model", …}]}.'
)
SENTENCES: dict[str, tuple[str | Promise, str | Promise]] = {
    # the file
    "empty": (
        _("the file has no examples."),
        _("Choose a file with one conversation per line."),
    ),
    "utf16": (_("the file is UTF-16, not UTF-8."), _("Save the file as UTF-8.")),
    "binary": (
        _("this is a %(kind)s file, not JSONL."),
        _("Extract or export it, then choose the .jsonl file."),
    ),
    "bom": (
        _("the file starts with a byte order mark (BOM), which is ignored."),
        _("You can continue, or save the file as UTF-8 without a BOM."),
    ),
    "name_ending": (
        _("the file name %(name)s doesn’t end in .jsonl."),
        _("Rename it to %(right)s. The content can stay the same."),
    ),
    "file_too_big": (
        _("the file is %(size)s; the limit for this model is %(limit)s."),
        _("Remove examples, or split the file."),
    ),
    "training_too_many": (
        _("the limit for this model is %(limit)s examples; this file has %(count)s."),
        _("Remove some examples."),
    ),
    "validation_too_many": (
        _("the limit for this model is %(limit)s validation examples; this file has %(count)s."),
        _("Remove some examples. A few hundred are enough for a validation curve."),
    ),
    "very_few": (
        _("some models require at least %(fewest)s examples; this file has %(count)s."),
        _("Add examples; at least 100 recommended."),
    ),
    "few": (
        _("at least %(recommended)s examples are recommended; this file has %(count)s."),
        _("You can continue. More examples usually help more than any setting."),
    ),
    "files_unsupported": (
        _("some examples contain files, but %(model)s supports text only."),
        _("Choose another base model, or remove these examples."),
    ),
    "functions_uncertain": (
        _("some examples contain function calls, which newer models may reject."),
        _("You can continue; the service decides when it reads the file."),
    ),
    # the line as JSON
    "not_utf8": (_("byte %(byte)s isn’t valid UTF-8."), _("Save the file as UTF-8.")),
    "line_too_long": (_("the line is longer than %(limit)s."), _("Shorten the conversation.")),
    "json": (_("invalid JSON (column %(column)s)."), REMOVE),
    "json_trailing_comma": (
        _("invalid JSON: trailing comma (column %(column)s)."),
        _("Remove the comma before the closing bracket."),
    ),
    "json_single_quote": (
        _("invalid JSON: single quotes (column %(column)s)."),
        _("Put names and strings in double quotes."),
    ),
    "json_extra": (
        _("the line has more than one JSON value (column %(column)s)."),
        _("Put each conversation on its own line."),
    ),
    "json_cut": (
        _("invalid JSON: the line ends too early (column %(column)s)."),
        _("Put the whole conversation on one line, and close all quotes and brackets."),
    ),
    "too_deep": (_("the JSON is nested too deeply."), REMOVE),
    "number_too_large": (_("a number is too large to read."), REMOVE),
    "carriage_returns": (
        _("lines end with carriage returns (CR) only, so the whole file is read as one line."),
        _("Save the file with LF line endings."),
    ),
    "not_a_number": (_("%(value)s isn’t a valid JSON number."), _("Use a number, or remove the field.")),
    "repeated_key": (_("“%(key)s” appears twice in the same object."), _("Keep only one of them.")),
    # the conversation
    "not_object": (
        _("the line must be an object, not %(kind)s."),
        _('Use one object per line: {"contents": […]}.'),
    ),
    "openai_messages": (_("uses OpenAI’s chat format (“messages” with “assistant”)."), CONVERT),
    "legacy_messages": (_("uses the older “messages” format."), CONVERT),
    "legacy_text_pairs": (_("uses the older “input_text” and “output_text” format."), CONVERT),
    "prompt_completion": (_("uses the “prompt” and “completion” format."), CONVERT),
    "unknown_field": (
        _("unknown field “%(key)s” will be ignored."),
        _("You can continue, or remove the field."),
    ),
    "contents_missing": (_("“contents” is missing."), _("Add the conversation as a “contents” list.")),
    "contents_not_list": (_("“contents” must be a list, not %(kind)s."), _("Put the turns in a list.")),
    "contents_empty": (_("“contents” is empty."), _("Add a prompt and its answer, or remove the line.")),
    "instruction_shape": (
        _("“systemInstruction” must be an object with “parts”."),
        _('Use {"parts": [{"text": "…"}]}.'),
    ),
    "instruction_twice": (
        _("both “systemInstruction” and “system_instruction” are present."),
        _("Keep only “systemInstruction”."),
    ),
    "instruction_empty": (_("the system instruction is empty."), _("Add one, or remove the field.")),
    "turn_not_object": (
        _("%(field)s must be an object, not %(kind)s."),
        _('Use {"role": "user", "parts": [{"text": "…"}]}.'),
    ),
    "role_missing": (_("%(field)s is missing."), _("Use “user” or “model”.")),
    "role_assistant": (_("%(field)s is “assistant”."), _("Use “model” for the model’s turns.")),
    "role_system": (_("%(field)s is “system”."), _("Move the text to “systemInstruction”.")),
    "role_unknown": (_("%(field)s is “%(role)s”."), _("Use “user” or “model”.")),
    "parts_empty": (_("%(field)s is empty."), _("Add a text part, or remove the line.")),
    "parts_not_list": (_("%(field)s must be a list, not %(kind)s."), _('Use [{"text": "…"}].')),
    "part_not_object": (_("%(field)s must be an object, not %(kind)s."), _('Use {"text": "…"}.')),
    "part_unknown": (
        _("%(field)s has neither text nor a file (%(keys)s)."),
        _('Use {"text": "…"}.'),
    ),
    "text_not_text": (_("%(field)s must be text, not %(kind)s."), _("Put the value in double quotes.")),
    "text_empty": (
        _("%(field)s is empty, so there’s nothing to learn from."),
        _("Add text, or remove the line."),
    ),
    "lone_surrogate": (_("%(field)s contains an incomplete character (\\ud800…)."), REMOVE),
    "nul_character": (
        _("%(field)s contains a NUL character (\\u0000)."),
        _("Remove the character. You can continue, but the service may reject or replace it."),
    ),
    "file_uri": (
        _("%(field)s isn’t a valid file URI (%(uri)s)."),
        _("Use a gs:// or https:// URI."),
    ),
    "first_not_user": (_("the first turn is from the model."), _("Start with a user turn.")),
    "role_twice": (
        _("two consecutive “%(role)s” turns (%(field)s)."),
        _("Merge them, or add the missing turn between them."),
    ),
    "last_not_model": (
        _("the last turn is from the user, so there’s no answer to learn from."),
        _("Add the model’s answer, or remove the line."),
    ),
    "example_too_long": (
        _("about %(tokens)s tokens; the limit for this model is %(limit)s per example."),
        _("You can continue, but anything over the limit may be left out of tuning."),
    ),
    "duplicate": (
        _("duplicate of line %(first)s."),
        _("You can continue, or remove the line."),
    ),
    "prompt_conflict": (
        _("same prompt as line %(first)s, but a different answer."),
        _("Keep one of the two answers, unless both are correct."),
    ),
}
KINDS: dict[str, str | Promise] = {
    "list": _("a list"),
    "object": _("an object"),
    "text": _("text"),
    "number": _("a number"),
    "boolean": _("a boolean"),
    "null": _("null"),
}
BYTES = {"file_too_big": ("size", "limit"), "line_too_long": ("limit",)}


@dataclass(frozen=True, slots=True)
class ProblemMessage:
    what: str
    cure: str


def describe_problem(problem: Problem) -> ProblemMessage:
    what, cure = SENTENCES[problem.code]
    filled = format_params(problem)
    return ProblemMessage(str(what) % filled, str(cure) % filled if "%(" in str(cure) else str(cure))


def format_params(problem: Problem) -> dict[str, Any]:
    """Return the parameters as text: sizes with units, numbers with grouped digits, kinds in words."""
    sizes = BYTES.get(problem.code, ())
    values: dict[str, Any] = {"field": problem.field}
    for key, value in problem.params.items():
        if key in sizes:
            values[key] = format_size(value)
        elif isinstance(value, int):
            values[key] = format_count(value)
        else:
            values[key] = str(KINDS.get(value, value)) if key == "kind" else value
    return values
