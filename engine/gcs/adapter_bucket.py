"""Adapters as objects: gs://studio-adapters/JOB/CHECKPOINT/FILE, read-only, together what PEFT loads.

They enter the store on first request, as hard links to the checkpoint's files.
"""

import re
import threading

from engine.api.resource_names import JOB_DIGITS
from engine.gcs.object_store import UploadMetadata
from engine.queue.job_folder import JobFolder
from engine.services import root, store

BUCKET = "studio-adapters"
_publish_lock = threading.Lock()


def publish_adapters(name: str) -> None:
    """Put every adapter into the bucket whose objects begin with `name`: one job's, if it names a job."""
    job = name.partition("/")[0]
    named = re.fullmatch(rf"\d{{{JOB_DIGITS}}}", job)
    with _publish_lock:
        for folder in [JobFolder(root() / "jobs" / job)] if named else JobFolder.all(root()):
            _publish_job(folder)


def _publish_job(folder: JobFolder) -> None:
    for checkpoint in folder.checkpoints():
        for file in checkpoint.folder.iterdir():
            name = f"{folder.id}/{checkpoint.checkpoint_id}/{file.name}"
            if store().find(BUCKET, name) is None:
                staged = store().new_staging_path()
                staged.hardlink_to(file)
                store().put(staged, UploadMetadata(BUCKET, name, _content_type(file.suffix)))


def _content_type(suffix: str) -> str:
    return "application/json" if suffix == ".json" else "application/octet-stream"
