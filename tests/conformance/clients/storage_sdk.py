"""google-cloud-storage: what an upload of datasets needs, by both ways of naming the address."""

from __future__ import annotations

import io
import os
import sys
from typing import Any

from google.api_core.exceptions import NotFound, PreconditionFailed
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage

from tests.conformance.calls import PROJECT, SAMPLES, call, run

LINES = b'{"contents":[{"role":"user","parts":[{"text":"a"}]},{"role":"model","parts":[{"text":"b"}]}]}\n'
LARGE = LINES * (9 * 2**20 // len(LINES) + 1)


class Unmeasured(io.RawIOBase):
    """A stream whose length nobody knows."""

    def __init__(self, content: bytes) -> None:
        self.source = io.BytesIO(content)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        return self.source.read(size)

    def tell(self) -> int:
        return self.source.tell()


class Script:
    def __init__(self, url: str) -> None:
        os.environ["STORAGE_EMULATOR_HOST"] = url
        self.client = storage.Client(project=PROJECT)
        self.bucket = self.client.bucket("conformance")

    def blob(self, name: str = "sets/train.jsonl", **options: Any) -> Any:
        return self.bucket.blob(name, **options)

    @call("objects.insert (multipart)")
    def upload(self) -> None:
        self.blob().upload_from_string(LINES, content_type="application/jsonl")

    @call("objects.insert (resumable)")
    def upload_in_parts(self) -> None:
        blob = self.blob("sets/large.jsonl", chunk_size=4 * 2**20)
        blob.upload_from_file(io.BytesIO(LARGE), size=len(LARGE), content_type="application/jsonl")
        assert blob.size == len(LARGE)

    @call("objects.insert (resumable, of unknown length)")
    def upload_a_stream(self) -> None:
        blob = self.blob("sets/stream.jsonl", chunk_size=4 * 2**20)
        blob.upload_from_file(Unmeasured(LARGE))
        assert blob.size == len(LARGE)

    @call("objects.insert (ifGenerationMatch)")
    def upload_once(self) -> None:
        try:
            self.blob().upload_from_string(b"", if_generation_match=0)
        except PreconditionFailed:
            return
        raise AssertionError("an object was overwritten")

    @call("objects.get")
    def metadata(self) -> None:
        blob = self.bucket.get_blob("sets/train.jsonl")
        assert (blob.size, blob.content_type) == (len(LINES), "application/jsonl")
        assert blob.crc32c and blob.md5_hash and blob.generation and blob.updated
        assert blob.exists() and not self.blob("nothing").exists()

    @call("objects.get (that is not there)")
    def metadata_of_nothing(self) -> None:
        try:
            self.blob("nothing").reload()
        except NotFound:
            return
        raise AssertionError("expected 404")

    @call("objects.get (alt=media)")
    def download(self) -> None:
        assert self.blob().download_as_bytes() == LINES
        name = SAMPLES.removeprefix("gs://cloud-samples-data/")
        samples = self.client.bucket("cloud-samples-data").blob(f"{name}/sft_train_data.jsonl")
        assert samples.download_as_bytes().count(b"\n") == 120

    @call("objects.get (alt=media, range)")
    def download_in_parts(self) -> None:
        with self.blob("sets/large.jsonl").open("rb", chunk_size=4 * 2**20) as file:
            assert file.read() == LARGE
        assert self.blob().download_as_bytes(start=2, end=9) == LINES[2:10]

    @call("objects.list")
    def list_objects(self) -> None:
        found = self.client.list_blobs("conformance", prefix="sets/", page_size=1)
        assert [blob.name for blob in found] == ["sets/large.jsonl", "sets/stream.jsonl", "sets/train.jsonl"]
        folders = self.client.list_blobs("conformance", delimiter="/")
        assert list(folders) == [] and folders.prefixes == {"sets/"}

    @call("buckets.get", "buckets.list")
    def buckets(self) -> None:
        assert self.client.get_bucket("conformance").name == "conformance"
        named = storage.Client(
            project=PROJECT,
            credentials=AnonymousCredentials(),
            client_options={"api_endpoint": os.environ["STORAGE_EMULATOR_HOST"]},
        )
        assert "conformance" in [bucket.name for bucket in named.list_buckets()]

    @call("objects.delete")
    def delete(self) -> None:
        for blob in list(self.client.list_blobs("conformance")):
            blob.delete()
        assert list(self.client.list_blobs("conformance")) == []


if __name__ == "__main__":
    run(Script(sys.argv[1]), "google-cloud-storage")
