"""The table of clients and calls in docs/clients.md, and the versions in it."""

from __future__ import annotations

from collections import Counter

from tests.conformance import table


def test_the_table_shows_what_the_scripts_call() -> None:
    assert table.read_documented_table() == table.render_table(), (
        "python -m tests.conformance.table renews it"
    )


def test_every_client_has_calls_and_no_duplicates() -> None:
    for client in table.ALL:
        counts = Counter(client.list_calls())
        assert counts and set(counts.values()) == {1}, client.name


def test_clients_are_the_promised_ones() -> None:
    assert [client.name for client in table.ALL] == [
        "google-cloud-aiplatform 1.95.1",
        "google-cloud-aiplatform 2.7.0",
        "google-genai 2.34.0",
        "google-genai 3.4.0",
        "google-api-python-client 2.202.0",
        "curl",
        "google-cloud-storage 3.17.1",
    ]
