"""A tuning request in Google's two Python libraries (pure).

The arguments are those of google-genai 2.34, google-cloud-aiplatform 1.95, and later; tests/conformance runs
both texts against the engine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jobs.request.target import TOKEN_VARIABLE, Body, RequestTarget, Snippet
from studio.vertex.catalog import ADAPTER_SIZES

VERTEXAI_SIZES = {1, 4, 8, 16}
"""Adapter sizes of sft.train before version 2.0, which added 32."""
INDENT = " " * 4

Arguments = list[tuple[str, str]]
"""Argument names with their values as Python expressions."""


def python_genai(body: Body, address: RequestTarget) -> Snippet:
    source, spec, chosen = split_body(body)
    pre_tuned = body.get("preTunedModel") or {}
    config: Arguments = []
    if validation := spec.get("validationDatasetUri"):
        config.append(("validation_dataset", f"types.TuningValidationDataset(gcs_uri={validation!r})"))
    config += optional_argument(chosen, ("epoch_count", "epochCount", int))
    if "adapterSize" in chosen:
        config.append(("adapter_size", f"types.AdapterSize.{chosen['adapterSize']}"))
    config += [
        *optional_argument(chosen, ("learning_rate_multiplier", "learningRateMultiplier", float)),
        *optional_argument(spec, ("export_last_checkpoint_only", "exportLastCheckpointOnly", bool)),
        *optional_argument(pre_tuned, ("pre_tuned_model_checkpoint_id", "checkpointId", str)),
        *optional_argument(body, ("tuned_model_display_name", "tunedModelDisplayName", str)),
        *optional_argument(body, ("description", "description", str)),
        *optional_argument(body, ("labels", "labels", dict)),
    ]
    if key := (body.get("encryptionSpec") or {}).get("kmsKeyName"):
        config.append(("encryption_spec", f"types.EncryptionSpec(kms_key_name={key!r})"))
    if account := body.get("serviceAccount"):
        extra = f"types.HttpOptions(extra_body={{'serviceAccount': {account!r}}})"
        config.append(("http_options", extra))
    call: Arguments = [
        ("base_model", repr(source)),
        ("training_dataset", f"types.TuningDataset(gcs_uri={spec.get('trainingDatasetUri', '')!r})"),
        ("config", format_call("types.CreateTuningJobConfig", config, 1)),
    ]
    missing = find_unsupported(body, GENAI_FIELDS)
    lines = [
        *render_genai_client(address),
        "",
        *comment_unsupported(missing, "google-genai has no argument for"),
        f"job = {format_call('client.tunings.tune', call)}",
        "print(job.name)",
    ]
    return Snippet("python-genai", "Python (google-genai)", "\n".join(lines), tuple(missing))


def render_genai_client(address: RequestTarget) -> Iterator[str]:
    yield from render_token_comment(address)
    credentials = credentials_expression(address, "google.oauth2.credentials.Credentials(token='local')")
    yield from render_imports(credentials)
    yield "from google import genai"
    yield "from google.genai import types"
    yield ""
    arguments: Arguments = [
        ("vertexai", "True"),
        ("project", repr(address.project_id)),
        ("location", repr(address.location)),
    ]
    if address.on_engine or address.own_host:
        arguments.append(("http_options", f"types.HttpOptions(base_url={address.url!r})"))
    if credentials:
        arguments.append(("credentials", credentials))
    yield f"client = {format_call('genai.Client', arguments)}"


def python_vertexai(body: Body, address: RequestTarget) -> Snippet:
    source, spec, chosen = split_body(body)
    title = "Python (vertexai)"
    if "preTunedModel" in body:
        text = (
            "# vertexai.tuning.sft starts from base models only: it cannot go on from a tuned model\n"
            f"# ({source!r}).\n"
            "# Use google-genai, REST or curl for this request."
        )
        return Snippet("python-vertexai", title, text, ("preTunedModel",))
    size = ADAPTER_SIZES.get(chosen.get("adapterSize", ""))
    call: Arguments = [
        ("source_model", repr(source)),
        ("train_dataset", repr(spec.get("trainingDatasetUri", ""))),
        *optional_argument(spec, ("validation_dataset", "validationDatasetUri", str)),
        *optional_argument(chosen, ("epochs", "epochCount", int)),
        *([("adapter_size", str(size))] if size in VERTEXAI_SIZES | {32} else []),
        *optional_argument(chosen, ("learning_rate_multiplier", "learningRateMultiplier", float)),
        *optional_argument(body, ("tuned_model_display_name", "tunedModelDisplayName", str)),
        *optional_argument(body, ("labels", "labels", dict)),
    ]
    missing = find_unsupported(body, VERTEXAI_FIELDS)
    if size is not None and size not in VERTEXAI_SIZES | {32}:
        missing.append("supervisedTuningSpec.hyperParameters.adapterSize")
    newer = ["# adapter_size=32 needs google-cloud-aiplatform 2.0 or later."] if size == 32 else []
    lines = [
        *render_vertexai_init(body, address),
        "",
        *comment_unsupported(missing, "sft.train has no argument for"),
        *newer,
        f"job = {format_call('sft.train', call)}",
        "print(job.resource_name)",
    ]
    return Snippet("python-vertexai", title, "\n".join(lines), tuple(missing))


def render_vertexai_init(body: Body, address: RequestTarget) -> Iterator[str]:
    yield from render_token_comment(address)
    credentials = credentials_expression(address, "google.auth.credentials.AnonymousCredentials()")
    yield from render_imports(credentials)
    yield "import vertexai"
    yield "from vertexai.tuning import sft"
    yield ""
    arguments: Arguments = [("project", repr(address.project_id)), ("location", repr(address.location))]
    if address.on_engine or address.own_host:
        arguments += [("api_transport", "'rest'"), ("api_endpoint", repr(address.url))]
    if credentials:
        arguments.append(("credentials", credentials))
    arguments += optional_argument(body, ("service_account", "serviceAccount", str))
    arguments += optional_argument(
        body.get("encryptionSpec") or {}, ("encryption_spec_key_name", "kmsKeyName", str)
    )
    yield format_call("vertexai.init", arguments)


def credentials_expression(address: RequestTarget, nobody: str) -> str:
    """Return an expression for the credentials, or "" if the library uses the default credentials."""
    if address.on_engine:
        token = f"google.oauth2.credentials.Credentials(token=os.environ[{TOKEN_VARIABLE!r}])"
        return token if address.token else nobody
    if not address.quota_project:
        return ""
    scope = "https://www.googleapis.com/auth/cloud-platform"
    return f"google.auth.default(scopes=[{scope!r}], quota_project_id={address.quota_project!r})[0]"


def render_imports(credentials: str) -> Iterator[str]:
    if "os.environ" in credentials:
        yield "import os"
        yield ""
    module = credentials.partition("(")[0].rpartition(".")[0]
    if module:
        yield f"import {module}"


def render_token_comment(address: RequestTarget) -> Iterator[str]:
    if address.on_engine and address.token:
        yield f"# {TOKEN_VARIABLE} holds the engine's token."


def split_body(body: Body) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """Return the tuned model, the supervised tuning spec and its hyper-parameters."""
    spec = body.get("supervisedTuningSpec") or {}
    pre_tuned = body.get("preTunedModel") or {}
    source = pre_tuned.get("tunedModelName") or body.get("baseModel") or ""
    return str(source), spec, spec.get("hyperParameters") or {}


def optional_argument(values: dict[str, Any], argument: tuple[str, str, type]) -> Arguments:
    """Return one argument (name, field, type) if the body has its field, else nothing."""
    name, field, kind = argument
    return [(name, repr(kind(values[field])))] if field in values else []


def format_call(function: str, arguments: Arguments, depth: int = 0) -> str:
    """Return a function call with one argument per line."""
    if not arguments:
        return f"{function}()"
    inner = "\n" + INDENT * (depth + 1)
    lines = ",".join(f"{inner}{name}={value}" for name, value in arguments)
    return f"{function}({lines},\n{INDENT * depth})"


def comment_unsupported(missing: list[str], words: str) -> list[str]:
    return [f"# Not sent, as {words} it: {path}" for path in missing]


COMMON_FIELDS = {
    "baseModel",
    "tunedModelDisplayName",
    "labels",
    "serviceAccount",
    "encryptionSpec.kmsKeyName",
    "supervisedTuningSpec.trainingDatasetUri",
    "supervisedTuningSpec.validationDatasetUri",
    "supervisedTuningSpec.hyperParameters.epochCount",
    "supervisedTuningSpec.hyperParameters.adapterSize",
    "supervisedTuningSpec.hyperParameters.learningRateMultiplier",
}
VERTEXAI_FIELDS = COMMON_FIELDS
GENAI_FIELDS = COMMON_FIELDS | {
    "description",
    "preTunedModel.tunedModelName",
    "preTunedModel.checkpointId",
    "supervisedTuningSpec.exportLastCheckpointOnly",
}
"""Fields of the body that google-genai supports."""


def find_unsupported(body: Body, known: set[str]) -> list[str]:
    return [path for path in iter_field_paths(body) if path not in known]


def iter_field_paths(value: dict[str, Any], above: str = "") -> Iterator[str]:
    """Yield the dotted paths of the fields that are set; labels count as one field."""
    for key, inner in value.items():
        path = f"{above}{key}"
        if isinstance(inner, dict) and path != "labels":
            yield from iter_field_paths(inner, f"{path}.")
        else:
            yield path
