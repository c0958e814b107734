"""docker-compose.yml and Dockerfile name what exists. They are built only where docker is."""

from __future__ import annotations

import ast
import importlib.util
import re
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.paths import ROOT

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
OURS = {name: service for name, service in SERVICES.items() if "build" in service}


def list_commands() -> list[list[str]]:
    """Return each command line that runs our code, including those inside `sh -c`."""
    written = [shlex.split(service["command"]) for service in OURS.values() if "command" in service]
    inner = [
        shlex.split(part) for line in written if line[:2] == ["sh", "-c"] for part in line[2].split("&&")
    ]
    checks = [service["healthcheck"]["test"][1:] for service in OURS.values() if "healthcheck" in service]
    default = re.search(r"^CMD (\[.*\])$", DOCKERFILE, re.MULTILINE)
    assert default
    return [line for line in written if line[0] != "sh"] + inner + checks + [yaml.safe_load(default[1])]


def check_imports(code: str) -> None:
    """A healthcheck runs in its container only, so what it imports is imported here."""
    imports = [node for node in ast.parse(code).body if isinstance(node, ast.Import | ast.ImportFrom)]
    exec(compile(ast.Module(imports, []), "healthcheck", "exec"), {})  # noqa: S102


def test_every_process_of_make_run_has_a_service() -> None:
    assert set(SERVICES) == {"prepare", "web", "worker", "beat", "engine", "redis", "postgres"}


@pytest.mark.parametrize("command", list_commands(), ids=lambda line: " ".join(line)[:60])
def test_each_command_exists(command: list[str]) -> None:
    match command:
        case ["python", "-m", module, *_]:
            assert importlib.util.find_spec(module)
        case ["python", "manage.py", "shell", *_, code] | ["python", "-c", code]:
            check_imports(code)
        case ["python", "manage.py", name, *_]:
            from django.core.management import get_commands

            assert name in get_commands()
        case [program, *_]:
            assert (Path(sys.executable).parent / program).exists()


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_images_are_pinned(name: str) -> None:
    tag = SERVICES[name]["image"].partition(":")[2]
    assert re.match(r"\d+\.\d+", tag), f"{name} runs whatever {SERVICES[name]['image']} is today"


def test_the_base_image_is_pinned() -> None:
    assert re.search(r"^FROM python:3\.11\.\d+-\S+$", DOCKERFILE, re.MULTILINE)


def test_every_lasting_service_has_a_healthcheck() -> None:
    assert {name for name, service in SERVICES.items() if "healthcheck" not in service} == {"prepare"}


def test_named_volumes_are_declared() -> None:
    used = {
        volume.partition(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])
    }
    assert used == set(COMPOSE["volumes"])


def test_awaited_services_have_a_healthcheck() -> None:
    for service in SERVICES.values():
        for other, wanted in service.get("depends_on", {}).items():
            assert wanted["condition"] == "service_completed_successfully" or "healthcheck" in SERVICES[other]


def test_compose_environment_is_documented() -> None:
    settings = (ROOT / "docs" / "settings.md").read_text()
    named = {variable for service in OURS.values() for variable in service.get("environment", {})}
    assert all(f"| `{variable}` |" in settings for variable in named)


def test_image_runs_unprivileged_and_copies_existing_files() -> None:
    steps = re.findall(r"^(\w+) ?(.*)$", DOCKERFILE, re.MULTILINE)
    names = [name for name, _ in steps]
    assert names.index("USER") < names.index("CMD")
    assert dict(steps)["USER"] not in {"root", "0"}
    for name, rest in steps:
        if name == "COPY":
            assert all((ROOT / source).exists() for source in rest.split()[:-1]), rest


def test_only_web_publishes_a_port_and_on_loopback() -> None:
    assert {name for name, service in SERVICES.items() if "ports" in service} == {"web"}
    assert all(port.startswith("127.0.0.1:") for port in SERVICES["web"]["ports"])
