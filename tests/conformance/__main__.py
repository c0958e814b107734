"""make conformance: Google's own clients against a real engine.

Each script of clients/ runs in its own environment, and its answers are held against Google's discovery
documents; then a run of our own is searched for every field that somebody reads. Ends with 1 at any failure,
and with the client, the call and the exception.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import requests

from tests.conformance import environments, fields, own_run, shown, table
from tests.conformance.discovery import Discovery
from tests.conformance.recorder import Exchange, record_exchanges
from tests.conformance.table import Client
from tests.engine.running_engine import run_engine
from tests.paths import ROOT

LIMIT = 600
"""Seconds for one client."""
AT_ONCE = 2
"""Clients, which mostly wait for their jobs; and jobs."""


@dataclass(frozen=True)
class Result:
    client: str
    call: str
    detail: str = ""


def main() -> None:
    started = time.monotonic()
    pythons = {
        client.environment: environments.prepare_interpreter(client.environment) for client in table.ALL
    }
    discovery = Discovery(environments.discovery_documents())
    with (
        tempfile.TemporaryDirectory() as root,
        run_engine(Path(root) / "engine", ENGINE_FAULTS="", ENGINE_JOBS=str(AT_ONCE)) as engine,
        ThreadPoolExecutor(AT_ONCE) as pool,
    ):
        works = [
            pool.submit(check_client, client, pythons[client.environment], engine.url, discovery)
            for client in table.ALL
        ]
        works.append(pool.submit(check_own_run, engine.url, discovery))
        results = [result for work in works for result in work.result()]
    report(results)
    failed = [result for result in results if result.detail]
    print(f"{time.monotonic() - started:.0f} s.")
    print(f"Conformance: {len(results) - len(failed)} passed, {len(failed)} failed")
    sys.exit(bool(failed))


def check_client(client: Client, python: Path, engine: str, discovery: Discovery) -> list[Result]:
    started = time.monotonic()
    with record_exchanges(engine) as recorder:
        told = list(run(client, python, recorder.url))
    found = [
        *told,
        *find_missing_calls(client, told),
        *check_called_methods(client, recorder.exchanges, discovery),
        *check_schemas(client.name, recorder.exchanges, discovery),
    ]
    summary = f"{len(recorder.exchanges)} requests in {time.monotonic() - started:.0f} s"
    print(f"{client.name}: {len(told)} calls, {summary}", flush=True)
    return found


def run(client: Client, python: Path, url: str) -> Iterator[Result]:
    """What the script told of each call, or how it ended before it could."""
    command = [str(python), "-m", f"tests.conformance.clients.{client.script}", url]
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env={**os.environ, **shown.build_environment(url)},
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        yield Result(client.name, "(the script)", f"did not end within {LIMIT} s")
        return
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"client"')]
    yield from (Result(line["client"], line["call"], line["detail"]) for line in lines)
    if done.returncode and all(line["ok"] for line in lines):
        yield Result(
            client.name, "(the script)", done.stderr.strip()[-2000:] or f"ended with {done.returncode}"
        )


def find_missing_calls(client: Client, told: list[Result]) -> Iterator[Result]:
    """Calls of the table that the script did not come to."""
    names = Counter(client.list_calls()) - Counter(result.call for result in told)
    yield from (Result(client.name, name, "was not called") for name in names.elements())


def check_called_methods(client: Client, exchanges: list[Exchange], discovery: Discovery) -> Iterator[Result]:
    """The table names exactly the methods that the client's requests called."""
    named = {name.partition(" ")[0] for name in client.list_calls()}
    found = (discovery.find_method(exchange) for exchange in exchanges)
    called = {method.name for _, method in filter(None, found)}
    yield from (Result(client.name, name, "no request called it") for name in named - called)
    yield from (Result(client.name, name, "is called, and not in the table") for name in called - named)


def check_schemas(client: str, exchanges: list[Exchange], discovery: Discovery) -> Iterator[Result]:
    """One result for each kind of answer, with each fault once and the first request that met it."""
    kinds: dict[str, dict[str, str]] = {}
    for exchange in exchanges:
        found = discovery.find_method(exchange)
        name = found[1].name if found else f"{exchange.method} {exchange.path}"
        faults = kinds.setdefault(f"{name} ({exchange.status // 100}xx by its schema)", {})
        for fault in discovery.find_faults(exchange):
            faults.setdefault(re.sub(r"\[\d+\]", "[]", fault), f"{exchange.method} {exchange.path}")
    for name, faults in kinds.items():
        yield Result(client, name, "; ".join(f"{fault} ({where})" for fault, where in faults.items()))


def check_own_run(engine: str, discovery: Discovery) -> list[Result]:
    with record_exchanges(engine) as recorder:
        results = list(check_own_fields(own_run.Api(recorder.url)))
    looked_for = {result.call for result in results}
    unseen = [name for kind in fields.FIELDS if (name := f"every field of {kind}") not in looked_for]
    return [
        *results,
        *(Result("our run", name, "no such resource was left") for name in unseen),
        *check_schemas("our run", recorder.exchanges, discovery),
    ]


def check_own_fields(api: own_run.Api) -> Iterator[Result]:
    try:
        for kind, resource in own_run.iter_resources(api):
            yield Result("our run", f"every field of {kind}", ", ".join(fields.find_missing(kind, resource)))
    except (requests.RequestException, LookupError) as error:
        yield Result("our run", "(the run)", f"{type(error).__name__}: {error}")


def report(results: list[Result]) -> None:
    """The table, then what failed."""
    print(f"\n{table.render_table()}")
    for result in results:
        if result.detail:
            print(f"FAILED {result.client}: {result.call}: {result.detail}")


if __name__ == "__main__":
    main()
