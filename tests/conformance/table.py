"""The table of docs/clients.md: which client makes which call, from the test scripts' own declarations.

`python -m tests.conformance.table` rewrites it, a test compares both, and `make conformance` checks that each
script makes the calls that it declares.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.conformance.environments import REQUIREMENTS
from tests.paths import ROOT

DOCUMENT = ROOT / "docs" / "clients.md"
CLIENTS = Path(__file__).parent / "clients"
BEGIN, END = "<!-- calls -->\n\n", "\n<!-- /calls -->"

SERVICES = (
    *("tuningJobs", "contexts", "executions", "tensorboards", "experiments", "runs", "timeSeries"),
    *("endpoints", "publishers", "models", "operations", "buckets", "objects"),
)


@dataclass(frozen=True)
class Client:
    """A script, and the environment that it runs in; `package` is empty for curl."""

    script: str
    environment: str
    package: str

    @property
    def version(self) -> str:
        pinned = (REQUIREMENTS / f"{self.environment}.txt").read_text()
        match = (
            re.search(rf"^{re.escape(self.package)}==(.+)$", pinned, re.MULTILINE) if self.package else None
        )
        return match[1] if match else ""

    @property
    def name(self) -> str:
        return f"{self.package} {self.version}" if self.package else self.script

    def list_calls(self) -> list[str]:
        """Return the names in the script's `@call(...)`, in order."""
        tree = ast.parse((CLIENTS / f"{self.script}.py").read_text(encoding="utf-8"))
        return list(_iter_call_names(tree))


def _iter_call_names(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "call":
            yield from (ast.literal_eval(argument) for argument in node.args)


ALL = (
    Client("aiplatform_sdk", "aiplatform-1", "google-cloud-aiplatform"),
    Client("aiplatform_sdk", "aiplatform-2", "google-cloud-aiplatform"),
    Client("genai_sdk", "aiplatform-2", "google-genai"),
    Client("genai_sdk", "genai-3", "google-genai"),
    Client("discovery_client", "aiplatform-2", "google-api-python-client"),
    Client("curl", "aiplatform-2", ""),
    Client("storage_sdk", "aiplatform-2", "google-cloud-storage"),
)


def list_rows() -> list[str]:
    """Return every call, by service, and within a service in the order of the scripts."""
    named = dict.fromkeys(name for client in ALL for name in client.list_calls())
    return sorted(named, key=lambda name: SERVICES.index(name.partition(".")[0]))


def render_table() -> str:
    calls = {client: set(client.list_calls()) for client in ALL}
    heads = [client.name.removeprefix("google-").removeprefix("cloud-") for client in ALL]
    lines = [["call", *heads], ["---", *(":-:" for _ in ALL)]]
    lines += [
        [format_call(row), *("✓" if row in calls[client] else "" for client in ALL)] for row in list_rows()
    ]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def format_call(name: str) -> str:
    method, _, how = name.partition(" ")
    return f"`{method}` {how}".strip()


def read_documented_table() -> str:
    _, _, rest = DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)
    return rest.partition(END)[0]


def write_documented_table() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    start, end = text.index(BEGIN) + len(BEGIN), text.index(END)
    DOCUMENT.write_text(text[:start] + render_table() + text[end:], encoding="utf-8")


if __name__ == "__main__":
    write_documented_table()
