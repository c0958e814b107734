"""Download of an engine checkpoint's adapter as one zip file that PEFT can load."""

from __future__ import annotations

import shutil
from tempfile import SpooledTemporaryFile
from typing import IO
from zipfile import ZipFile

from studio.projects.places import ADAPTER_BUCKET
from studio.vertex.errors import NotFound
from studio.vertex.storage import BLOCK, Storage


def zip_adapter(storage: Storage, job_id: str, checkpoint: int) -> IO[bytes]:
    """Return a zip file of the checkpoint. Raise VertexError (NotFound if the checkpoint doesn't exist)."""
    prefix = f"{job_id}/{checkpoint}/"
    files = storage.list(ADAPTER_BUCKET, prefix).objects
    if not files:
        raise NotFound(f"There is no adapter in gs://{ADAPTER_BUCKET}/{prefix}.")
    archive: IO[bytes] = SpooledTemporaryFile(max_size=BLOCK)  # noqa: SIM115 (closed with the answer)
    with ZipFile(archive, "w") as zipped:
        for file in files:
            name = file.uri.rpartition("/")[2]
            with storage.open(file.uri, file.generation) as source, zipped.open(name, "w") as target:
                shutil.copyfileobj(source, target)
    archive.seek(0)
    return archive
