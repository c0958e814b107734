"""Check a tuning file in one pass and bounded memory, down to line and field (pure).

Most lines have the commonest shape (fast_path/plain_example.py), and most of those are also formatted alike
(fast_path/line_template.py). They are recognized fast and only counted. Every other line is parsed strictly
(json_line.py, example.py), which counts the same figures and also explains what is wrong.

https://cloud.google.com/vertex-ai/generative-ai/docs/models/gemini-supervised-tuning-prepare
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from itertools import chain

from jobs.datasets.check.distributions import LengthStats
from jobs.datasets.check.duplicates import DuplicateFinder
from jobs.datasets.check.example import Conversation, check_conversation
from jobs.datasets.check.excerpt import cut_text, excerpt_head
from jobs.datasets.check.fast_path.block_counter import count_block
from jobs.datasets.check.fast_path.columns import ExampleBuffer, hash_example
from jobs.datasets.check.fast_path.line_template import LineTemplate
from jobs.datasets.check.formats import FORMATS
from jobs.datasets.check.json_line import UnreadableLine, find_nul, parse_line
from jobs.datasets.check.lines import BOM, LINE_LIMIT, Block, blocks
from jobs.datasets.check.other_formats import convert_example
from jobs.datasets.check.report import Finding, Message, Problem, Report, Sample
from studio.vertex.storable import make_storable

MAX_PROBLEMS_PER_CODE = 20
"""Problems of each code that a report keeps: as many as a page shows. A file whose every line has the same
problem would otherwise make a report as large as itself."""
MAX_SAMPLES = 5
"""Example conversations in a report: enough to recognize the file, few enough to read."""
# The first bytes of files that people choose instead of JSONL.
BINARY = {b"\x1f\x8b": "gzip", b"\x89PNG": "png", b"PK\x03\x04": "zip", b"%PDF": "pdf"}
UTF16 = (b"\xff\xfe", b"\xfe\xff")


def check_file(chunks: Iterable[bytes], *, name: str = "") -> Report:
    """Return the report. `chunks` are the file's bytes in order, of any sizes; `name` is the file's name as
    the person sees it, and is checked, too."""
    checker = Checker()
    for problem in checker.problems(chunks, name):
        record_problem(checker.report, problem)
    return checker.report


def iter_problems(chunks: Iterable[bytes], *, name: str = "") -> Iterator[Problem]:
    """Yield every problem in the order of lines; duplicates come last, when all lines are known."""
    return Checker().problems(chunks, name)


def record_problem(report: Report, problem: Problem) -> None:
    seen = report.counts.get(problem.code, 0)
    report.counts[problem.code] = seen + 1
    if problem.severity == "error":
        report.errors += 1
    else:
        report.warnings += 1
    if seen < MAX_PROBLEMS_PER_CODE:
        report.problems.append(problem)


class Checker:
    """Checks one file. The report is complete, except for the problems, when problems() is exhausted."""

    def __init__(self) -> None:
        self.report = Report()
        self.figures = LengthStats()
        self.repeats = DuplicateFinder()
        self.spelling = LineTemplate()
        self.tally = ExampleBuffer(self.figures, self.repeats)

    def problems(self, chunks: Iterable[bytes], name: str) -> Iterator[Problem]:
        faults = 0
        for problem in self._check_chunks(chunks, name):
            faults += problem.severity == "error"
            yield problem
        if not self.report.examples and not faults:
            yield Problem(0, "error", "", "empty")

    def _check_chunks(self, chunks: Iterable[bytes], name: str) -> Iterator[Problem]:
        if misnamed := check_name(name):
            yield problem(0, misnamed)
        source = self._count_bytes(chunks)
        yield from self._check_blocks(blocks(source))
        for _ in source:  # count the bytes of the rest where the check stopped early
            pass
        self.tally.flush()
        for code, line, first in self.repeats.iter_duplicates():
            self.report.duplicates += code == "duplicate"
            yield problem(line, Finding("warning", "", code, {"first": first}))
        self._fill_report()

    def _fill_report(self) -> None:
        self.report.tokens, self.report.turns = self.figures.distributions()
        self.report.longest = self.figures.longest
        self.report.modalities.sort()

    def _count_bytes(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self.report.bytes += len(chunk)
            yield chunk

    def _check_blocks(self, source: Iterator[Block]) -> Iterator[Problem]:
        for block in source:
            if block.number == 1 and (trouble := detect_non_text(block.lines[0])):
                self.report.lines = 1
                yield problem(0, trouble)
                return
            rest = yield from self._check_samples(block)
            if rest:
                yield from self._check_rest(chain([rest], source))

    def _check_samples(self, block: Block) -> Generator[Problem, None, Block | None]:
        """Parse lines strictly until there are enough samples. Return the unchecked rest of the block."""
        self.report.lines = block.last
        if block.too_long:
            yield make_long_line_problem(block)
            return None
        for done, line in enumerate(block.lines):
            if len(self.report.samples) == MAX_SAMPLES:
                return block.skip_lines(done)
            yield from self._check_line(block.number + done, line)
        return None

    def _check_rest(self, source: Iterable[Block]) -> Iterator[Problem]:
        for block in source:
            self.report.lines = block.last
            if block.too_long:
                yield make_long_line_problem(block)
                continue
            for each in count_block(block, self.spelling):
                self.report.examples += len(each.lines)
                self.tally.extend(each.lines, each.rows)
                for number, content in each.others:
                    yield from self._check_line(number, content)

    def _check_line(self, number: int, content: bytes) -> Iterator[Problem]:
        if number == 1 and content.startswith(BOM):
            yield problem(1, Finding("warning", "", "bom"))
            content = content.removeprefix(BOM)
        if not content.strip(b" \t\r"):
            return
        try:
            value = parse_line(content)
        except UnreadableLine as trouble:
            yield problem(number, trouble.finding, trouble.excerpt)
            return
        conversation = Conversation.from_value(value)
        found = [*check_conversation(conversation), *filter(None, [find_nul(content, value)])]
        for finding in found:
            yield problem(number, finding, excerpt_head(content))
            if finding.code in FORMATS and convert_example(value):
                kinds = self.report.convertible
                kinds[finding.code] = kinds.get(finding.code, 0) + 1
        if not any(finding.severity == "error" for finding in found):
            self._add_example(number, conversation)

    def _add_example(self, number: int, conversation: Conversation) -> None:
        prompt, answer = hash_example(conversation.value)
        self.tally.flush()
        self.figures.extend([number], [conversation.size], [len(conversation.turns)])
        self.repeats.extend([number], [prompt], [answer])
        report = self.report
        report.examples += 1
        for modality, field in conversation.modalities.items():
            if modality not in report.modalities:
                report.modalities.append(modality)
                report.where[modality] = (number, field)
        if len(report.samples) < MAX_SAMPLES:
            report.samples.append(sample(number, conversation))


def problem(line: int, finding: Finding, excerpt: tuple[str, str, str] = ("", "", "")) -> Problem:
    params = {
        key: make_storable(value) if isinstance(value, str) else value
        for key, value in finding.params.items()
    }
    return Problem(line, finding.severity, make_storable(finding.field), finding.code, params, excerpt)


def check_name(name: str) -> Finding | None:
    """Warn of a second suffix: some systems add .txt to a name and hide it."""
    stem, found, ending = name.lower().rpartition(".jsonl.")
    if found and "/" not in ending:
        return Finding(
            "warning", "name", "name_ending", {"name": name, "right": name[: len(stem) + len(".jsonl")]}
        )
    return None


def detect_non_text(start: bytes) -> Finding | None:
    """Tell by its first bytes why a file isn't JSONL at all; None where it may be."""
    kind = next((name for magic, name in BINARY.items() if start.startswith(magic)), None)
    if kind:
        return Finding("error", "", "binary", {"kind": kind})
    return Finding("error", "", "utf16") if start.startswith(UTF16) or b"\x00" in start[:4] else None


def make_long_line_problem(block: Block) -> Problem:
    return problem(block.number, Finding("error", "", "line_too_long", {"limit": LINE_LIMIT}))


def sample(number: int, conversation: Conversation) -> Sample:
    messages = tuple(Message(turn.role, cut_text(turn.text)) for turn in conversation.turns[:8])
    return Sample(number, cut_text(conversation.system), messages)
