"""The first check of a tuning file: one pass over its bytes, in bounded memory, to line and field (pure).

https://cloud.google.com/vertex-ai/generative-ai/docs/models/gemini-supervised-tuning-prepare
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from jobs.datasets.conversation import Conversation, problems_of
from jobs.datasets.finding import Finding
from jobs.datasets.parse import Unreadable, parse
from jobs.datasets.report import Message, Problem, Report, Sample

LINE_LIMIT = 2**20
PROBLEMS_KEPT = 100
SAMPLES_KEPT = 5
SAMPLE_TEXT = 600
EXCERPT = 60
REMEMBERED = 500_000
"""Lines remembered to find duplicates; later ones are compared with these only."""
BINARY = {b"\x1f\x8b": "gzip", b"\x89PNG": "png", b"PK\x03\x04": "zip", b"%PDF": "pdf"}
UTF16 = (b"\xff\xfe", b"\xfe\xff")
BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Line:
    """`content` is cut where `too_long`."""

    number: int
    content: bytes
    too_long: bool = False


def check(chunks: Iterable[bytes]) -> Report:
    """`chunks` are the file's bytes in order, cut anywhere."""
    report, seen = Report(), set[bytes]()
    source = counted(chunks, report)
    for line in lines(source):
        report.lines = line.number
        if line.number == 1 and (trouble := not_text(line.content)):
            note(report, 0, trouble)
            break
        if line.content.strip(b" \t\r"):
            check_line(report, line, seen)
    for _ in source:  # the rest of what is no text, for its size
        pass
    if not report.lines or not (report.examples or report.errors):
        note(report, 0, Finding("error", "", "empty"))
    report.modalities.sort()
    return report


def counted(chunks: Iterable[bytes], report: Report) -> Iterator[bytes]:
    for chunk in chunks:
        report.bytes += len(chunk)
        yield chunk


def lines(chunks: Iterable[bytes]) -> Iterator[Line]:
    """Cut at newlines only: U+2028, form feeds and others may stand inside a text."""
    number, held, too_long = 1, bytearray(), False
    for chunk in chunks:
        *ended, rest = chunk.split(b"\n")
        for piece in ended:
            held += piece
            yield Line(number, bytes(held[:LINE_LIMIT]), too_long or len(held) > LINE_LIMIT)
            number, held, too_long = number + 1, bytearray(), False
        held += rest
        if len(held) > LINE_LIMIT:
            too_long = True
            del held[LINE_LIMIT:]
    if held or too_long:
        yield Line(number, bytes(held), too_long)


def not_text(start: bytes) -> Finding | None:
    """Why the file is no JSONL at all, told by its first bytes."""
    kind = next((name for magic, name in BINARY.items() if start.startswith(magic)), None)
    if kind:
        return Finding("error", "", "binary", {"kind": kind})
    return Finding("error", "", "utf16") if start.startswith(UTF16) or b"\x00" in start[:4] else None


def check_line(report: Report, line: Line, seen: set[bytes]) -> None:
    if line.too_long:
        note(report, line.number, Finding("error", "", "line_too_long", {"limit": LINE_LIMIT}))
        return
    content = line.content
    if line.number == 1 and content.startswith(BOM):
        note(report, 1, Finding("error", "", "bom"))
        content = content.removeprefix(BOM)
    try:
        value = parse(content)
    except Unreadable as trouble:
        note(report, line.number, trouble.finding, trouble.excerpt)
        return
    conversation = Conversation.of(value)
    found = list(problems_of(conversation))
    for finding in found:
        note(report, line.number, finding, head(content))
    if not any(finding.severity == "error" for finding in found):
        take(report, line.number, conversation)
        remember(report, line.number, content, seen)


def head(content: bytes) -> tuple[str, str, str]:
    text = content[: 8 * EXCERPT].decode("utf-8", "replace").replace("\x00", "\ufffd")
    return (text[: 2 * EXCERPT] + ("…" if len(text) > 2 * EXCERPT else ""), "", "")


def note(report: Report, line: int, finding: Finding, excerpt: tuple[str, str, str] = ("", "", "")) -> None:
    report.counts[finding.code] = report.counts.get(finding.code, 0) + 1
    if finding.severity == "error":
        report.errors += 1
    else:
        report.warnings += 1
    # Errors are what stops a run: they are kept even where warnings came first.
    kept = sum(problem.severity == finding.severity for problem in report.problems) < PROBLEMS_KEPT
    if kept:
        report.problems.append(
            Problem(line, finding.severity, finding.field, finding.code, finding.params, excerpt)
        )


def take(report: Report, number: int, conversation: Conversation) -> None:
    length = conversation.characters
    report.examples += 1
    report.characters += length
    rounded = int(float(f"{length:.2g}"))
    report.lengths[rounded] = report.lengths.get(rounded, 0) + 1
    if length > report.longest:
        report.longest, report.longest_line = length, number
    report.modalities = list({*report.modalities, *conversation.modalities})
    if len(report.samples) < SAMPLES_KEPT:
        report.samples.append(sample(number, conversation))


def sample(number: int, conversation: Conversation) -> Sample:
    messages = tuple(Message(turn.role, cut(turn.text)) for turn in conversation.turns[:8])
    return Sample(number, cut(conversation.system), messages)


def cut(text: str) -> str:
    """Fit for a screen and for a database: lone surrogates and NUL become replacement marks."""
    storable = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    short = storable.replace("\x00", "\ufffd")
    return short if len(short) <= SAMPLE_TEXT else short[:SAMPLE_TEXT] + "…"


def remember(report: Report, number: int, content: bytes, seen: set[bytes]) -> None:
    digest = hashlib.blake2b(content.strip(), digest_size=12).digest()
    if digest in seen:
        report.duplicates += 1
        note(report, number, Finding("warning", "", "duplicate"), head(content))
    elif len(seen) < REMEMBERED:
        seen.add(digest)
