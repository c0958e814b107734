"""Words, variables and here-documents of a pasted text are those of bash."""

from __future__ import annotations

import os
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from jobs.request_import.bash_lexer import tokenize_bash


def run_bash(script: str, folder: Path) -> list[str]:
    """What bash passes to the program `x` in `script`."""
    (folder / "x").write_text("#!/bin/sh\nprintf '%s\\0' \"$@\"\n")
    (folder / "x").chmod(0o755)
    environment = {"PATH": f"{folder}:{os.environ['PATH']}", "LC_ALL": "C.UTF-8"}
    done = subprocess.run(["bash", "-c", script], env=environment, capture_output=True, check=True)
    return done.stdout.decode().split("\0")[:-1]


@pytest.mark.parametrize(
    "line",
    [
        "a b  c",
        "'a b'\"c d\"e",
        r"a\ b \' \" \\",
        r'"a\"b\\c\d\$e"',
        "$'a\\tb\\x41\\u00e9\\'\\101\\n'",
        "''",
        "a#b #c",
        "a \\\n b",
        '"a\\\nb"',
        "'a\nb'",
        "a'b'\\''c'",
        "-d'{\"a\": 1}'",
        '"!"',
        r"'a\'b",
        "a=b --c=d",
    ],
)
def test_words_match_bash(line: str, tmp_path: Path) -> None:
    words = [word.text for word in tokenize_bash(f"x {line}")[0].words[1:]]
    assert words == run_bash(f"x {line}", tmp_path)


@pytest.mark.parametrize(
    "script",
    [
        'A=1\nx $A ${A} "$A-${A}" \'$A\' \\$A "\\$A" $A$A',
        "A=1; B=$A-2; x $B",
        "A=1 B=2\nexport C=3 && x $A$B$C",
        "export A='a b' B=\"c $D\"\nx \"$A\" '$A'",
        "A=1; A=2; x $A",
        "A='$B'; B=1; x \"$A\"",
        'A="it\'s"; x "$A"\'$A\'',
        "A=$'a\\tb'; x \"$A\"",
        'A=; x $A b "$A" c$A',
        'A=1\nx \\\\$A "\\\\$A"',
        'A=\'{"a":\n 1}\'\nx -d "$A"',
        "A=a=b; x $A",
        "A=https://x/$'y'\nx ${A}/z",
    ],
)
def test_variables_match_bash(script: str, tmp_path: Path) -> None:
    [command] = [command for command in tokenize_bash(script) if command.words[0].text == "x"]
    expected = run_bash(script.replace("$D", ""), tmp_path)
    assert [word.text.replace("$D", "") for word in command.words[1:]] == expected
    assert all(word.unset in {(), ("$D",)} for word in command.words)


@pytest.mark.parametrize("delimiter", ["EOF", "'EOF'", '"EOF"', "\\EOF"])
@pytest.mark.parametrize("body", ["$A ${A}", r"\$A \\$A \` \" \n", "a \\\nb", "'$A' \"$A\"", "\t$A", ""])
def test_here_documents_match_bash(delimiter: str, body: str, tmp_path: Path) -> None:
    script = f"A='1 $2'\ncat <<{delimiter} > f\n{body}\nEOF\n"
    command = tokenize_bash(script)[-1]
    expected = run_bash(f'cd {tmp_path}\n{script}x "$(cat f)"', tmp_path)
    assert command.stdin is not None
    assert ([command.stdin.text], command.stdin.unset, command.writes) == (expected, (), "f")


@pytest.mark.parametrize(
    ("script", "text", "unset"),
    [
        ("x $A", "$A", ("$A",)),
        ('x "a ${A} $(date) `date`"', "a ${A} $(date) `date`", ("${A}", "$(date)", "`date`")),
        ("x ${A:-b}", "${A:-b}", ("${A:-b}",)),
        ("x $A; A=1", "$A", ("$A",)),
        ("A=1 x $A", "$A", ("$A",)),
        ("A=$(date)\nx $A", "$A", ("$A",)),
        ("A=1\nA=$(date)\nx $A", "$A", ("$A",)),
        ("A=$B\nx $A", "$A", ("$A",)),
        ("x $1", "$1", ()),
        ("x '$A'", "$A", ()),
    ],
)
def test_variable_that_the_text_does_not_set_stays(script: str, text: str, unset: tuple[str, ...]) -> None:
    [word] = [
        after
        for command in tokenize_bash(script)
        for before, after in pairwise(command.words)
        if before.text == "x"
    ]
    assert (word.text, word.unset) == (text, unset)


def test_assignment_with_spaces_and_prompts_is_accepted() -> None:
    text = '$ PROJECT_ID = my-project\n$ LOCATION = "us-central1"\n$ export A=1\n$ x $PROJECT_ID $LOCATION $A'
    assert [word.text for word in tokenize_bash(text)[-1].words] == [
        *("$", "x", "my-project", "us-central1", "1")
    ]
