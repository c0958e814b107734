"""The README's table of clients and calls, and the versions it names."""

from __future__ import annotations

from collections import Counter

from tests.conformance import table


def test_the_readme_shows_what_the_scripts_call() -> None:
    assert table.shown() == table.markdown(), "python -m tests.conformance.table renews it"


def test_every_client_calls_something_and_nothing_twice() -> None:
    for client in table.ALL:
        counts = Counter(client.calls())
        assert counts and set(counts.values()) == {1}, client.name


def test_the_clients_are_those_that_are_promised() -> None:
    assert [client.name for client in table.ALL] == [
        "google-cloud-aiplatform 1.95.1",
        "google-cloud-aiplatform 2.7.0",
        "google-genai 2.34.0",
        "google-genai 3.4.0",
        "google-api-python-client 2.202.0",
        "curl",
        "google-cloud-storage 3.17.1",
    ]
