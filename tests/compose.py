"""docker-compose.yml and Dockerfile as docker reads them: variables filled in, each stage with its base."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import yaml

from tests.paths import ROOT

COMPOSE = (ROOT / "docker-compose.yml").read_text()
FILE: dict[str, Any] = yaml.safe_load(COMPOSE)
DOCKERFILE = (ROOT / "Dockerfile").read_text()
VARIABLE = re.compile(r"([A-Za-z_]\w*)(:?[-+])?(.*)", re.DOTALL)


# ---- variables ----
def interpolate(text: str, environment: Mapping[str, str]) -> str:
    """Fill in `${NAME}`, `${NAME:-default}` and `${NAME:+other}`, where default and other may hold more."""
    head, dollar, rest = text.partition("$")
    if not dollar:
        return head
    if rest.startswith("$"):
        return f"{head}${interpolate(rest[1:], environment)}"
    assert rest.startswith("{"), f"write ${{NAME}} in {text!r}"
    end = find_closing_brace(rest)
    return head + substitute(rest[1:end], environment) + interpolate(rest[end + 1 :], environment)


def find_closing_brace(text: str) -> int:
    depth = 0
    for position, letter in enumerate(text):
        depth += {"{": 1, "}": -1}.get(letter, 0)
        if not depth:
            return position
    raise AssertionError(f"no closing brace in {text!r}")


def substitute(expression: str, environment: Mapping[str, str]) -> str:
    found = VARIABLE.fullmatch(expression)
    assert found, expression
    name, operator, word = found.groups()
    value = environment.get(name, "")
    if operator == ":-":
        return value or interpolate(word, environment)
    if operator == ":+":
        return interpolate(word, environment) if value else ""
    assert operator is None, f"{operator} in {expression!r} tells unset from empty: .env cannot"
    return value


def fill_in(node: Any, environment: Mapping[str, str]) -> Any:
    """Interpolate every value below `node`; keys stay as they are."""
    match node:
        case str():
            return interpolate(node, environment)
        case list():
            return [fill_in(each, environment) for each in node]
        case dict():
            return {key: fill_in(each, environment) for key, each in node.items()}
    return node


# ---- the compose file ----
@dataclass(frozen=True)
class Service:
    """One service, as docker would start it.

    `mounts` is {path in the container: volume}, `secrets` {path in the container: file on this machine}, and
    `awaited` {service: condition}.
    """

    name: str
    image: str
    stage: str
    command: list[str]
    environment: dict[str, str]
    mounts: dict[str, str]
    read_only: frozenset[str]
    secrets: dict[str, str]
    awaited: dict[str, str]
    check: list[str]
    restart: str
    ports: list[str] = field(default_factory=list)

    @property
    def lasting(self) -> bool:
        return self.restart != "no"


def read_services(environment: Mapping[str, str]) -> dict[str, Service]:
    """Return the services that `docker compose up` starts with these variables."""
    file = fill_in(FILE, environment)
    files = {name: each["file"] for name, each in file["secrets"].items()}
    wanted = set(environment.get("COMPOSE_PROFILES", "").split(","))
    return {
        name: read_service(name, told, files)
        for name, told in file["services"].items()
        if not told.get("profiles") or wanted & set(told["profiles"])
    }


def read_service(name: str, told: dict[str, Any], files: Mapping[str, str]) -> Service:
    volumes = [each.split(":") for each in told.get("volumes", [])]
    return Service(
        name=name,
        image=told["image"],
        stage=told.get("build", {}).get("target", ""),
        command=shlex.split(told.get("command", "")),
        environment=told.get("environment", {}),
        mounts={where: volume for volume, where, *_ in volumes},
        read_only=frozenset(where for _, where, *mode in volumes if mode == ["ro"]),
        secrets=dict(read_secret(each, files) for each in told.get("secrets", [])),
        awaited={other: each["condition"] for other, each in told.get("depends_on", {}).items()},
        check=told.get("healthcheck", {}).get("test", []),
        restart=told["restart"],
        ports=told.get("ports", []),
    )


def read_secret(told: str | dict[str, str], files: Mapping[str, str]) -> tuple[str, str]:
    source, target = (told, told) if isinstance(told, str) else (told["source"], told["target"])
    return f"/run/secrets/{target}", files[source]


# ---- the Dockerfile ----
@dataclass(frozen=True)
class Image:
    """A stage of the Dockerfile with all that it stands on; `copies` are (sources, target)."""

    environment: dict[str, str] = field(default_factory=dict)
    runs: tuple[str, ...] = ()
    copies: tuple[tuple[tuple[str, ...], str], ...] = ()
    user: str = "root"
    folder: str = "/"
    command: tuple[str, ...] = ()

    def take_step(self, word: str, rest: str) -> Image:
        match word:
            case "ENV":
                pairs = dict(pair.split("=", 1) for pair in shlex.split(rest))
                return replace(self, environment=self.environment | pairs)
            case "RUN":
                return replace(self, runs=(*self.runs, rest))
            case "COPY":
                *sources, target = rest.split()
                return replace(self, copies=(*self.copies, (tuple(sources), target)))
            case "USER":
                return replace(self, user=rest)
            case "WORKDIR":
                return replace(self, folder=rest)
            case "CMD":
                return replace(self, command=tuple(json.loads(rest)))
        return self


def read_stages() -> dict[str, Image]:
    """Return each stage of the Dockerfile by name."""
    stages: dict[str, Image] = {}
    name = ""
    for word, rest in iter_steps():
        if word == "FROM":
            parent, _as, name = rest.split()
            stages[name] = stages.get(parent, Image())
        else:
            stages[name] = stages[name].take_step(word, rest)
    return stages


def iter_steps() -> list[tuple[str, str]]:
    """(instruction, the rest of it), with lines that end in a backslash joined."""
    joined = re.sub(r"\\\n\s*", " ", DOCKERFILE)
    return re.findall(r"^([A-Z]+) (.*)$", joined, re.MULTILINE)
