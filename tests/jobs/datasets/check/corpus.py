"""Tuning files as people really bring them, broken and odd: 26 by their bytes and 14 by their meaning.

`python -m tests.jobs.datasets.check.corpus` checks all of them and prints by how many MB the process grew.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

Chunks = Iterable[bytes]
Expected = tuple[str, int, str]
"""The code of a problem, its line and its field."""

SHORT_LINES = 1_000_000


def example(asked: Any = "How do I top up?", answer: Any = "top_up", **more: Any) -> bytes:
    contents = [turn("user", asked), turn("model", answer)]
    return json.dumps({"contents": contents, **more}, ensure_ascii=False).encode()


def turn(role: Any, text: Any) -> dict[str, Any]:
    return {"role": role, "parts": [{"text": text}]}


def conversation_line(*turns: Any) -> bytes:
    return json.dumps({"contents": turns}).encode()


FINE, OTHER = example(), example("Where is my card?", "card_arrival")
BROKEN_TEXT = example().replace(b"top up", b"caf\xe9")


def long_line() -> Iterator[bytes]:
    yield FINE + b'\n{"contents": [{"role": "user", "parts": [{"text": "'
    for _ in range(100):
        yield b"x" * 10**6
    yield b'"}]}]}\n' + OTHER


def short_lines(count: int = SHORT_LINES) -> Iterator[bytes]:
    for start in range(0, count, 1000):
        yield b"".join(b"%b\n" % FINE.replace(b"top up", b"%d" % n) for n in range(start, start + 1000))


def deeply_nested(depth: int) -> list[bytes]:
    return [FINE + b'\n{"contents": ' + b"[" * depth + b"]" * depth + b"}"]


BYTES: dict[str, tuple[Callable[[], Chunks], list[Expected], int]] = {
    "empty": (list, [("empty", 0, "")], 0),
    "only newlines": (lambda: [b"\n\n\r\n"], [("empty", 0, "")], 0),
    "byte order mark": (lambda: [b"\xef\xbb\xbf" + FINE], [("bom", 1, "")], 1),
    "UTF-16 LE": (lambda: [FINE.decode().encode("utf-16-le")], [("utf16", 0, "")], 0),
    "UTF-16 BE": (lambda: [b"\xfe\xff" + FINE.decode().encode("utf-16-be")], [("utf16", 0, "")], 0),
    "Latin-1": (lambda: [FINE + b"\n" + BROKEN_TEXT], [("not_utf8", 2, "")], 1),
    "overlong UTF-8": (lambda: [FINE.replace(b"top up", b"\xc0\xaf")], [("not_utf8", 1, "")], 0),
    "cut character": (lambda: [FINE.replace(b"top up", b"\xe3\x81")], [("not_utf8", 1, "")], 0),
    "NUL": (lambda: [FINE + b"\n" + OTHER.replace(b"card?", b"\x00")], [("json", 2, "")], 1),
    "CRLF": (lambda: [FINE + b"\r\n" + OTHER + b"\r\n"], [], 2),
    "CR only": (lambda: [FINE + b"\r" + OTHER + b"\r"], [("carriage_returns", 1, "")], 0),
    "no final newline": (lambda: [FINE + b"\n" + OTHER], [], 2),
    "U+2028 in a text": (lambda: [example("a\u2028b") + b"\n"], [], 1),
    "U+0085 in a text": (lambda: [example("a\u0085b") + b"\n"], [], 1),
    "lone surrogate": (
        lambda: [FINE + b"\n" + example("x").replace(b'"x"', b'"\\ud800"')],
        [("lone_surrogate", 2, "contents[0].parts[0].text")],
        1,
    ),
    "line of 100 MB": (long_line, [("line_too_long", 2, "")], 2),
    "a million short lines": (short_lines, [], SHORT_LINES),
    "depth 5,000": (lambda: deeply_nested(5000), [("too_deep", 2, "")], 1),
    "depth 100,000": (lambda: deeply_nested(100_000), [("too_deep", 2, "")], 1),
    "integer of 5,000 digits": (
        lambda: [FINE + b'\n{"contents": ' + b"1" * 5000 + b"}"],
        [("number_too_large", 2, "")],
        1,
    ),
    "NaN": (lambda: [FINE + b'\n{"contents": NaN}'], [("not_a_number", 2, "")], 1),
    "Infinity": (lambda: [FINE + b'\n{"contents": Infinity}'], [("not_a_number", 2, "")], 1),
    "1e999": (lambda: [FINE + b'\n{"contents": 1e999}'], [("number_too_large", 2, "")], 1),
    "repeated keys": (
        lambda: [FINE + b"\n" + OTHER.replace(b'{"role": "user"', b'{"role": "x", "role": "user"')],
        [("repeated_key", 2, "role")],
        1,
    ),
    "trailing comma": (lambda: [FINE + b"\n" + OTHER[:-1] + b",}"], [("json_trailing_comma", 2, "")], 1),
    "gzip with another name": (lambda: [b"\x1f\x8b\x08\x00" + bytes(40)], [("binary", 0, "")], 0),
    "PNG with another name": (lambda: [b"\x89PNG\r\n\x1a\n" + bytes(40)], [("binary", 0, "")], 0),
}
MEANING: dict[str, tuple[Callable[[], Chunks], list[Expected], int]] = {
    "array at the top": (lambda: [FINE + b"\n[" + OTHER + b"]"], [("not_object", 2, "")], 1),
    "scalar line": (lambda: [FINE + b"\n3"], [("not_object", 2, "")], 1),
    "contents missing": (lambda: [FINE + b"\n{}"], [("contents_missing", 2, "contents")], 1),
    "contents empty": (lambda: [FINE + b"\n" + conversation_line()], [("contents_empty", 2, "contents")], 1),
    "wrong role": (
        lambda: [FINE + b"\n" + conversation_line(turn("user", "a"), turn("bot", "b"))],
        [("role_unknown", 2, "contents[1].role")],
        1,
    ),
    "two user turns": (
        lambda: [FINE + b"\n" + conversation_line(turn("user", "a"), turn("user", "b"), turn("model", "c"))],
        [("role_twice", 2, "contents[1].role")],
        1,
    ),
    "ends on the user": (
        lambda: [FINE + b"\n" + conversation_line(turn("user", "a"), turn("model", "b"), turn("user", "c"))],
        [("last_not_model", 2, "contents[2].role")],
        1,
    ),
    "parts empty": (
        lambda: [FINE + b"\n" + conversation_line({"role": "user", "parts": []}, turn("model", "b"))],
        [("parts_empty", 2, "contents[0].parts")],
        1,
    ),
    "text null": (
        lambda: [FINE + b"\n" + example(None)],
        [("text_not_text", 2, "contents[0].parts[0].text")],
        1,
    ),
    "text of 1 MB": (lambda: [FINE + b"\n" + example("x" * 2**20)], [], 2),
    "unknown field": (lambda: [FINE + b"\n" + example("a", weight=1)], [("unknown_field", 2, "weight")], 2),
    "snake_case and camelCase mixed": (
        lambda: [
            example("a", systemInstruction={"parts": [{"text": "x"}]})
            + b"\n"
            + example("b", system_instruction={"parts": [{"text": "x"}]})
            + b"\n"
            + example("c", system_instruction={"parts": []}, systemInstruction={"parts": [{"text": "x"}]})
        ],
        [("instruction_twice", 3, "system_instruction")],
        2,
    ),
    "a file:// address": (
        lambda: [
            FINE
            + b"\n"
            + conversation_line(
                {
                    "role": "user",
                    "parts": [{"fileData": {"mimeType": "text/plain", "fileUri": "file:///etc/passwd"}}],
                },
                turn("model", "b"),
            )
        ],
        [("file_uri", 2, "contents[0].parts[0].fileData.fileUri")],
        1,
    ),
    "HTML and script in a text": (lambda: [example("<script>alert(1)</script>", "<b>no</b>")], [], 1),
}
CASES = BYTES | MEANING


def measure_memory_growth(left_out: str = "") -> float:
    """MB by which this process grew over all cases but the one left out."""
    from jobs.datasets.check.checker import check_file

    check_file([FINE])
    before = read_peak_memory()
    for case, (chunks, _expected, _examples) in CASES.items():
        if case != left_out:
            check_file(chunks())
    return read_peak_memory() - before


def read_peak_memory() -> float:
    """MB; getrusage would tell of the process that this one was forked from."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


if __name__ == "__main__":
    print(measure_memory_growth(*sys.argv[1:]))
