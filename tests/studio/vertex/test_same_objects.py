"""Our object requests equal those that google-cloud-storage itself sends."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest

from studio.vertex.errors import VertexError
from studio.vertex.storage import Storage
from tests.studio.vertex.double import FakeVertexServer, ReceivedRequest, json_answer, load_exchanges
from tests.studio.vertex.test_same_requests import comparable_query

Json = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """`ours_too` is what our query has beside theirs: we overwrite nothing unasked, and pin what we read."""

    capture: str
    act: Callable[[Storage], Any]
    request: int = 0
    ours_too: dict[str, str] = field(default_factory=dict)


ONCE = {"ifGenerationMatch": "0"}
CONTENT = b'{"a":1}\n'
CASES = [
    Case("gcs-3.17.list_buckets", Storage.buckets),
    Case("gcs-3.17.list_blobs", lambda storage: storage.list("demo", "ds/", limit=100)),
    Case("gcs-3.17.get_blob", lambda storage: storage.stat("gs://demo/ds/train.jsonl")),
    Case("gcs-3.17.delete", lambda storage: storage.delete("gs://demo/ds/t2.jsonl")),
    Case(
        "gcs-3.17.upload_from_string",
        lambda storage: storage.upload(io.BytesIO(CONTENT), "gs://demo/ds/train.jsonl", "application/jsonl"),
        ours_too=ONCE,
    ),
    Case(
        "gcs-3.17.upload_resumable_chunked_4MiB",
        lambda storage: storage.upload(
            io.BytesIO(b"x" * 9 * 2**20), "gs://demo/ds/big.jsonl", "application/jsonl"
        ),
        request=1,
        ours_too=ONCE,
    ),
    Case(
        "gcs-3.17.blob_open_stream",
        lambda storage: storage.open("gs://demo/ds/train.jsonl", generation=7).read(1),
        ours_too={"generation": "7"},
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.capture)
def test_object_requests_match_the_client_library(
    storage: Storage, double: FakeVertexServer, case: Case
) -> None:
    wanted = load_exchanges(case.capture)[case.request]["request"]
    double.otherwise = lambda asked: json_answer({"size": "1", "generation": "7"})
    # The answer is not the sent object and is rejected; only the request is compared.
    with suppress(VertexError):
        case.act(storage)
    asked = next(one for one in double.asked if one.path == wanted["path"])
    assert asked.method == wanted["method"]
    query = dict(map(tuple, wanted["query"])) | case.ours_too
    assert comparable_query(asked.query) == comparable_query(list(query.items()))
    assert received_parts(asked) == captured_parts(wanted)


def received_parts(asked: ReceivedRequest) -> Any:
    return split_multipart(asked.content.decode()) if b"--=" in asked.content[:3] else asked.body


def captured_parts(wanted: Json) -> Any:
    body = wanted["body"]
    return split_multipart(body["_raw"]) if isinstance(body, dict) and "_raw" in body else body


def split_multipart(text: str) -> list[str]:
    """Return the parts without the boundary, which is random."""
    boundary = text.partition("\r\n")[0]
    return text.split(boundary)
