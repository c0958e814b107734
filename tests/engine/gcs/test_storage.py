"""Cloud Storage over HTTP: by Google's own client, and by hand where the client does not go."""

from __future__ import annotations

import base64
import hashlib
import io
import json
from pathlib import Path
from typing import Any

import google_crc32c
import pytest
from google.api_core.exceptions import NotFound, PreconditionFailed
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage

from engine.gcs.object_store import ObjectStore, UploadMetadata, encode_file_name
from engine.samples.make import files
from tests.engine.running_engine import PROJECT, Engine

KIB = 1024


@pytest.fixture(scope="module")
def bucket(engine: Engine) -> storage.Bucket:
    client = storage.Client(
        project="myproject", credentials=AnonymousCredentials(), client_options={"api_endpoint": engine.url}
    )
    return client.bucket("by-the-client")


def crc32c(content: bytes) -> str:
    return base64.b64encode(google_crc32c.Checksum(content).digest()).decode()


def test_client_uploads_a_small_object(bucket: storage.Bucket) -> None:
    blob = bucket.blob("ds/train.jsonl")
    blob.metadata = {"made-by": "test"}
    blob.upload_from_string('{"a":1}\n', content_type="application/jsonl")
    found = bucket.get_blob("ds/train.jsonl")
    assert (found.size, found.content_type) == (8, "application/jsonl")
    assert found.metadata == {"made-by": "test"}
    assert found.crc32c == crc32c(b'{"a":1}\n')
    assert (
        found.md5_hash == base64.b64encode(hashlib.md5(b'{"a":1}\n', usedforsecurity=False).digest()).decode()
    )
    assert found.download_as_bytes(checksum="crc32c") == b'{"a":1}\n'
    assert found.download_as_bytes(start=2, end=4) == b'a":'


@pytest.mark.parametrize(
    "name", ["a b/ü%2F?#+.jsonl", "..", "日本語/データ.jsonl", "x" * 900, ".hidden", "a//b"]
)
def test_any_object_name_round_trips(bucket: storage.Bucket, name: str) -> None:
    name = f"names/{name}"
    bucket.blob(name).upload_from_string(name.encode())
    assert bucket.blob(name).download_as_bytes() == name.encode()
    assert name in [blob.name for blob in bucket.client.list_blobs(bucket, prefix="names/")]
    bucket.blob(name).delete()
    assert not bucket.blob(name).exists()


@pytest.mark.parametrize("chunk", [None, 256 * KIB])
def test_client_uploads_in_a_resumable_session(bucket: storage.Bucket, chunk: int | None) -> None:
    content = bytes(range(256)) * (9 * 4 * KIB)
    blob = bucket.blob("big.bin", chunk_size=chunk and 16 * chunk)
    blob.upload_from_file(io.BytesIO(content), size=len(content))
    assert bucket.blob("big.bin").download_as_bytes() == content


def test_upload_of_unknown_size_succeeds(bucket: storage.Bucket) -> None:
    content = b"x" * 300_000
    bucket.blob("unknown.bin", chunk_size=256 * KIB).upload_from_file(io.BytesIO(content))
    assert bucket.blob("unknown.bin").download_as_bytes() == content


def test_overwrite_requires_the_expected_generation(bucket: storage.Bucket) -> None:
    blob = bucket.blob("once.txt")
    blob.upload_from_string(b"first", if_generation_match=0)
    first = blob.generation
    with pytest.raises(PreconditionFailed):
        blob.upload_from_string(b"second", if_generation_match=0)
    blob.upload_from_string(b"second", if_generation_match=first)
    assert blob.generation > first
    with pytest.raises(NotFound):
        bucket.blob("once.txt", generation=first).download_as_bytes()
    with pytest.raises(PreconditionFailed):
        blob.delete(if_generation_match=first)


def test_objects_are_listed_by_prefix_and_delimiter_in_pages(bucket: storage.Bucket) -> None:
    for name in ("l/a", "l/b/1", "l/b/2", "l/c", "l/d/1"):
        bucket.blob(name).upload_from_string(b"")
    listed = bucket.client.list_blobs(bucket, prefix="l/", delimiter="/", page_size=2)
    assert [blob.name for blob in listed] == ["l/a", "l/c"]
    assert listed.prefixes == {"l/b/", "l/d/"}
    assert "by-the-client" in [found.name for found in bucket.client.list_buckets()]


def test_missing_object_error_matches_cloud_storage(engine: Engine, bucket: storage.Bucket) -> None:
    assert bucket.get_blob("nope") is None
    error = engine.get("storage/v1/b/by-the-client/o/nope").json()["error"]
    assert error == {
        "code": 404,
        "message": "No such object: by-the-client/nope",
        "errors": [
            {"message": "No such object: by-the-client/nope", "domain": "global", "reason": "notFound"}
        ],
    }
    assert engine.call("DELETE", "storage/v1/b/by-the-client/o/nope").status_code == 404
    assert engine.get("storage/v1/b/Not%20a%20bucket/o").json()["error"]["errors"][0]["reason"] == "invalid"
    assert engine.get("storage/v1/nowhere").json()["error"]["errors"][0]["reason"] == "notFound"


def test_every_valid_bucket_exists_and_can_be_created_once(engine: Engine) -> None:
    assert engine.get("storage/v1/b/never-written?projection=noAcl").json()["name"] == "never-written"
    assert engine.get("storage/v1/b/never-written/o").json() == {"kind": "storage#objects"}
    assert engine.post("storage/v1/b?project=p", {"name": "made"}).json()["id"] == "made"
    assert engine.post("storage/v1/b?project=p", {"name": "made"}).status_code == 409


def test_upload_with_a_wrong_hash_is_refused(engine: Engine) -> None:
    body = (
        b'--b\r\ncontent-type: application/json\r\n\r\n{"name": "wrong", "crc32c": "AAAAAA=="}\r\n'
        b"--b\r\ncontent-type: text/plain\r\n\r\nhello\r\n--b--"
    )
    headers = {"Content-Type": 'multipart/related; boundary="b"'}
    path = "upload/storage/v1/b/data/o?uploadType=multipart"
    response = engine.call("POST", path, data=body, headers=headers)
    assert response.status_code == 400
    assert "doesn't match calculated" in response.json()["error"]["message"]
    assert engine.get("storage/v1/b/data/o/wrong").status_code == 404
    assert engine.call("POST", path, data=body[:-20], headers=headers).status_code == 400
    assert not list((engine.root / "storage" / "=staging").iterdir())


class Session:
    """A resumable upload by hand."""

    def __init__(self, engine: Engine, name: str, **headers: str) -> None:
        begun = engine.post(
            "upload/storage/v1/b/data/o?uploadType=resumable", {"name": name}, headers=headers
        )
        self.engine = engine
        self.path = begun.headers["Location"].removeprefix(f"{engine.url}/")

    def put(self, content: bytes, span: str) -> Any:
        return self.engine.call("PUT", self.path, data=content, headers={"Content-Range": f"bytes {span}"})


def test_session_reports_its_range_and_resumes(engine: Engine) -> None:
    session = Session(engine, "resumed.txt", **{"X-Upload-Content-Type": "text/plain"})
    nothing = session.put(b"", "*/10")
    assert (nothing.status_code, nothing.headers.get("Range")) == (308, None)
    part = session.put(b"01234", "0-4/10")
    assert (part.status_code, part.headers["Range"]) == (308, "bytes=0-4")
    gap = session.put(b"89", "8-9/10")
    assert (gap.status_code, gap.headers["Range"]) == (308, "bytes=0-4")
    again = session.put(b"3456789", "3-9/10")
    assert (again.status_code, again.json()["size"]) == (200, "10")
    assert again.json()["contentType"] == "text/plain"
    assert session.put(b"", "*/10").json() == again.json()
    assert engine.get("download/storage/v1/b/data/o/resumed.txt?alt=media").content == b"0123456789"


def test_a_session_can_be_cancelled(engine: Engine) -> None:
    session = Session(engine, "cancelled.txt")
    session.put(b"01234", "0-4/10")
    assert engine.call("DELETE", session.path).status_code == 499
    assert session.put(b"", "*/10").status_code == 404


def test_interrupted_body_is_kept_and_can_be_continued(engine: Engine) -> None:
    session = Session(engine, "broken.txt")
    begun = session.put(b"01234", "0-9/10")
    assert (begun.status_code, begun.headers["Range"]) == (308, "bytes=0-4")
    assert session.put(b"56789", "5-9/10").status_code == 200


def test_chunked_body_of_unknown_length_is_stored(engine: Engine) -> None:
    path = "upload/storage/v1/b/data/o?uploadType=media&name=pieces"
    made = engine.call("POST", path, data=iter([b"one ", b"two"]))
    assert (made.status_code, made.json()["size"]) == (200, "7")
    session = Session(engine, "more-pieces")
    made = engine.call("PUT", session.path, data=iter([b"one ", b"two"]))
    assert (made.status_code, made.json()["size"]) == (200, "7")


@pytest.mark.parametrize(
    ("span", "status", "content"),
    [
        ("bytes=0-3", 206, b"0123"),
        ("bytes=7-", 206, b"789"),
        ("bytes=-2", 206, b"89"),
        ("bytes=8-99", 206, b"89"),
        ("bytes=10-", 416, None),
        ("lines=1-2", 200, b"0123456789"),
    ],
)
def test_range_header_returns_the_requested_bytes(
    engine: Engine, span: str, status: int, content: bytes | None
) -> None:
    engine.upload("ranges.txt", "0123456789")
    response = engine.get("storage/v1/b/data/o/ranges.txt?alt=media", headers={"Range": span})
    assert response.status_code == status
    if content is not None:
        assert response.content == content
        assert response.headers["X-Goog-Hash"].startswith(f"crc32c={crc32c(b'0123456789')},")


@pytest.mark.parametrize("folder", ["", "gemini-1_5/text/"])
@pytest.mark.parametrize("kind", ["train", "validation"])
def test_samples_of_the_reference_page_can_be_read_and_tuned_on(
    engine: Engine, folder: str, kind: str
) -> None:
    name = f"ai-platform/generative_ai/{folder}sft_{kind}_data.jsonl"
    path = f"storage/v1/b/cloud-samples-data/o/{name.replace('/', '%2F')}"
    content = engine.get(f"{path}?alt=media").text
    assert content == files()[f"sft_{kind}_data.jsonl"]
    assert all(json.loads(line)["contents"][-1]["role"] == "model" for line in content.splitlines())
    assert engine.call("DELETE", path).status_code == 403
    upload = f"upload/storage/v1/b/cloud-samples-data/o?uploadType=media&name={name}"
    assert engine.call("POST", upload, data=b"x").status_code == 403
    spec = {"trainingDatasetUri": f"gs://cloud-samples-data/{name}"}
    job = engine.post(f"{PROJECT}/tuningJobs", {"baseModel": "studio-tiny", "supervisedTuningSpec": spec})
    assert job.status_code == 200
    engine.post(f"v1/{job.json()['name']}:cancel")


def test_committed_samples_match_their_script() -> None:
    for name, content in files().items():
        assert (Path("engine/samples") / name).read_text() == content


def test_pinned_object_survives_deletion(tmp_path: Path) -> None:
    store = ObjectStore(tmp_path)
    staged = store.new_staging_path()
    staged.write_bytes(b"kept")
    made = store.put(staged, UploadMetadata("data", "name"))
    with store.pin_generation(made) as path:
        store.delete("data", "name", None, None)
        assert path.read_bytes() == b"kept"
    assert store.find("data", "name") is None
    assert not list(store.staging.iterdir())


def test_file_names_on_disk_never_collide() -> None:
    names = [".", "%2E", "a/b", "a%2Fb", "x" * 300, "x" * 301, "=staging", "a=b"]
    assert len({encode_file_name(name) for name in names}) == len(names)
    assert all(len(encode_file_name(name)) <= 200 for name in names)
    assert not any("/" in encode_file_name(name) or encode_file_name(name).startswith(".") for name in names)
