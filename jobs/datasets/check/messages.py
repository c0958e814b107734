"""The sentences of a dataset check: what is wrong, and the cure, by code. The one place that has them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from jobs.datasets.check.report import Problem
from studio.formats import format_count, format_size

REMOVE = _("Correct or remove the line.")
CONVERT = _(
    "Download the cleaned file, in which such lines are converted, or write "
    '{"contents": [{"role": "user", …}, {"role": "model", …}]}.'
)
SENTENCES: dict[str, tuple[str | Promise, str | Promise]] = {
    # the file
    "empty": (
        _("the file holds no examples."),
        _("Choose a file with one conversation per line."),
    ),
    "utf16": (_("the file is UTF-16, not UTF-8."), _("Save it again with the encoding UTF-8.")),
    "binary": (
        _("this is a %(kind)s file, not JSONL."),
        _("Unpack or export it, then choose the .jsonl file."),
    ),
    "bom": (
        _("the file begins with a byte order mark, which is skipped."),
        _("You may go on, or save it as UTF-8 without the mark."),
    ),
    "name_ending": (
        _("the file is called %(name)s, which does not end in .jsonl."),
        _("Rename it to %(right)s; its content stays as it is."),
    ),
    "file_too_big": (
        _("the file has %(size)s; this model takes %(limit)s."),
        _("Leave out examples, or split the file."),
    ),
    "training_too_many": (
        _("there are %(count)s examples; this model takes %(limit)s."),
        _("Leave out examples."),
    ),
    "validation_too_many": (
        _("there are %(count)s validation examples; this model takes %(limit)s."),
        _("Leave out examples: a few hundred are enough for a curve."),
    ),
    "very_few": (
        _("there are only %(count)s examples; some models refuse fewer than %(fewest)s."),
        _("Add examples; 100 are a good start."),
    ),
    "few": (
        _("there are only %(count)s examples; %(recommended)s are a good start."),
        _("You may go on. More examples usually help more than any setting."),
    ),
    "files_unsupported": (
        _("some examples hold files, and %(model)s takes only text."),
        _("Choose another base model, or leave these examples out."),
    ),
    "functions_uncertain": (
        _("some examples hold function calls, which newer models may refuse."),
        _("You may go on; the service decides when it reads the file."),
    ),
    # the line as JSON
    "not_utf8": (_("byte %(byte)s is not UTF-8."), _("Save the file again with the encoding UTF-8.")),
    "line_too_long": (_("the line is longer than %(limit)s."), _("Shorten the conversation.")),
    "json": (_("this is not JSON from column %(column)s on."), REMOVE),
    "json_trailing_comma": (
        _("this is not JSON: a comma follows the last item (column %(column)s)."),
        _("Remove the comma before the bracket."),
    ),
    "json_single_quote": (
        _("this is not JSON: single quotes (column %(column)s)."),
        _("Write double quotes around names and texts."),
    ),
    "json_extra": (
        _("there is more than one value on the line (column %(column)s)."),
        _("Put each conversation on a line of its own."),
    ),
    "json_cut": (
        _("this is not JSON: the line ends too early (column %(column)s)."),
        _("Put the whole conversation on one line, and close its quotes and brackets."),
    ),
    "too_deep": (_("the brackets are nested too deeply."), REMOVE),
    "number_too_large": (_("a number is too large to be read."), REMOVE),
    "carriage_returns": (
        _("the lines end in carriage returns alone, so all of them are one."),
        _("Save the file with line feeds (LF) as line ends."),
    ),
    "not_a_number": (_("%(value)s is not a JSON number."), _("Write a number, or leave the field out.")),
    "repeated_key": (_("“%(key)s” stands twice in one object."), _("Keep one of the two.")),
    # the conversation
    "not_object": (
        _("the line is a %(kind)s, not an object."),
        _('Write one object per line: {"contents": […]}.'),
    ),
    "openai_messages": (_("this is OpenAI’s format (“messages” with “assistant”)."), CONVERT),
    "legacy_messages": (_("this is the older “messages” format."), CONVERT),
    "legacy_text_pairs": (_("this is the older “input_text” and “output_text” format."), CONVERT),
    "prompt_completion": (_("this is the “prompt” and “completion” format."), CONVERT),
    "unknown_field": (
        _("the field “%(key)s” is not known and will not be used."),
        _("You may go on, or remove it."),
    ),
    "contents_missing": (_("“contents” is missing."), _("Add the conversation as a list “contents”.")),
    "contents_not_list": (_("“contents” is a %(kind)s, not a list."), _("Put the turns into a list.")),
    "contents_empty": (_("“contents” is empty."), _("Add a question and its answer, or remove the line.")),
    "instruction_shape": (
        _("“systemInstruction” is not an object with parts."),
        _('Write {"parts": [{"text": "…"}]}.'),
    ),
    "instruction_twice": (
        _("there are both “systemInstruction” and “system_instruction”."),
        _("Keep “systemInstruction” alone."),
    ),
    "instruction_empty": (_("the system instruction is empty."), _("Write one, or leave the field out.")),
    "turn_not_object": (
        _("%(field)s is a %(kind)s, not an object."),
        _('Write {"role": "user", "parts": [{"text": "…"}]}.'),
    ),
    "role_missing": (_("%(field)s is missing."), _("Write “user” or “model”.")),
    "role_assistant": (_("%(field)s is “assistant”."), _("Write “model” for the model’s turns.")),
    "role_system": (_("%(field)s is “system”."), _("Move the text to “systemInstruction”.")),
    "role_unknown": (_("%(field)s is “%(role)s”."), _("Write “user” or “model”.")),
    "parts_empty": (_("%(field)s has no parts."), _("Add a part with text, or remove the line.")),
    "parts_not_list": (_("%(field)s is a %(kind)s, not a list."), _('Write [{"text": "…"}].')),
    "part_not_object": (_("%(field)s is a %(kind)s, not an object."), _('Write {"text": "…"}.')),
    "part_unknown": (
        _("%(field)s holds neither text nor a file (%(keys)s)."),
        _('Write {"text": "…"}.'),
    ),
    "text_not_text": (_("%(field)s is a %(kind)s, not text."), _("Put the value in double quotes.")),
    "text_empty": (
        _("%(field)s is empty, so there is nothing to learn."),
        _("Add the text, or remove the line."),
    ),
    "lone_surrogate": (_("%(field)s holds half a character (\\ud800…)."), REMOVE),
    "file_uri": (
        _("%(field)s is not the address of a file (%(uri)s)."),
        _("Write a gs:// or https:// address."),
    ),
    "first_not_user": (_("the first turn is from the model."), _("Begin with a user’s turn.")),
    "role_twice": (
        _("two turns of “%(role)s” follow each other (%(field)s)."),
        _("Join them, or add the turn between them."),
    ),
    "last_not_model": (
        _("the last turn is from the user, so there is nothing to learn."),
        _("Add the model’s answer, or remove the line."),
    ),
    "example_too_long": (
        _("about %(tokens)s tokens; this model reads %(limit)s per example."),
        _("You may go on; what is too long may be left out of the run."),
    ),
    "duplicate": (
        _("this example stands in the file before, in line %(first)s."),
        _("You may go on, or remove the line."),
    ),
    "prompt_conflict": (
        _("the same question has another answer in line %(first)s."),
        _("Keep one of the two answers, unless both are right."),
    ),
}
KINDS: dict[str, str | Promise] = {
    "list": _("list"),
    "object": _("object"),
    "text": _("text"),
    "number": _("number"),
    "boolean": _("true or false"),
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
    """The parameters as a person reads them: sizes in units, numbers grouped, kinds in words."""
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
