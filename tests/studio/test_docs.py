"""The documents match the code: pages, tree, links, commands and examples."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import yaml
from django.urls import URLPattern, URLResolver, get_resolver

from tests.paths import ROOT

README = (ROOT / "README.md").read_text()
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
CODE = ("studio", "jobs", "metrics", "engine")
NAMED_BY_DJANGO = {"management", "commands", "migrations", "templatetags"}


def iter_routes(
    patterns: Sequence[URLPattern | URLResolver], prefix: str = "/", namespace: str = ""
) -> Iterator[tuple[str, str]]:
    """(name, address) of every route; `<slug:slug>` is written as SLUG."""
    for pattern in patterns:
        address = prefix + re.sub(r"<\w+:(\w+)>", lambda match: match[1].upper(), str(pattern.pattern))
        if isinstance(pattern, URLPattern):
            yield f"{namespace}{pattern.name}", address
        else:
            inner = f"{pattern.namespace}:" if pattern.namespace else namespace
            yield from iter_routes(pattern.url_patterns, address, inner)


def iter_tree() -> Iterator[Path]:
    """Every path in the README's tree: a line is names, two spaces or more, and what they are for."""
    found = re.search(r"^## How it is built\n.*?^```\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    assert found
    parents: list[tuple[int, Path]] = []
    for line in found[1].splitlines():
        names = re.split(r" {2,}", line.strip())[0].split()
        indent = len(line) - len(line.lstrip())
        parents = [each for each in parents if each[0] < indent]
        parent = parents[-1][1] if parents else ROOT
        yield from (parent / name for name in names)
        parents.append((indent, parent / names[-1]))


TREE = set(iter_tree())


def test_every_page_has_its_line() -> None:
    """docs/pages.md has each route once, with its address and purpose."""
    rows = re.findall(r"^\| `([^`]+)` \| `([^`]+)` \| (\S.*) \|$", (ROOT / "docs/pages.md").read_text(), re.M)
    assert sorted((name, address) for name, address, _ in rows) == sorted(
        iter_routes(get_resolver().url_patterns)
    )


def test_the_tree_names_existing_files() -> None:
    assert not [str(path.relative_to(ROOT)) for path in TREE if not path.exists()]


def test_the_tree_names_every_folder_of_modules() -> None:
    """`engine/base` is data and the code that built it."""
    folders = {
        file.parent
        for room in CODE
        for file in (ROOT / room).rglob("*.py")
        if not NAMED_BY_DJANGO & {*file.relative_to(ROOT).parts} and ROOT / "engine/base" not in file.parents
    }
    assert not sorted(str(folder.relative_to(ROOT)) for folder in folders - TREE)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda file: file.name)
def test_links_lead_to_existing_files(document: Path) -> None:
    links = re.findall(r"\]\(((?!http)[^)#]+)[^)]*\)", document.read_text())
    assert not [link for link in links if not (document.parent / link).exists()]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda file: file.name)
def test_named_paths_exist(document: Path) -> None:
    """docs/first-change.md names a test that its reader writes."""
    rooms = "|".join([*CODE, "templates", "static", "tests", "docs", ".ci"])
    named = set(re.findall(rf"`((?:{rooms})/[\w./-]*)`", document.read_text())) - {
        "tests/studio/test_money.py"
    }
    assert not [path for path in named if not (ROOT / path).exists()]


def test_documented_make_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    documented = {name for file in DOCUMENTS for name in re.findall(r"`make ([a-z-]+)", file.read_text())}
    assert documented <= targets


def test_the_first_change_applies_to_the_code(tmp_path: Path) -> None:
    """The example in docs/first-change.md applies to the current files."""
    blocks = re.findall(r"^```diff\n(.*?)^```$", (ROOT / "docs/first-change.md").read_text(), re.M | re.S)
    assert len(blocks) == 2
    for block in blocks:
        for name in re.findall(r"^--- a/(.*)$", block, re.MULTILINE):
            (tmp_path / name).parent.mkdir(parents=True)
            shutil.copy(ROOT / name, tmp_path / name)
        subprocess.run(["git", "apply", "-"], cwd=tmp_path, input=block, text=True, check=True)
    changed = ast.parse((tmp_path / "studio/formats.py").read_text())
    assert "format_money" in {node.name for node in changed.body if isinstance(node, ast.FunctionDef)}


def test_the_readme_shows_every_picture_and_none_is_large() -> None:
    """The pictures are small enough for a slow connection."""
    shown = {ROOT / name for name in re.findall(r"\((docs/screenshots/[^)]+)\)", README)}
    assert shown == {*(ROOT / "docs/screenshots").iterdir()} and len(shown) == 5
    assert all(picture.stat().st_size < 250_000 for picture in shown)


def test_pre_commit_hooks_run_the_tools_of_the_environment() -> None:
    """Nothing is downloaded at a commit, and each command is one that `make check` runs as well."""
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    hooks = [hook for repository in config["repos"] for hook in repository["hooks"]]
    assert {repository["repo"] for repository in config["repos"]} == {"local"}
    assert {hook["language"] for hook in hooks} == {"system"}
    check = (
        (ROOT / "Makefile")
        .read_text()
        .partition("\ncheck:")[2]
        .partition("\n\n")[0]
        .replace("$(BIN)", ".venv/bin")
    )
    for hook in hooks:
        tool = re.search(r"\.venv/bin/\w+ (?:format|check|--lint)|\.ci/\w+", hook["entry"])
        assert tool and tool[0] in check, hook["id"]
