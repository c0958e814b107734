"""The part of Cloud Storage's JSON API that uploading and reading datasets needs.

https://cloud.google.com/storage/docs/json_api/v1
"""

import base64
import re
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path
from typing import Any
from urllib.parse import quote

from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse

from engine.gcs import adapter_bucket
from engine.gcs.object_store import (
    BLOCK,
    SAMPLES_BUCKET,
    StoredObject,
    UploadMetadata,
    check_bucket,
    check_generation,
)
from engine.gcs.uploads import ContentRange, UploadSession, save_multipart, save_stream
from engine.protojson import message_reader
from engine.protojson.errors import ApiError, disk_full, invalid_argument
from engine.protojson.lenient_json import parse_json
from engine.protojson.numbers import invalid_number, parse_whole_number, shorten
from engine.protojson.pagination import paginate
from engine.protojson.request_body import RequestBody, read_body_text
from engine.queue.disk_space import has_room
from engine.request_guard import CONTENT_TYPE
from engine.services import root, store

Json = dict[str, Any]

_RANGE = re.compile(r"bytes=([0-9]*)-([0-9]*)")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_DEFAULT_TYPE = "application/octet-stream"
_LONGEST_TYPE = 255  # characters: more than any registered media type with its parameters


def list_buckets(request: HttpRequest) -> HttpResponse:
    listed = paginate(request.GET, "items", [bucket_resource(name) for name in store().buckets()], 1000)
    return message_reader.json_response({"kind": "storage#buckets", **listed})


def create_bucket(request: HttpRequest) -> HttpResponse:
    name = str(_read_metadata(request).get("name", ""))
    store().create_bucket(name)
    return message_reader.json_response(bucket_resource(name))


def get_bucket(request: HttpRequest, bucket: str) -> HttpResponse:
    """Every valid name is a bucket here: the first write makes it."""
    return message_reader.json_response(bucket_resource(check_bucket(bucket)))


def bucket_resource(name: str) -> Json:
    return {
        "kind": "storage#bucket",
        "id": name,
        "name": name,
        "location": "US-CENTRAL1",
        "locationType": "region",
        "storageClass": "STANDARD",
        "metageneration": "1",
        "etag": "CAE=",
    }


def list_objects(request: HttpRequest, bucket: str) -> HttpResponse:
    prefix, delimiter = request.GET.get("prefix", ""), request.GET.get("delimiter", "")
    if bucket == adapter_bucket.BUCKET:
        adapter_bucket.publish_adapters(prefix)
    query = request.GET.copy()
    query["pageSize"] = request.GET.get("maxResults", "")
    listed = paginate(query, "entries", list(_entries(store().objects(bucket), prefix, delimiter)), 1000)
    entries = listed.pop("entries", [])
    items = [object_resource(request, entry["object"]) for entry in entries if "object" in entry]
    prefixes = [entry["name"] for entry in entries if "object" not in entry]
    found = {"items": items, "prefixes": prefixes}
    return message_reader.json_response(
        {"kind": "storage#objects", **{k: v for k, v in found.items() if v}, **listed}
    )


def _entries(objects: list[StoredObject], prefix: str, delimiter: str) -> Iterator[Json]:
    """The objects under the prefix; those behind one more delimiter only as their common prefix, once."""
    folder = None
    for found in objects:
        if not found.name.startswith(prefix):
            continue
        head, cut, _ = found.name[len(prefix) :].partition(delimiter) if delimiter else ("", "", "")
        if not cut:
            yield {"name": found.name, "object": found}
        elif folder != prefix + head + cut:
            folder = prefix + head + cut
            yield {"name": folder}


def object_resource(request: HttpRequest, found: StoredObject) -> Json:
    path = f"storage/v1/b/{found.bucket}/o/{quote(found.name, safe='')}"
    server = _server_url(request)
    made = message_reader.format_timestamp(found.created)
    resource = {
        "kind": "storage#object",
        "id": f"{found.bucket}/{found.name}/{found.generation}",
        "selfLink": f"{server}/{path}",
        "mediaLink": f"{server}/download/{path}?generation={found.generation}&alt=media",
        "name": found.name,
        "bucket": found.bucket,
        "generation": str(found.generation),
        "metageneration": "1",
        "contentType": found.content_type,
        "storageClass": "STANDARD",
        "size": str(found.size),
        "md5Hash": found.md5,
        "crc32c": found.crc32c,
        "etag": _etag(found),
        "timeCreated": made,
        "updated": made,
    }
    return {**resource, "metadata": found.metadata} if found.metadata else resource


def _etag(found: StoredObject) -> str:
    return base64.b64encode(str(found.generation).encode()).decode()


def get_object(request: HttpRequest, bucket: str, name: str) -> HttpResponseBase:
    if bucket == adapter_bucket.BUCKET:
        adapter_bucket.publish_adapters(name)
    found = store().get(bucket, name, _parse_number(request, "generation"))
    check_generation(found, _parse_number(request, "ifGenerationMatch"))
    return (
        download_object(request, found)
        if request.GET.get("alt") == "media"
        else _object_response(request, found)
    )


def _object_response(request: HttpRequest, found: StoredObject) -> HttpResponse:
    return message_reader.json_response(object_resource(request, found))


def _server_url(request: HttpRequest) -> str:
    return f"{request.scheme}://{request.headers['Host']}"


def delete_object(request: HttpRequest, bucket: str, name: str) -> HttpResponse:
    _check_writable(bucket)
    store().delete(
        bucket, name, _parse_number(request, "ifGenerationMatch"), _parse_number(request, "generation")
    )
    return HttpResponse(status=204)


def download_object(request: HttpRequest, found: StoredObject) -> StreamingHttpResponse:
    span = _parse_range(request.headers.get("Range", ""), found.size)
    start, end = span or (0, found.size)
    response = StreamingHttpResponse(
        _blocks(store().data_path(found), start, end),
        status=206 if span else 200,
        content_type=_DEFAULT_TYPE if _CONTROL.search(found.content_type) else found.content_type,
        headers=_download_headers(found),
    )
    response["Content-Length"] = str(end - start)
    if span:
        response["Content-Range"] = f"bytes {start}-{end - 1}/{found.size}"
    return response


def _download_headers(found: StoredObject) -> dict[str, str]:
    return {
        "Accept-Ranges": "bytes",
        "ETag": f'"{_etag(found)}"',
        "Last-Modified": formatdate(found.created, usegmt=True),
        "X-Goog-Generation": str(found.generation),
        "X-Goog-Metageneration": "1",
        "X-Goog-Hash": f"crc32c={found.crc32c},md5={found.md5}",
        "X-Goog-Stored-Content-Length": str(found.size),
        "X-Goog-Stored-Content-Encoding": "identity",
        "X-Content-Type-Options": "nosniff",
        "Content-Disposition": "attachment",
    }


def _parse_range(header: str, size: int) -> tuple[int, int] | None:
    """From and up to which byte, or None for all: a Range header of another form counts as none."""
    match = _RANGE.fullmatch(header.strip())
    if match is None or match.groups() == ("", ""):
        return None
    wrong = invalid_argument(f"Failed to parse Range header: {shorten(header)}.")
    first, last = (parse_whole_number(part, wrong) if part else None for part in match.groups())
    start = max(size - (last or 0), 0) if first is None else first
    end = size if first is None or last is None else min(last + 1, size)
    if start >= end:
        raise ApiError("RANGE_NOT_SATISFIABLE", "The requested range cannot be satisfied.")
    return start, end


def _blocks(path: Path, start: int, end: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(start)
        while start < end and (block := file.read(min(BLOCK, end - start))):
            start += len(block)
            yield block


def upload_object(request: HttpRequest, bucket: str) -> HttpResponse:
    """POST: a whole object (media, multipart), or the beginning of a resumable session."""
    _check_writable(bucket)
    if not _has_room(request):
        raise disk_full()
    kind = request.GET.get("uploadType", "media")
    if kind == "resumable":
        return _begin_resumable_upload(request, bucket)
    content_type = request.META[CONTENT_TYPE]
    staged, stream = store().new_staging_path(), RequestBody(request)
    try:
        if kind == "multipart":
            metadata = save_multipart(stream, content_type, staged)
        else:
            metadata = {"contentType": content_type}
            save_stream(stream, staged)
        return _object_response(request, store().put(staged, _upload_metadata(request, bucket, metadata)))
    finally:
        staged.unlink(missing_ok=True)


def _begin_resumable_upload(request: HttpRequest, bucket: str) -> HttpResponse:
    metadata = _read_metadata(request)
    content_type = request.headers.get("X-Upload-Content-Type")
    asked = {"contentType": content_type, **metadata} if content_type else metadata
    session = UploadSession.begin(store(), _upload_metadata(request, bucket, asked))
    response = HttpResponse(status=200)
    query = f"uploadType=resumable&upload_id={session.id}"
    response["Location"] = f"{_server_url(request)}{request.path}?{query}"
    response["X-GUploader-UploadID"] = session.id
    return response


def resume_upload(request: HttpRequest, bucket: str) -> HttpResponse:
    """PUT to a session: bytes, or with `Content-Range: bytes */N` a question for what is there."""
    session = UploadSession.find(store(), request.GET.get("upload_id", ""))
    if not _has_room(request):
        session.discard()
        raise disk_full()
    span = ContentRange.parse(
        request.headers.get("Content-Range", ""), request.headers.get("Content-Length", "")
    )
    made = session.append_chunk(RequestBody(request), span)
    if made:
        return _object_response(request, made)
    response = HttpResponse(status=308)
    if session.received_bytes:
        response["Range"] = f"bytes=0-{session.received_bytes - 1}"
    return response


def cancel_upload(request: HttpRequest, bucket: str) -> HttpResponse:
    raise UploadSession.find(store(), request.GET.get("upload_id", "")).cancel()


def _upload_metadata(request: HttpRequest, bucket: str, metadata: Json) -> UploadMetadata:
    given = {kind: value for kind, value in _parse_hash_header(request).items() if value}
    hashes = {"crc32c": metadata.get("crc32c", ""), "md5": metadata.get("md5Hash", ""), **given}
    own = metadata.get("metadata") or {}
    if not isinstance(own, dict):
        raise invalid_argument("metadata must be an object of strings.")
    return UploadMetadata(
        bucket=bucket,
        name=str(metadata.get("name") or request.GET.get("name", "")),
        content_type=_check_content_type(str(metadata.get("contentType") or _DEFAULT_TYPE)),
        metadata={str(key): str(value) for key, value in own.items()},
        if_generation_match=_parse_number(request, "ifGenerationMatch"),
        **hashes,
    )


def _check_content_type(text: str) -> str:
    """It becomes a header of every download."""
    if _CONTROL.search(text) or len(text) > _LONGEST_TYPE:
        raise invalid_argument(
            f"Invalid contentType. Use at most {_LONGEST_TYPE} characters without line breaks."
        )
    return text


def _parse_hash_header(request: HttpRequest) -> dict[str, str]:
    pairs = (pair.strip().partition("=") for pair in request.headers.get("X-Goog-Hash", "").split(","))
    return {kind: value for kind, _, value in pairs if kind in ("crc32c", "md5")}


def _read_metadata(request: HttpRequest) -> Json:
    metadata = parse_json(read_body_text(request) or "{}")
    if not isinstance(metadata, dict):
        raise invalid_argument("The body must be a JSON object.")
    return metadata


def _parse_number(request: HttpRequest, name: str) -> int | None:
    text = request.GET.get(name)
    return None if text is None else parse_whole_number(text, invalid_number(name, text))


def _has_room(request: HttpRequest) -> bool:
    """Whether the request's body fits beside the reserve, which is for jobs that run already."""
    length = request.headers.get("Content-Length", "")
    return has_room(root(), int(length) if re.fullmatch("[0-9]{1,19}", length) else 0)


def _check_writable(bucket: str) -> None:
    for kept, what in ((SAMPLES_BUCKET, "samples"), (adapter_bucket.BUCKET, "tuned adapters")):
        if bucket == kept:
            raise ApiError("PERMISSION_DENIED", f"The bucket {kept} holds {what} and is read-only.")
