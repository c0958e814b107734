"""Every fault of a tuning file is named by line, field and cure; no file breaks the check."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.utils import translation

from jobs.datasets.check.checker import MAX_PROBLEMS_PER_CODE, check_file, iter_problems
from jobs.datasets.check.lines import LINE_LIMIT
from jobs.datasets.check.messages import SENTENCES, describe_problem
from jobs.datasets.check.model_limits import check_model_limits
from jobs.datasets.check.report import Report
from studio.formats import format_size
from studio.vertex.catalog import find_model

GOOD = {
    "contents": [
        {"role": "user", "parts": [{"text": "How do I top up?"}]},
        {"role": "model", "parts": [{"text": "top_up"}]},
    ]
}
USER, MODEL = GOOD["contents"]


def line(**changes: Any) -> bytes:
    return json.dumps({**GOOD, **changes}).encode()


def turns(*pairs: tuple[Any, Any]) -> bytes:
    return line(contents=[{"role": role, "parts": parts} for role, parts in pairs])


def role_and_text(role: Any, text: Any) -> tuple[Any, Any]:
    return (role, [{"text": text}])


FINE = line()
CASES: dict[str, tuple[bytes, str, str, int]] = {
    "empty": (b"", "empty", "", 0),
    "newlines": (b"\n\n\n", "empty", "", 0),
    "utf-16 le": (FINE.decode().encode("utf-16"), "utf16", "", 0),
    "utf-16 be": (b"\xfe\xff" + FINE.decode().encode("utf-16-be"), "utf16", "", 0),
    "latin-1": (FINE + b"\n" + line().replace(b"top up", b"caf\xe9"), "not_utf8", "", 2),
    "overlong": (FINE + b"\n\xc0\xaf", "not_utf8", "", 2),
    "cut character": (FINE + b'\n"\xe3\x81', "not_utf8", "", 2),
    "nul": (FINE + b"\n{\x00}", "json", "", 2),
    "carriage returns only": (FINE + b"\r" + FINE, "carriage_returns", "", 1),
    "two values": (FINE + FINE, "json_extra", "", 1),
    "gzip": (b"\x1f\x8b\x08\x00", "binary", "", 0),
    "png": (b"\x89PNG\r\n\x1a\n\x00", "binary", "", 0),
    "long line": (b'{"a":"' + b"x" * LINE_LIMIT + b'"}\n' + FINE, "line_too_long", "", 1),
    "deep": (b"[" * 100_000, "too_deep", "", 1),
    "long integer": (b'{"a": ' + b"1" * 5000 + b"}", "number_too_large", "", 1),
    "long number": (b'{"a": 1e999}', "number_too_large", "", 1),
    "nan": (b'{"a": NaN}', "not_a_number", "", 1),
    "infinity": (b'{"a": -Infinity}', "not_a_number", "", 1),
    "repeated key": (b'{"contents": [], "contents": []}', "repeated_key", "contents", 1),
    "trailing comma": (FINE + b'\n{"contents": [],}', "json_trailing_comma", "", 2),
    "single quotes": (b"{'contents': []}", "json_single_quote", "", 1),
    "cut line": (FINE[:-3], "json_cut", "", 1),
    "array": (b"[" + FINE + b"]", "not_object", "", 1),
    "scalar": (b"3", "not_object", "", 1),
    "openai": (b'{"messages": [{"role": "assistant", "content": "x"}]}', "openai_messages", "", 1),
    "legacy": (b'{"messages": [{"role": "model", "content": "x"}]}', "legacy_messages", "", 1),
    "text pairs": (b'{"input_text": "a", "output_text": "b"}', "legacy_text_pairs", "", 1),
    "completion": (b'{"prompt": "a", "completion": "b"}', "prompt_completion", "", 1),
    "contents missing": (b"{}", "contents_missing", "contents", 1),
    "contents an object": (line(contents=USER), "contents_not_list", "contents", 1),
    "contents empty": (line(contents=[]), "contents_empty", "contents", 1),
    "turn a text": (line(contents=["hi", MODEL]), "turn_not_object", "contents[0]", 1),
    "role missing": (
        turns((None, [{"text": "a"}]), role_and_text("model", "b")),
        "role_missing",
        "contents[0].role",
        1,
    ),
    "assistant": (
        turns(role_and_text("user", "a"), role_and_text("assistant", "b")),
        "role_assistant",
        "contents[1].role",
        1,
    ),
    "system": (
        turns(role_and_text("system", "a"), role_and_text("model", "b")),
        "role_system",
        "contents[0].role",
        1,
    ),
    "wrong role": (
        turns(role_and_text("user", "a"), role_and_text("bot", "b")),
        "role_unknown",
        "contents[1].role",
        1,
    ),
    "model first": (turns(role_and_text("model", "a")), "first_not_user", "contents[0].role", 1),
    "two users": (
        turns(role_and_text("user", "a"), role_and_text("user", "b"), role_and_text("model", "c")),
        "role_twice",
        "contents[1].role",
        1,
    ),
    "ends on user": (turns(role_and_text("user", "a")), "last_not_model", "contents[0].role", 1),
    "no parts": (turns(("user", []), role_and_text("model", "b")), "parts_empty", "contents[0].parts", 1),
    "part a text": (
        turns(("user", ["a"]), role_and_text("model", "b")),
        "part_not_object",
        "contents[0].parts[0]",
        1,
    ),
    "part unknown": (
        turns(("user", [{"txt": 1}]), role_and_text("model", "b")),
        "part_unknown",
        "contents[0].parts[0]",
        1,
    ),
    "text null": (
        turns(role_and_text("user", None), role_and_text("model", "b")),
        "text_not_text",
        "contents[0].parts[0].text",
        1,
    ),
    "text blank": (
        turns(role_and_text("user", "a"), role_and_text("model", " ")),
        "text_empty",
        "contents[1].parts[0].text",
        1,
    ),
    "surrogate": (
        turns(role_and_text("user", "\ud800"), role_and_text("model", "b")),
        "lone_surrogate",
        "contents[0].parts[0].text",
        1,
    ),
    "surrogate elsewhere": (line(labels=["\ud800"]), "lone_surrogate", "labels[0]", 1),
    "surrogate in a key": (line(**{"\ud800": 1}), "lone_surrogate", "\ufffd", 1),
    "parts an object": (
        turns(("user", {"text": "a"}), role_and_text("model", "b")),
        "parts_not_list",
        "contents[0].parts",
        1,
    ),
    "two instructions": (
        line(systemInstruction={"parts": [{"text": "x"}]}, system_instruction={"parts": [{"text": "y"}]}),
        "instruction_twice",
        "system_instruction",
        1,
    ),
    "file uri": (
        turns(("user", [{"fileData": {"fileUri": "file:///etc/passwd"}}]), role_and_text("model", "b")),
        "file_uri",
        "contents[0].parts[0].fileData.fileUri",
        1,
    ),
    "instruction a text": (line(systemInstruction="Be kind."), "instruction_shape", "systemInstruction", 1),
    "instruction empty": (line(systemInstruction={"parts": []}), "instruction_empty", "systemInstruction", 1),
}


@pytest.mark.parametrize(("content", "code", "field", "number"), CASES.values(), ids=CASES.keys())
def test_error_has_line_field_and_fix(content: bytes, code: str, field: str, number: int) -> None:
    report = check_file([content])
    problem = next(problem for problem in report.problems if problem.code == code)
    assert (problem.line, problem.field, problem.severity) == (number, field, "error")
    told = describe_problem(problem)
    assert told.what and told.cure and "%(" not in told.what
    assert not report.ok


WARNINGS = {
    "unknown field": (line(weight=1), "unknown_field", "weight", 1),
    "weight of a turn": (
        line(contents=[{**USER, "weight": 0}, MODEL]),
        "unknown_field",
        "contents[0].weight",
        1,
    ),
    "more in a part": (
        turns(("user", [{"text": "a", "x": 1}]), role_and_text("model", "b")),
        "unknown_field",
        "contents[0].parts[0].x",
        1,
    ),
    "byte order mark": (b"\xef\xbb\xbf" + FINE, "bom", "", 1),
    "NUL": (
        FINE + b"\n" + turns(role_and_text("user", "a"), role_and_text("model", "b\0c")),
        "nul_character",
        "contents[1].parts[0].text",
        2,
    ),
    "NUL in a call": (
        turns(("user", [{"functionCall": {"args": ["\0"]}}]), role_and_text("model", "b")),
        "nul_character",
        "contents[0].parts[0].functionCall.args[0]",
        1,
    ),
    "duplicate": (FINE + b"\n\n" + FINE, "duplicate", "", 3),
    "another answer": (
        FINE + b"\n" + line(contents=[USER, {"role": "model", "parts": [{"text": "no"}]}]),
        "prompt_conflict",
        "",
        2,
    ),
}


@pytest.mark.parametrize(("content", "code", "field", "number"), WARNINGS.values(), ids=WARNINGS.keys())
def test_warning_does_not_block_the_file(content: bytes, code: str, field: str, number: int) -> None:
    report = check_file([content])
    (problem,) = report.problems
    assert (problem.code, problem.severity, problem.field, problem.line) == (code, "warning", field, number)
    assert report.ok
    assert describe_problem(problem).cure and "%(" not in describe_problem(problem).what


@pytest.mark.parametrize("name", ["train.jsonl.txt", "Train.JSONL.json"])
def test_name_with_an_extra_suffix_warns(name: str) -> None:
    report = check_file([FINE], name=name)
    (problem,) = report.problems
    assert (problem.code, problem.severity, problem.field, problem.line) == (
        "name_ending",
        "warning",
        "name",
        0,
    )
    assert f"Rename it to {name[:11]}." in describe_problem(problem).cure


@pytest.mark.parametrize("name", ["", "train.jsonl", "train.json", "a.jsonl.d/train.jsonl"])
def test_correct_name_has_no_warning(name: str) -> None:
    assert not check_file([FINE], name=name).problems


def example_line(question: str, answer: str) -> bytes:
    return turns(role_and_text("user", question), role_and_text("model", answer))


def test_duplicate_names_the_first_line() -> None:
    lines = [
        example_line(*pair)
        for pair in (("a", "1"), ("b", "1"), ("a", "2"), ("a", "2"), ("a", "1"), ("a", "3"))
    ]
    filler = [line(contents=[{"role": "user", "parts": [{"text": f"{n}"}]}, MODEL]) for n in range(9)]
    report = check_file([b"\n".join([*filler, *lines])])
    found = {(problem.code, problem.line - 9, problem.params["first"] - 9) for problem in report.problems}
    assert found == {
        ("prompt_conflict", 3, 1),
        ("duplicate", 4, 3),
        ("duplicate", 5, 1),
        ("prompt_conflict", 6, 1),
    }
    assert report.duplicates == 2


def test_same_example_in_another_json_spelling_is_a_duplicate() -> None:
    spaced = json.dumps(GOOD, separators=(" , ", " : ")).encode()
    escaped = FINE.replace(b"How it was created", b"\\u0048ow")
    assert check_file([b"\n".join([FINE, spaced, escaped])]).duplicates == 2


def test_convertible_lines_are_counted() -> None:
    chat = b'{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}'
    broken = b'{"messages": [{"role": "assistant", "content": "b"}]}'
    report = check_file([b"\n".join([chat, chat, broken, FINE])])
    assert report.convertible == {"openai_messages": 2} and report.counts["openai_messages"] == 3


@pytest.mark.parametrize(
    "content",
    [
        FINE,
        FINE + b"\r\n" + line(systemInstruction={"parts": [{"text": "x"}]}) + b"\r\n",
        line(system_instruction={"parts": [{"text": "x"}]}),
        turns(
            role_and_text("USER", "a"),
            role_and_text("model", "b"),
            role_and_text("user", "c"),
            role_and_text("model", "d"),
        ),
        turns(role_and_text("user", "a\u2028b\u0085c\fd"), role_and_text("model", "b")),
        turns(role_and_text("user", "<script>alert(1)</script>"), role_and_text("model", "b")),
        b"\n" + FINE + b"\n\n",
    ],
)
def test_valid_lines_are_accepted(content: bytes) -> None:
    report = check_file([content])
    assert not report.problems and report.examples >= 1


def test_every_code_has_a_case() -> None:
    judged = {
        "name_ending",
        "file_too_big",
        "training_too_many",
        "validation_too_many",
        "very_few",
        "few",
    } | {
        "files_unsupported",
        "functions_uncertain",
        "example_too_long",
    }
    tried = {code for _content, code, *_rest in [*CASES.values(), *WARNINGS.values()]}
    assert tried | judged == SENTENCES.keys()


def test_report_has_tokens_turns_and_samples() -> None:
    report = check_file([b"\n".join(line(n=n) if n % 2 else FINE for n in range(20))])
    assert (report.lines, report.examples, report.duplicates) == (20, 20, 9)
    size = -(-len("How do I top up?top_up") // 4)
    assert (report.tokens.count, report.tokens.total, report.tokens.median) == (20, 20 * size, size)
    assert (report.turns.minimum, report.turns.maximum, report.turns.buckets) == (2, 2, [(2, 3, 20)])
    assert report.samples[0].messages[0].text == "How do I top up?"
    assert report.longest[0] == (1, size)


def test_all_problems_are_counted_and_the_first_of_each_code_are_kept() -> None:
    content = b"\n".join([line(weight=n) for n in range(300)] + [b"{}"] * 300)
    report = check_file([content])
    assert (report.warnings, report.errors) == (300, 300)
    assert [problem.line for problem in report.problems] == [*range(1, 21), *range(301, 321)]
    assert MAX_PROBLEMS_PER_CODE == 20
    assert [problem.line for problem in iter_problems([content])] == [*range(1, 601)]


def test_excerpt_marks_the_fault() -> None:
    before, fault, after = check_file([b'{"contents": [1,]}']).problems[0].excerpt
    assert (before, fault, after) == ('{"contents": [1', ",", "]}")


def test_report_survives_json_round_trip() -> None:
    report = check_file([FINE + b"\n{}\n" + line(weight=1)])
    assert Report.from_json(json.loads(json.dumps(report.to_json()))) == report
    assert Report.from_json({}) == Report()


def test_size_of_a_binary_file_is_complete() -> None:
    assert check_file([b"\x00\x00\n", b"\x00" * 7]).bytes == 10


TINY, FLASH = find_model("studio-tiny", "engine"), find_model("gemini-2.5-flash", "google")
assert TINY and FLASH


@pytest.mark.parametrize(
    ("report", "model", "purpose", "codes"),
    [
        (Report(examples=3), FLASH, "training", ["very_few"]),
        (Report(examples=60), FLASH, "training", ["few"]),
        (Report(examples=480), FLASH, "training", []),
        (Report(examples=3), FLASH, "validation", []),
        (Report(examples=5001), FLASH, "validation", ["validation_too_many"]),
        (Report(examples=10_000_001), FLASH, "training", ["training_too_many"]),
        (Report(examples=480, bytes=2_000_000_000), FLASH, "training", ["file_too_big"]),
        (Report(examples=480, longest=[(7, 2000), (3, 1025)]), TINY, "training", ["example_too_long"] * 2),
        (Report(examples=480, longest=[(7, 2000), (3, 1024)]), TINY, "training", ["example_too_long"]),
        (Report(examples=480, longest=[(7, 9000)]), FLASH, "training", []),
        (Report(examples=480, modalities=["file", "text"]), TINY, "training", ["files_unsupported"]),
        (Report(examples=480, modalities=["file", "text"]), FLASH, "training", []),
        (Report(examples=480, modalities=["function"]), FLASH, "training", ["functions_uncertain"]),
    ],
)
def test_model_limits(report: Report, model: Any, purpose: Any, codes: list[str]) -> None:
    judged = check_model_limits(report, model, purpose)
    assert [problem.code for problem in judged] == codes
    assert all("%(" not in describe_problem(problem).what for problem in judged)


def test_model_limit_problem_names_line_field_and_calibrated_tokens() -> None:
    place = (9, "contents[0].parts[1]")
    report = Report(examples=480, longest=[(7, 2000)], modalities=["file"], where={"file": place})
    found = {problem.code: problem for problem in check_model_limits(report, TINY, "training", ratio=0.6)}
    assert (found["example_too_long"].line, found["example_too_long"].params["tokens"]) == (7, 1200)
    assert (found["files_unsupported"].line, found["files_unsupported"].field) == place


def test_report_of_an_older_version_loads() -> None:
    kept = {"lines": 9, "examples": 4, "characters": 400, "longest": 200, "longest_line": 3, "duplicates": 1}
    report = Report.from_json({**kept, "lengths": {"40": 2, "120": 1, "200": 1}})
    assert (report.examples, report.tokens.count, report.tokens.total) == (4, 4, 100)
    assert (report.tokens.minimum, report.tokens.median, report.tokens.maximum) == (10, 30, 50)
    assert report.longest == [(3, 50)] and sum(count for *_edges, count in report.tokens.buckets) == 4
    assert Report.from_json(json.loads(json.dumps(report.to_json()))) == report


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (2_900_000, "2.9 MB"),
        (38_957, "39 kB"),
        (1_000_000_000, "1 GB"),
        (5 * 10**12, "5000 GB"),
    ],
)
def test_sizes_in_units(size: int, text: str) -> None:
    assert format_size(size).replace("\N{NO-BREAK SPACE}", " ") == text


def test_a_nul_is_found_among_many_lines_and_told_with_what_to_do() -> None:
    """Lines that are written alike are counted fast; one with a NUL is not one of them."""
    lines = [line(contents=[role_turn("user", f"question {n}"), MODEL]) for n in range(5000)]
    bad = line(contents=[role_turn("user", "question\0"), role_turn("model", "an \\u0000 in letters")])
    report = check_file([b"\n".join([*lines, bad, *lines[:10]])])
    nul = next(problem for problem in report.problems if problem.code == "nul_character")
    assert (nul.line, nul.field, report.counts["nul_character"]) == (5001, "contents[0].parts[0].text", 1)
    assert report.examples == 5011 and report.ok
    told = describe_problem(nul)
    assert told.what == "contents[0].parts[0].text contains a NUL character (\\u0000)."
    assert told.cure.startswith("Remove the character.")
    with translation.override("ja"):
        assert describe_problem(nul).what != told.what


def role_turn(role: str, text: str) -> dict[str, Any]:
    return {"role": role, "parts": [{"text": text}]}
