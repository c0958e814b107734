"""The check of a tuning file: one pass over its bytes, in bounded memory, to line and field (pure).

Lines of the commonest shape (plain.py) are known quickly, most quickly where they are spelled alike
(spelling.py), and only counted; any other goes the careful way (parse.py, conversation.py), which finds the
same of them, and words for what is wrong.

https://cloud.google.com/vertex-ai/generative-ai/docs/models/gemini-supervised-tuning-prepare
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from itertools import chain

from jobs.datasets.check.distributions import Figures
from jobs.datasets.check.duplicates import Repeats
from jobs.datasets.check.example import FORMATS, Conversation, problems_of
from jobs.datasets.check.excerpt import cut, head
from jobs.datasets.check.fast_path.block_counter import count
from jobs.datasets.check.fast_path.columns import Tally, digests
from jobs.datasets.check.fast_path.line_template import Spelling
from jobs.datasets.check.json_line import Unreadable, parse
from jobs.datasets.check.lines import BOM, LINE_LIMIT, Block, blocks
from jobs.datasets.check.other_formats import convert
from jobs.datasets.check.report import Finding, Message, Problem, Report, Sample
from studio.storable import make_storable

PROBLEMS_KEPT = 20
"""Of each code."""
SAMPLES_KEPT = 5
BINARY = {b"\x1f\x8b": "gzip", b"\x89PNG": "png", b"PK\x03\x04": "zip", b"%PDF": "pdf"}
UTF16 = (b"\xff\xfe", b"\xfe\xff")


def check(chunks: Iterable[bytes], *, name: str = "") -> Report:
    """`chunks` are the file's bytes in order, cut anywhere; `name` is what the person calls the file."""
    checker = Checker()
    for problem in checker.problems(chunks, name):
        note(checker.report, problem)
    return checker.report


def all_problems(chunks: Iterable[bytes], *, name: str = "") -> Iterator[Problem]:
    """Every problem, by line; what one line repeats of another comes last, once all are known."""
    return Checker().problems(chunks, name)


def note(report: Report, problem: Problem) -> None:
    seen = report.counts.get(problem.code, 0)
    report.counts[problem.code] = seen + 1
    if problem.severity == "error":
        report.errors += 1
    else:
        report.warnings += 1
    if seen < PROBLEMS_KEPT:
        report.problems.append(problem)


class Checker:
    """Goes through one file. The report has all but the problems, once these have been handed out."""

    def __init__(self) -> None:
        self.report = Report()
        self.figures = Figures()
        self.repeats = Repeats()
        self.spelling = Spelling()
        self.tally = Tally(self.figures, self.repeats)

    def problems(self, chunks: Iterable[bytes], name: str) -> Iterator[Problem]:
        faults = 0
        for problem in self._problems(chunks, name):
            faults += problem.severity == "error"
            yield problem
        if not self.report.examples and not faults:
            yield Problem(0, "error", "", "empty")

    def _problems(self, chunks: Iterable[bytes], name: str) -> Iterator[Problem]:
        if misnamed := wrong_name(name):
            yield problem(0, misnamed)
        source = self._counted(chunks)
        yield from self._file(blocks(source))
        for _ in source:  # the rest of what is no text, for its size
            pass
        self.tally.flush()
        for code, line, first in self.repeats.found():
            self.report.duplicates += code == "duplicate"
            yield problem(line, Finding("warning", "", code, {"first": first}))
        self._finish()

    def _finish(self) -> None:
        self.report.tokens, self.report.turns = self.figures.distributions()
        self.report.longest = self.figures.longest
        self.report.modalities.sort()

    def _counted(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self.report.bytes += len(chunk)
            yield chunk

    def _file(self, source: Iterator[Block]) -> Iterator[Problem]:
        for block in source:
            if block.number == 1 and (trouble := not_text(block.lines[0])):
                self.report.lines = 1
                yield problem(0, trouble)
                return
            rest = yield from self._first(block)
            if rest:
                yield from self._rest(chain([rest], source))

    def _first(self, block: Block) -> Generator[Problem, None, Block | None]:
        """The careful way, which alone takes samples, until there are enough; what it left of the block."""
        self.report.lines = block.last
        if block.too_long:
            yield too_long(block)
            return None
        for done, line in enumerate(block.lines):
            if len(self.report.samples) == SAMPLES_KEPT:
                return block.after(done)
            yield from self._line(block.number + done, line)
        return None

    def _rest(self, source: Iterable[Block]) -> Iterator[Problem]:
        for block in source:
            self.report.lines = block.last
            if block.too_long:
                yield too_long(block)
                continue
            for each in count(block, self.spelling):
                self.report.examples += len(each.lines)
                self.tally.extend(each.lines, each.rows)
                for number, content in each.others:
                    yield from self._line(number, content)

    def _line(self, number: int, content: bytes) -> Iterator[Problem]:
        if number == 1 and content.startswith(BOM):
            yield problem(1, Finding("warning", "", "bom"))
            content = content.removeprefix(BOM)
        if not content.strip(b" \t\r"):
            return
        try:
            value = parse(content)
        except Unreadable as trouble:
            yield problem(number, trouble.finding, trouble.excerpt)
            return
        conversation = Conversation.of(value)
        found = list(problems_of(conversation))
        for finding in found:
            yield problem(number, finding, head(content))
            if finding.code in FORMATS and convert(value):
                kinds = self.report.convertible
                kinds[finding.code] = kinds.get(finding.code, 0) + 1
        if not any(finding.severity == "error" for finding in found):
            self._take_carefully(number, conversation)

    def _take_carefully(self, number: int, conversation: Conversation) -> None:
        prompt, answer = digests(conversation.value)
        self.tally.flush()
        self.figures.extend([number], [conversation.size], [len(conversation.turns)])
        self.repeats.extend([number], [prompt], [answer])
        report = self.report
        report.examples += 1
        for modality, field in conversation.modalities.items():
            if modality not in report.modalities:
                report.modalities.append(modality)
                report.where[modality] = (number, field)
        if len(report.samples) < SAMPLES_KEPT:
            report.samples.append(sample(number, conversation))


def problem(line: int, finding: Finding, excerpt: tuple[str, str, str] = ("", "", "")) -> Problem:
    params = {
        key: make_storable(value) if isinstance(value, str) else value
        for key, value in finding.params.items()
    }
    return Problem(line, finding.severity, make_storable(finding.field), finding.code, params, excerpt)


def wrong_name(name: str) -> Finding | None:
    """Some systems add .txt to a name, and hide it."""
    stem, found, ending = name.lower().rpartition(".jsonl.")
    if found and "/" not in ending:
        return Finding(
            "warning", "name", "name_ending", {"name": name, "right": name[: len(stem) + len(".jsonl")]}
        )
    return None


def not_text(start: bytes) -> Finding | None:
    """Why the file is no JSONL at all, told by its first bytes."""
    kind = next((name for magic, name in BINARY.items() if start.startswith(magic)), None)
    if kind:
        return Finding("error", "", "binary", {"kind": kind})
    return Finding("error", "", "utf16") if start.startswith(UTF16) or b"\x00" in start[:4] else None


def too_long(block: Block) -> Problem:
    return problem(block.number, Finding("error", "", "line_too_long", {"limit": LINE_LIMIT}))


def sample(number: int, conversation: Conversation) -> Sample:
    messages = tuple(Message(turn.role, cut(turn.text)) for turn in conversation.turns[:8])
    return Sample(number, cut(conversation.system), messages)
