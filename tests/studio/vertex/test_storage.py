"""Objects: the requests of Google's library, streaming instead of whole files, and our errors."""

from __future__ import annotations

import base64
import hashlib
import io
import time
import traceback
from collections.abc import Callable
from typing import Any

import google_crc32c
import pytest

from studio.vertex.auth import Place
from studio.vertex.errors import (
    BadName,
    Conflict,
    CredentialsFailed,
    NotFound,
    NotSent,
    OutcomeUnknown,
    PermissionDenied,
    VertexError,
)
from studio.vertex.storage import BLOCK, QUICK, GsUri, Storage, parse_gs_uri
from tests.studio.vertex.double import (
    Answer,
    FakeVertexServer,
    ReceivedRequest,
    json_answer,
    load_exchanges,
    replay_answer,
)

URI = "gs://demo/ds/train.jsonl"
MEBIBYTE = 1024 * 1024


def assert_same_request(asked: ReceivedRequest, exchange: dict[str, Any]) -> None:
    """Return method, path, and the query without output options."""
    wanted = exchange["request"]
    assert (asked.method, asked.path) == (wanted["method"], wanted["path"])
    query = dict(map(tuple, wanted["query"]))
    assert dict(asked.query) | {"prettyPrint": "false"} == query | {"prettyPrint": "false"}


def make_object(content: bytes, name: str = "ds/train.jsonl", generation: str = "7") -> dict[str, str]:
    return {
        "bucket": "demo",
        "name": name,
        "size": str(len(content)),
        "generation": generation,
        "crc32c": base64.b64encode(google_crc32c.Checksum(content).digest()).decode(),
        "md5Hash": base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode(),
        "contentType": "application/jsonl",
        "updated": "2026-11-22T20:51:13.357235Z",
    }


def error_answer(code: int, reason: str) -> Answer:
    entry = {"domain": "global", "reason": reason, "message": f"because {reason}"}
    return json_answer({"error": {"code": code, "message": f"because {reason}", "errors": [entry]}}, code)


class GeneratedFile(io.RawIOBase):
    """`size` bytes generated while they are read; records the largest read."""

    def __init__(self, size: int) -> None:
        self.size, self.position, self.largest = size, 0, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, position: int, whence: int = io.SEEK_SET) -> int:
        self.position = (
            position + {io.SEEK_SET: 0, io.SEEK_CUR: self.position, io.SEEK_END: self.size}[whence]
        )
        return self.position

    def tell(self) -> int:
        return self.position

    def read(self, size: int = -1) -> bytes:
        assert size > 0, "the whole file was asked for"
        self.largest = max(self.largest, size)
        portion = b"x" * min(size, self.size - self.position)
        self.position += len(portion)
        return portion


def test_buckets_are_listed(storage: Storage, double: FakeVertexServer) -> None:
    [exchange] = load_exchanges("gcs-3.17.list_buckets-client_options")
    double.queue_answers(replay_answer(exchange))
    assert storage.buckets() == ("demo",)
    assert_same_request(double.asked[0], exchange)


def test_objects_are_listed(storage: Storage, double: FakeVertexServer) -> None:
    [exchange] = load_exchanges("gcs-3.17.list_blobs")
    double.queue_answers(replay_answer(exchange))
    listing = storage.list("demo", "ds/", limit=100)
    assert_same_request(double.asked[0], exchange)
    assert [found.uri for found in listing.objects] == [
        f"gs://demo/ds/{name}.jsonl" for name in ("train", "t2", "big", "big2")
    ]
    assert listing.complete


def test_listing_has_folders_and_a_next_page(storage: Storage, double: FakeVertexServer) -> None:
    double.queue_answers(
        json_answer({"items": [make_object(b"", "a")], "prefixes": ["b/", "a/"], "nextPageToken": "more"})
    )
    listing = storage.list("demo", limit=1)
    assert listing.prefixes == ("a/", "b/")
    assert not listing.complete
    assert len(double.asked) == 1


def test_next_page_is_requested_by_its_token(storage: Storage, double: FakeVertexServer) -> None:
    """A page with folders only is still one request."""
    double.queue_answers(
        json_answer({"prefixes": ["a/", "b/"], "nextPageToken": "a b+/="}),
        json_answer({"items": [make_object(b"", "z.jsonl")]}),
    )
    first = storage.list("demo", "ds/", limit=2)
    assert (first.objects, first.prefixes, first.next_page) == ((), ("a/", "b/"), "a b+/=")
    last = storage.list("demo", "ds/", limit=2, page=first.next_page)
    assert [found.uri for found in last.objects] == ["gs://demo/z.jsonl"] and last.complete
    assert [dict(asked.query).get("pageToken") for asked in double.asked] == [None, "a b+/="]
    assert {dict(asked.query)["maxResults"] for asked in double.asked} == {"2"}


def test_forbidden_listing_raises(storage: Storage, double: FakeVertexServer) -> None:
    double.queue_answers(error_answer(403, "forbidden"), error_answer(404, "notFound"))
    with pytest.raises(PermissionDenied):
        storage.list("demo")
    with pytest.raises(NotFound):
        storage.list("demo")


def test_stat_returns_object_metadata(storage: Storage, double: FakeVertexServer) -> None:
    [exchange] = load_exchanges("gcs-3.17.get_blob")
    double.queue_answers(replay_answer(exchange))
    info = storage.stat(URI)
    assert_same_request(double.asked[0], exchange)
    assert (info.uri, info.size, info.generation, info.crc32c) == (URI, 8, 1, "M3Q35g==")
    assert info.updated


def test_library_sends_no_extra_requests(storage: Storage, double: FakeVertexServer) -> None:
    double.queue_answers(json_answer(make_object(b"1")), json_answer(make_object(b"1")))
    storage.stat(URI)
    storage.stat(URI, generation=7)
    assert [asked.path for asked in double.asked] == ["/storage/v1/b/demo/o/ds%2Ftrain.jsonl"] * 2
    assert dict(double.asked[1].query)["generation"] == "7"


def test_a_small_upload_is_one_request_that_overwrites_nothing(
    storage: Storage, double: FakeVertexServer
) -> None:
    [exchange] = load_exchanges("gcs-3.17.upload_if_generation_match_0")
    content = b'{"a":1}\n'
    double.queue_answers(json_answer(make_object(content, "ds/t2.jsonl")))
    info = storage.upload(io.BytesIO(content), "gs://demo/ds/t2.jsonl", "application/jsonl")
    assert_same_request(double.asked[0], exchange)
    parts = double.asked[0].content.split(b"\r\n")
    assert b'{"name": "ds/t2.jsonl", "crc32c": "M3Q35g=="}' in parts
    assert content in parts
    assert (info.generation, info.size) == (7, 8)


def test_overwriting_must_be_asked_for(storage: Storage, double: FakeVertexServer) -> None:
    double.queue_answers(json_answer(make_object(b"1")))
    storage.upload(io.BytesIO(b"1"), URI, "application/jsonl", overwrite=True)
    assert "ifGenerationMatch" not in dict(double.asked[0].query)


def test_an_object_that_exists_is_a_conflict(storage: Storage, double: FakeVertexServer) -> None:
    double.queue_answers(error_answer(412, "conditionNotMet"))
    with pytest.raises(Conflict) as caught:
        storage.upload(io.BytesIO(b"1"), URI, "application/jsonl")
    assert caught.value.reason == "conditionNotMet"


def test_small_upload_is_not_retried(storage: Storage, double: FakeVertexServer) -> None:
    double.queue_answers(error_answer(503, "backendError"))
    with pytest.raises(OutcomeUnknown):
        storage.upload(io.BytesIO(b"1"), URI, "application/jsonl")
    assert len(double.asked) == 1


def session_answer(double: FakeVertexServer) -> Answer:
    location = f"{double.url}/upload/storage/v1/b/demo/o?uploadType=resumable&upload_id=secret-upload"
    return Answer(200, headers={"Location": location})


def list_ranges(double: FakeVertexServer) -> list[str]:
    return [asked.headers["content-range"] for asked in double.asked if asked.method == "PUT"]


def test_large_upload_is_sent_in_blocks_and_reports_progress(
    storage: Storage, double: FakeVertexServer
) -> None:
    file, told = GeneratedFile(9 * MEBIBYTE), []
    done = make_object(b"x" * file.size)
    double.queue_answers(
        session_answer(double), Answer(308, headers={"Range": f"bytes=0-{BLOCK - 1}"}), json_answer(done)
    )
    info = storage.upload(file, URI, "application/jsonl", progress=told.append)  # type: ignore[arg-type]
    first, last = (
        load_exchanges("gcs-3.17.upload_resumable_chunked_4MiB")[1],
        f"bytes {BLOCK}-9437183/9437184",
    )
    same_but_condition = dict(double.asked[0].query)
    assert same_but_condition.pop("ifGenerationMatch") == "0"
    assert same_but_condition == dict(map(tuple, first["request"]["query"]))
    assert double.asked[0].body == {"name": "ds/train.jsonl"}
    assert list_ranges(double) == [f"bytes 0-{BLOCK - 1}/9437184", last]
    assert (info.size, info.crc32c) == (file.size, done["crc32c"])
    assert file.largest <= BLOCK
    assert told[-1] == file.size
    assert told == sorted(told)


def test_lost_block_is_sent_again(storage: Storage, double: FakeVertexServer) -> None:
    size = 9 * MEBIBYTE
    double.queue_answers(
        session_answer(double),
        Answer(308, headers={"Range": f"bytes=0-{BLOCK - 1}"}),
        error_answer(503, "backendError"),
        Answer(reset=True),
        json_answer(make_object(b"x" * size)),
    )
    assert storage.upload(GeneratedFile(size), URI, "application/jsonl").size == size  # type: ignore[arg-type]
    assert [asked.method for asked in double.asked] == ["POST", "PUT", "PUT", "PUT", "PUT"]


def test_damaged_upload_raises(storage: Storage, double: FakeVertexServer) -> None:
    size = 9 * MEBIBYTE
    double.queue_answers(
        session_answer(double),
        Answer(308, headers={"Range": f"bytes=0-{BLOCK - 1}"}),
        json_answer(make_object(b"y" * size)),
        Answer(204),
    )
    with pytest.raises(OutcomeUnknown, match="checksum"):
        storage.upload(GeneratedFile(size), URI, "application/jsonl")  # type: ignore[arg-type]


def test_errors_hide_the_upload_session_url(storage: Storage, double: FakeVertexServer) -> None:
    double.queue_answers(session_answer(double), error_answer(403, "forbidden"))
    with pytest.raises(PermissionDenied) as caught:
        storage.upload(GeneratedFile(9 * MEBIBYTE), URI, "application/jsonl")  # type: ignore[arg-type]
    assert "secret-upload" not in "".join(traceback.format_exception(caught.value))


def serve_ranges(content: bytes, generation: str) -> Callable[[ReceivedRequest], Answer]:
    """Answers range requests for `content` like Cloud Storage."""

    def answer_range(asked: ReceivedRequest) -> Answer:
        first, last = map(int, asked.headers["range"].removeprefix("bytes=").split("-"))
        if first >= len(content):
            return Answer(416, "out of range")
        part = content[first : last + 1]
        span = f"bytes {first}-{first + len(part) - 1}/{len(content)}"
        return Answer(206, part, {"Content-Range": span, "X-Goog-Generation": generation})

    return answer_range


def test_read_pins_the_generation_and_reads_in_blocks(storage: Storage, double: FakeVertexServer) -> None:
    content = b"".join(b"%0100d\n" % line for line in range(100_000))
    double.queue_answers(json_answer(make_object(content)))
    double.otherwise = serve_ranges(content, "7")
    with storage.open(URI) as file:
        lines = sum(1 for _ in file)
    assert lines == 100_000
    reads = double.asked[1:]
    assert {asked.path for asked in reads} == {
        load_exchanges("gcs-3.17.download_as_bytes")[0]["request"]["path"]
    }
    assert {dict(asked.query)["generation"] for asked in reads} == {"7"}
    assert len(reads) == 2


def test_read_uses_the_given_generation(storage: Storage, double: FakeVertexServer) -> None:
    double.queue_answers(json_answer(make_object(b"one\ntwo", generation="3")))
    double.otherwise = serve_ranges(b"one\ntwo", "3")
    with storage.open(URI, generation=3) as file:
        assert file.readline() == b"one\n"
        assert file.read() == b"two"
    assert {dict(asked.query)["generation"] for asked in double.asked} == {"3"}


def test_an_empty_object_reads_as_nothing(storage: Storage, double: FakeVertexServer) -> None:
    double.queue_answers(json_answer(make_object(b"")))
    assert storage.open(URI).read() == b""
    assert len(double.asked) == 1


def test_object_shorter_than_its_size_raises(storage: Storage, double: FakeVertexServer) -> None:
    double.queue_answers(json_answer(make_object(b"one\ntwo")))
    double.otherwise = serve_ranges(b"one", "7")
    with storage.open(URI) as file, pytest.raises(OutcomeUnknown, match="before its size"):
        file.read()


def test_object_deleted_while_reading_raises(storage: Storage, double: FakeVertexServer) -> None:
    double.queue_answers(json_answer(make_object(b"1")), Answer(404, "No such object: demo/ds/train.jsonl"))
    with storage.open(URI) as file, pytest.raises(NotFound):
        file.read()


def test_delete_sends_the_captured_request(storage: Storage, double: FakeVertexServer) -> None:
    exchange = load_exchanges("gcs-3.17.delete")[0]
    double.queue_answers(Answer(204), error_answer(404, "notFound"))
    storage.delete("gs://demo/ds/t2.jsonl")
    assert_same_request(double.asked[0], exchange)
    storage.delete("gs://demo/ds/t2.jsonl")


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (error_answer(403, "forbidden"), PermissionDenied),
        (error_answer(404, "notFound"), NotFound),
        (Answer(404, "<html>"), NotFound),
        (Answer(302, headers={"Location": "http://127.0.0.1:9/"}), OutcomeUnknown),
    ],
)
def test_failing_stat_raises_without_retry(
    storage: Storage, double: FakeVertexServer, answer: Answer, kind: type[VertexError]
) -> None:
    double.queue_answers(answer)
    with pytest.raises(VertexError) as caught:
        storage.stat(URI)
    assert type(caught.value) is kind
    assert len(double.asked) == 1


def test_read_survives_a_short_outage(
    storage: Storage, double: FakeVertexServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("studio.vertex.storage.QUICK", QUICK.with_timeout(60))
    double.queue_answers(
        error_answer(503, "backendError"), Answer(reset=True), json_answer(make_object(b"1"))
    )
    assert storage.stat(URI).size == 1


def test_unreachable_store_fails_within_seconds() -> None:
    begin = time.monotonic()
    with pytest.raises(NotSent):
        Storage(Place("engine", "p", engine_url="http://127.0.0.1:9")).buckets()
    assert time.monotonic() - begin < 10


def test_without_credentials_nothing_is_requested() -> None:
    with pytest.raises(CredentialsFailed):
        Storage(Place("google", "p", credentials_file="/nowhere/key.json")).buckets()


@pytest.mark.parametrize(
    "uri",
    [
        "gs://demo/train.jsonl",
        "gs://my-bucket.example.com/a/b c/ü 日本.jsonl",
        "gs://abc/100%.jsonl",
        "gs://abc/v1..2/...x",
        "gs://cloud-samples-data/ai-platform/generative_ai/sft_train_data.jsonl",
    ],
)
def test_gs_uri_is_parsed(uri: str) -> None:
    parsed = parse_gs_uri(uri)
    assert str(parsed) == uri
    assert parsed == GsUri(*uri.removeprefix("gs://").split("/", 1))


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "gs://",
        "gs://demo",
        "gs://demo/",
        "gs:///x",
        "http://169.254.169.254/latest",
        "file:///etc/passwd",
        "gs://../x",
        "gs://de..mo/x",
        "gs://Demo/x",
        "gs://user@demo/x",
        "gs://demo/../x",
        "gs://demo/a/..",
        "gs://demo/./x",
        "gs://demo//etc",
        "gs://demo/%2e%2e/x",
        "gs://demo/%252e%252e/x",
        "gs://demo/..%2fx",
        "gs://demo/..\\x",
        "gs://demo/a%00b",
        "gs://demo/a\nb",
        "gs://demo\n/x",
        "gs://demo/a\x7f",
        "gs://demo/a\u2028",
        "gs://demo/\ud800",
        " gs://demo/x",
        "gs://demo/" + "x" * 1025,
        "gs://demo/" + "日" * 342,
        "gs://" + "b" * 300 + "/x",
        "gs://" + "b" * 64 + "/x",
    ],
)
def test_invalid_gs_uri_is_refused(uri: str) -> None:
    with pytest.raises(BadName):
        parse_gs_uri(uri)
