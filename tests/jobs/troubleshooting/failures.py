"""Known failures with the services' messages, each with its expected fix.

The engine's wordings are its own. Of Google's, these were seen from the real service: the adapter size,
"should be a GCS object of type JSONL", the unsupported modality, the valid role, "Resource exhausted", the
quota with its base model, the endpoint that could not be made (issues of python-genai, python-aiplatform and
generative-ai). The others follow the words that Google's APIs commonly use, and were not seen.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from jobs.datasets.models import Dataset
from jobs.lifecycle.stored_errors import serialize
from jobs.models import Submission, TuningJob
from studio.models import Project
from studio.vertex import errors
from studio.vertex.errors import VertexError, Violation

SPEC = "tuning_job.supervised_tuning_spec"
KEY = "projects/p/locations/{}/keyRings/r/cryptoKeys/k"
CONSOLE = "https://console.cloud.google.com"


def make_dataset(name: str, examples: int) -> Dataset:
    return Dataset(uri=f"gs://data/{name}.jsonl", report={"examples": examples, "lines": examples})


def make_job(backend: str = "google", **fields: Any) -> TuningJob:
    """Return an unsaved job that was rejected."""
    project = Project(
        slug="p", project_id="my-project", backend=backend, regions=["us-central1", "europe-west4"]
    )
    usual: dict[str, Any] = {
        "base_model": "gemini-2.5-pro",
        "location": "us-central1",
        "submission": Submission.REFUSED,
        "training": make_dataset("train", 480),
        "validation": make_dataset("held-out", 14),
        "validation_enabled": True,
    }
    return TuningJob(project=project, **{**usual, **fields})


def make_refusal(message: str, *fields: str, kind: type[VertexError] = errors.BadRequest, **more: Any) -> Any:
    """Return a rejected call as submission.mark_refused stores it, with violations of the given `fields`."""
    code = {errors.BadRequest: 400, errors.PermissionDenied: 403, errors.TooManyRequests: 429}.get(kind)
    violations = tuple(Violation(path, message) for path in fields)
    return serialize(kind(message, code=code, violations=violations, **more))


def make_job_error(code: int, message: str) -> dict[str, Any]:
    """Return a failed job's error with a gRPC code."""
    return {"code": code, "message": message}


@dataclass(frozen=True)
class Row:
    """An error of a job with the fields `job`, and the expected fix."""

    fault: Any
    cause: str
    action: str
    field: str = ""
    changes: dict[str, Any] = dataclasses.field(default_factory=dict)
    button: str = ""
    link: str = ""
    job: dict[str, Any] = dataclasses.field(default_factory=dict)


ON_ENGINE = {"backend": "engine", "base_model": "studio-tiny"}
ADAPTER = "The adapter size is not supported for this base model."
NO_KEY = "Customer-managed encryption keys are not supported for this base model. Leave encryption_spec out."
JSONL = "should be a GCS object of type JSONL."
UNREADABLE = (
    "service-1@gcp-sa-vertex-tune.iam.gserviceaccount.com does not have storage.objects.get access to the "
    "Google Cloud Storage object. Permission 'storage.objects.get' denied on resource (or it may not exist)."
)
MODALITY = (
    'Dataset example 1 of 14 contains an unsupported modality [function call] in the "parts" field, which is '
    "not supported by this model."
)
DENIED = (
    "Permission 'aiplatform.tuningJobs.create' denied on resource '//aiplatform.googleapis.com/projects/p'"
)
QUOTA = (
    "Quota exceeded for aiplatform.googleapis.com/global_concurrent_tuning_jobs with base model: "
    "gemini-2.5-pro. Please submit a quota increase request."
)
ENDPOINT = "Failed to create endpoint. Tuned model is uploaded and can be accessed through Model Registry."
LONG_NAME = "意図" * 60

ROWS = {
    "adapter size": Row(
        make_refusal(ADAPTER),
        "Adapter size 16 isn’t supported by gemini-2.5-pro.",
        "Use 8, the largest supported size below that.",
        "adapter_size",
        {"adapter_size": 8},
        "Use 8",
        job={"adapter_size": 16},
    ),
    "adapter size, with its field": Row(
        make_refusal(ADAPTER, f"{SPEC}.hyper_parameters.adapter_size"),
        "Adapter size 32 isn’t supported by gemini-1.5-pro-002.",
        "Use 4, the largest supported size below that.",
        "adapter_size",
        {"adapter_size": 4},
        "Use 4",
        job={"adapter_size": 32, "base_model": "gemini-1.5-pro-002"},
    ),
    "adapter size that the catalogue allows": Row(
        make_refusal(ADAPTER),
        "Adapter size 8 isn’t supported by gemini-2.5-pro.",
        "Use the recommended value.",
        "adapter_size",
        {"adapter_size": None},
        "Use recommended value",
        job={"adapter_size": 8},
    ),
    "adapter size of a pre-tuned model": Row(
        make_refusal(
            "The pre-tuned model has ADAPTER_SIZE_FOUR. Leave adapter_size out.",
            f"{SPEC}.hyper_parameters.adapter_size",
        ),
        "A pre-tuned model keeps the adapter size it was tuned with.",
        "Remove the adapter size.",
        "adapter_size",
        {"adapter_size": None},
        "Remove it",
        job={"adapter_size": 8, **ON_ENGINE},
    ),
    "not JSONL": Row(
        make_refusal(f"training_dataset_uri {JSONL}", f"{SPEC}.training_dataset_uri"),
        "train.jsonl isn’t accepted as a JSONL file.",
        "Choose a Cloud Storage file whose name ends in .jsonl, with one JSON object per line.",
        "training",
        button="Choose another training file",
    ),
    "not JSONL, told in the message alone": Row(
        make_job_error(
            3,
            f"List of found errors:\t1.Field: {SPEC}.validation_dataset_uri; "
            f"Message: validation_dataset_uri {JSONL}\t",
        ),
        "held-out.jsonl isn’t accepted as a JSONL file.",
        "Choose a Cloud Storage file whose name ends in .jsonl, with one JSON object per line.",
        "validation",
        button="Choose another validation file",
    ),
    "dataset gone": Row(
        make_refusal(
            "The object gs://data/train.jsonl does not exist. Upload it first.",
            f"{SPEC}.training_dataset_uri",
        ),
        "train.jsonl no longer exists at its path.",
        "Upload it again, or choose another file.",
        "training",
        button="Choose another training file",
    ),
    "no permission on the bucket": Row(
        make_job_error(7, UNREADABLE),
        "service-1@gcp-sa-vertex-tune.iam.gserviceaccount.com isn’t allowed to read bucket data.",
        "Grant it the Storage Object Viewer role (roles/storage.objectViewer) on the bucket, "
        "then tune again.",
        button="Tune again",
        link=f"{CONSOLE}/storage/browser/data;tab=permissions?project=my-project",
    ),
    "no permission on the bucket, nobody named": Row(
        make_job_error(7, "The caller lacks permission to read gs://data/train.jsonl"),
        "service-PROJECT_NUMBER@gcp-sa-vertex-tune.iam.gserviceaccount.com isn’t allowed "
        "to read bucket data.",
        "Grant it the Storage Object Viewer role (roles/storage.objectViewer) on the bucket, "
        "then tune again.",
        button="Tune again",
        link=f"{CONSOLE}/storage/browser/data;tab=permissions?project=my-project",
    ),
    "modality": Row(
        make_refusal(MODALITY),
        "Example 1 of 14 in held-out.jsonl has content that gemini-2.5-pro can’t be tuned on: function call.",
        "Remove it from “parts” in this line and any similar lines, or choose another model.",
        "validation",
        button="Choose another validation file",
    ),
    "modality in the training data": Row(
        make_job_error(3, MODALITY.replace("14", "480")),
        "Example 1 of 480 in train.jsonl has content that gemini-2.5-pro can’t be tuned on: function call.",
        "Remove it from “parts” in this line and any similar lines, or choose another model.",
        "training",
        button="Choose another training file",
    ),
    "role": Row(
        make_refusal("Please use a valid role: user, model."),
        "A message in train.jsonl has a role other than user or model.",
        "Set “role” to user or model in every entry of “contents”.",
        "training",
        button="Choose another training file",
    ),
    "too many validation examples": Row(
        make_refusal(
            "The validation dataset has 300 examples; at most 256 are allowed for gemini-1.5-pro-002.",
            f"{SPEC}.validation_dataset_uri",
        ),
        "held-out.jsonl has more examples than the service allows for validation.",
        "Choose a file with at most 256 examples.",
        "validation",
        button="Choose another validation file",
    ),
    "example too long": Row(
        make_job_error(3, "Dataset example 7 has 140000 tokens, which exceeds the maximum of 131072 tokens."),
        "An example in train.jsonl is too long for gemini-2.5-pro.",
        "Shorten or remove examples longer than 131072 tokens.",
        "training",
        button="Choose another training file",
    ),
    "nothing to learn": Row(
        make_job_error(
            3,
            "No example in train.jsonl can be used. Line 2: contents is missing or empty.",
        ),
        "train.jsonl has no examples that can be used for training. Line 2: contents is missing or empty.",
        "Fix its lines, or choose another file.",
        "training",
        button="Choose another training file",
        job=ON_ENGINE,
    ),
    "file too big": Row(
        make_refusal("A dataset can be at most 1 GB. Use a smaller file."),
        "train.jsonl is larger than 1 GB.",
        "Remove some examples, or split the file.",
        "training",
        button="Choose another training file",
    ),
    "file too big, not in the library": Row(
        make_refusal("A dataset can be at most 1 GB. Use a smaller file."),
        "The training dataset is larger than 1 GB.",
        "Remove some examples, or split the file.",
        "training",
        button="Choose another training file",
        job={"training": None},
    ),
    "retired model": Row(
        make_refusal("Base model gemini-1.5-pro-002 is not supported.", "tuning_job.base_model"),
        "gemini-1.5-pro-002 can’t be tuned here.",
        "Use gemini-2.5-pro, the closest current model.",
        "base_model",
        {"base_model": "gemini-2.5-pro"},
        "Use gemini-2.5-pro",
        job={"base_model": "gemini-1.5-pro-002"},
    ),
    "retired model, its region and adapter not taken by the next": Row(
        make_refusal("Base model gemini-1.5-pro-002 is not supported.", "tuning_job.base_model"),
        "gemini-1.5-pro-002 can’t be tuned here.",
        "Use gemini-2.5-pro, the closest current model.",
        "base_model",
        {"base_model": "gemini-2.5-pro", "location": "us-central1", "adapter_size": 8},
        "Use gemini-2.5-pro",
        job={"base_model": "gemini-1.5-pro-002", "location": "asia-northeast1", "adapter_size": 16},
    ),
    "a base that left the engine": Row(
        make_job_error(3, "The base model qwen is no longer on this engine."),
        "qwen can’t be tuned here.",
        "Use studio-tiny, the closest current model.",
        "base_model",
        {"base_model": "studio-tiny"},
        "Use studio-tiny",
        job={**ON_ENGINE, "base_model": "qwen"},
    ),
    "region": Row(
        make_refusal("Tuning gemini-2.5-pro is not supported in region europe-west4."),
        "gemini-2.5-pro can’t be tuned in europe-west4.",
        "Use us-central1.",
        "location",
        {"location": "us-central1"},
        "Use us-central1",
        job={"location": "europe-west4"},
    ),
    "region, the engine's words": Row(
        make_refusal("Unsupported location: europe-west4. Use a region such as us-central1."),
        "studio-tiny can’t be tuned in europe-west4.",
        "Use us-central1.",
        "location",
        {"location": "us-central1"},
        "Use us-central1",
        job={**ON_ENGINE, "location": "europe-west4"},
    ),
    "quota of concurrent jobs": Row(
        make_refusal(QUOTA, kind=errors.TooManyRequests, status="RESOURCE_EXHAUSTED"),
        "Other tuning jobs are using all of this project’s concurrent job quota.",
        "Wait for another job to finish and tune again, or request more quota from Google.",
        button="Tune again",
        link=f"{CONSOLE}/iam-admin/quotas?project=my-project",
    ),
    "another quota": Row(
        make_job_error(
            8, "Quota exceeded for aiplatform.googleapis.com/requests with base model: gemini-2.5-pro."
        ),
        "This Google Cloud project has used up its quota for aiplatform.googleapis.com/requests.",
        "Wait for another job to finish and tune again, or request more quota from Google.",
        button="Tune again",
        link=f"{CONSOLE}/iam-admin/quotas?project=my-project",
    ),
    "no capacity": Row(
        make_job_error(8, "Resource exhausted, please try again later."),
        "Google has no capacity available right now.",
        "Tune again later, or in another region.",
        button="Tune again",
    ),
    "no capacity, not sent yet": Row(
        make_refusal("Resource exhausted, please try again later.", kind=errors.TooManyRequests),
        "Google has no capacity available right now.",
        "The job is resubmitted automatically.",
        job={"submission": Submission.READY},
    ),
    "permission": Row(
        make_refusal(DENIED, kind=errors.PermissionDenied),
        "This project’s account is missing the permission aiplatform.tuningJobs.create.",
        "Grant it the role Vertex AI User (roles/aiplatform.user), then try again.",
        button="Tune again",
        link=f"{CONSOLE}/iam-admin/iam?project=my-project",
    ),
    "permission that is not named": Row(
        make_refusal("The caller does not have permission", kind=errors.PermissionDenied),
        "This project’s account is missing a permission.",
        "Grant it the Vertex AI User role and, on the bucket, the Storage Object User role.",
        button="Tune again",
        link=f"{CONSOLE}/iam-admin/iam?project=my-project",
    ),
    "act as": Row(
        make_refusal(
            "You do not have permission to act as service_account: t@p.iam.gserviceaccount.com. "
            "(or it may not exist): iam.serviceAccounts.actAs",
            kind=errors.PermissionDenied,
        ),
        "This project’s account isn’t allowed to run jobs as t@p.iam.gserviceaccount.com.",
        "Grant it the role Service Account User (roles/iam.serviceAccountUser) on that account, "
        "or remove the account.",
        "service_account",
        {"service_account": ""},
        "Continue without the account",
        f"{CONSOLE}/iam-admin/serviceaccounts?project=my-project",
        {"service_account": "t@p.iam.gserviceaccount.com"},
    ),
    "API off": Row(
        make_refusal("Vertex AI API is off.", kind=errors.PermissionDenied, reason="SERVICE_DISABLED"),
        "The Vertex AI API is disabled in this Google Cloud project.",
        "Enable aiplatform.googleapis.com in the project, wait a minute, then try again.",
        button="Tune again",
        link=f"{CONSOLE}/apis/library/aiplatform.googleapis.com?project=my-project",
    ),
    "API off, in words": Row(
        make_refusal(
            "Vertex AI API has not been used in project 1 before or it is disabled.",
            kind=errors.PermissionDenied,
        ),
        "The Vertex AI API is disabled in this Google Cloud project.",
        "Enable aiplatform.googleapis.com in the project, wait a minute, then try again.",
        button="Tune again",
        link=f"{CONSOLE}/apis/library/aiplatform.googleapis.com?project=my-project",
    ),
    "billing off": Row(
        make_refusal(
            "This API method requires billing to be enabled.",
            kind=errors.PermissionDenied,
            reason="BILLING_DISABLED",
        ),
        "Billing is disabled in this Google Cloud project.",
        "Link a billing account to the project, then try again.",
        button="Tune again",
        link=f"{CONSOLE}/billing/linkedaccount?project=my-project",
    ),
    "billing off, in words": Row(
        make_refusal("This API method requires billing to be enabled.", kind=errors.PermissionDenied),
        "Billing is disabled in this Google Cloud project.",
        "Link a billing account to the project, then try again.",
        button="Tune again",
        link=f"{CONSOLE}/billing/linkedaccount?project=my-project",
    ),
    "quota project": Row(
        make_refusal("Denied.", kind=errors.PermissionDenied, reason="USER_PROJECT_DENIED"),
        "Google Cloud rejected the quota project.",
        "Grant it the Service Usage Consumer role there, or clear the quota project in Settings.",
        button="Tune again",
        link="settings",
    ),
    "credentials": Row(
        make_refusal("The key is no longer valid.", kind=errors.CredentialsFailed),
        "Google Cloud rejected this project’s service account.",
        "An installation admin can renew the key in Settings.",
        button="Tune again",
        link="settings",
    ),
    "key on the engine": Row(
        make_refusal(NO_KEY, "tuning_job.encryption_spec.kms_key_name"),
        "The engine doesn’t support customer-managed encryption keys (CMEK).",
        "Remove it.",
        "kms_key_name",
        {"kms_key_name": ""},
        "Continue without the key",
        job={**ON_ENGINE, "kms_key_name": KEY.format("europe-west4")},
    ),
    "key for a model of 3.x": Row(
        make_refusal("CMEK is not supported for gemini-3.5-flash."),
        "gemini-3.5-flash doesn’t support customer-managed encryption keys (CMEK).",
        "Remove the key, or choose a model that supports one.",
        "kms_key_name",
        {"kms_key_name": ""},
        "Continue without the key",
        job={"base_model": "gemini-3.5-flash", "kms_key_name": KEY.format("us-central1")},
    ),
    "key in another region": Row(
        make_refusal("The KMS key must be in the same region.", "tuning_job.encryption_spec"),
        "The encryption key is in europe-west4, but the job’s region is us-central1.",
        "Run the job in the key’s region, or enter a key in us-central1.",
        "location",
        {"location": "europe-west4"},
        "Use europe-west4",
        job={"kms_key_name": KEY.format("europe-west4")},
    ),
    "key where the model is not tuned": Row(
        make_refusal("The KMS key must be in the same region.", "tuning_job.encryption_spec"),
        "The encryption key is in asia-east1, but the job’s region is us-central1.",
        "Enter a key in us-central1.",
        "kms_key_name",
        button="Enter another key",
        job={"kms_key_name": KEY.format("asia-east1")},
    ),
    "key that the service may not use": Row(
        make_job_error(7, "Permission 'cloudkms.cryptoKeyVersions.useToEncrypt' denied on resource."),
        "The service isn’t allowed to use the encryption key.",
        "Grant its account the role Cloud KMS CryptoKey Encrypter/Decrypter "
        "(roles/cloudkms.cryptoKeyEncrypterDecrypter) on the key, then try again.",
        button="Tune again",
        link=f"{CONSOLE}/security/kms/keyrings?project=my-project",
    ),
    "key that is none": Row(
        make_refusal("Invalid resource name.", "tuning_job.encryption_spec.kms_key_name"),
        "The encryption key wasn’t accepted.",
        "Enter its full name, including a region: projects/…/locations/…/keyRings/…/cryptoKeys/….",
        "kms_key_name",
        button="Enter another key",
        job={"kms_key_name": "my-key"},
    ),
    "labels": Row(
        make_refusal(
            "Invalid label 'Team': 'red'. Keys and values can have at most 63 lowercase letters, digits, "
            "underscores and dashes; keys must start with a letter.",
            "tuning_job.labels",
        ),
        "These labels aren’t allowed: Team.",
        "Keys and values can have up to 63 lowercase letters, digits, _ and -. "
        "Keys must start with a letter.",
        "labels",
        {"labels": {"stage": "test"}},
        "Remove Team",
        job={"labels": {"Team": "red", "stage": "test"}},
    ),
    "too many labels": Row(
        make_refusal("labels can have at most 64 entries.", "tuning_job.labels"),
        "There are too many labels. The limit is 64, including one for this application.",
        "Remove some labels.",
        "labels",
        button="Change the labels",
        job={"labels": {f"k{n}": "v" for n in range(64)}},
    ),
    "epochs": Row(
        make_refusal("epoch_count must be between 1 and 100.", f"{SPEC}.hyper_parameters.epoch_count"),
        "200 isn’t an allowed number of epochs.",
        "Use 100, the nearest allowed value.",
        "epoch_count",
        {"epoch_count": 100},
        "Use 100",
        job={"epoch_count": 200},
    ),
    "epochs, no bound told": Row(
        make_refusal(
            "epoch_count is out of range.", "tuningJob.supervisedTuningSpec.hyperParameters.epochCount"
        ),
        "200 isn’t an allowed number of epochs.",
        "Use the recommended value.",
        "epoch_count",
        {"epoch_count": None},
        "Use recommended value",
        job={"epoch_count": 200},
    ),
    "learning rate": Row(
        make_refusal(
            "learning_rate_multiplier should be at most 10.5.",
            f"{SPEC}.hyper_parameters.learning_rate_multiplier",
        ),
        "A learning rate multiplier of 20 isn’t allowed.",
        "Use 10.5, the nearest allowed value.",
        "learning_rate_multiplier",
        {"learning_rate_multiplier": 10.5},
        "Use 10.5",
        job={"learning_rate_multiplier": 20.0},
    ),
    "learning rate of zero": Row(
        make_refusal(
            "learning_rate_multiplier must be a number greater than 0.",
            f"{SPEC}.hyper_parameters.learning_rate_multiplier",
        ),
        "A learning rate multiplier of 0 isn’t allowed.",
        "Use the recommended value.",
        "learning_rate_multiplier",
        {"learning_rate_multiplier": None},
        "Use recommended value",
        job={"learning_rate_multiplier": 0.0},
    ),
    "no endpoint": Row(
        make_job_error(13, ENDPOINT),
        "The model was tuned and stored, but its endpoint couldn’t be created.",
        "Deploy it from Model Registry, where it’s listed under its name.",
        link=f"{CONSOLE}/vertex-ai/models?project=my-project",
    ),
    "cancelled": Row(
        make_job_error(1, "The job was cancelled."),
        "This job was cancelled.",
        "Use Tune again to start over with the same settings.",
        button="Tune again",
    ),
    "loss is no number": Row(
        make_job_error(3, "The train loss is nan. Lower learningRateMultiplier."),
        "The loss diverged until it was no longer a number. The learning rate is too high.",
        "Lower the learning rate multiplier.",
        "learning_rate_multiplier",
        {"learning_rate_multiplier": 1.0},
        "Use 1",
        job={"learning_rate_multiplier": 50.0, **ON_ENGINE},
    ),
    "gradient is no number": Row(
        make_job_error(3, "The gradient's norm is inf. Lower learningRateMultiplier."),
        "The loss diverged until it was no longer a number. The learning rate is too high.",
        "Lower the learning rate multiplier.",
        "learning_rate_multiplier",
        {"learning_rate_multiplier": 0.5},
        "Use 0.5",
        job=ON_ENGINE,
    ),
    "out of memory": Row(
        make_job_error(8, "The engine is out of memory. Use shorter examples or a smaller adapter size."),
        "The engine ran out of memory.",
        "Use a smaller adapter size or shorter examples.",
        "adapter_size",
        {"adapter_size": 16},
        "Use 16",
        job={"adapter_size": 32, **ON_ENGINE},
    ),
    "out of memory with the smallest adapter": Row(
        make_job_error(8, "The engine is out of memory. Use shorter examples or a smaller adapter size."),
        "The engine ran out of memory.",
        "Shorten or split the longest examples.",
        "training",
        button="Choose another training file",
        job={"adapter_size": 1, **ON_ENGINE},
    ),
    "killed": Row(
        make_job_error(
            13,
            "The trainer ended 4 times without progress after step 0. Last time it was killed by SIGKILL "
            "(often because the machine was out of memory).",
        ),
        "Training was killed several times. The usual cause is that the machine ran out of memory.",
        "Use a smaller adapter size or shorter examples.",
        "adapter_size",
        {"adapter_size": 4},
        "Use 4",
        job={"adapter_size": 8, **ON_ENGINE},
    ),
    "died": Row(
        make_job_error(
            13,
            "The trainer ended 4 times without progress after step 0. Last time it ended with status 1.",
        ),
        "Training stopped several times without making progress.",
        "The line below shows how it last stopped. Fix the cause, then tune again.",
        button="Tune again",
        job=ON_ENGINE,
    ),
    "disk full": Row(
        make_job_error(8, "The engine's disk is full. Free some space, then tune again."),
        "The engine’s disk is full.",
        "Free up some space, then tune again.",
        button="Tune again",
        job=ON_ENGINE,
    ),
    "no such checkpoint": Row(
        make_refusal(
            "projects/l/locations/us-central1/models/1@1 has no checkpoint 9. Available checkpoints: 1, 2.",
            "tuning_job.pre_tuned_model.checkpoint_id",
        ),
        "The pre-tuned model doesn’t have checkpoint 9.",
        "Continue from checkpoint 2.",
        "pre_tuned_checkpoint",
        {"pre_tuned_checkpoint": "2"},
        "Use checkpoint 2",
        job={"pre_tuned_checkpoint": "9", **ON_ENGINE},
    ),
    "no such pre-tuned model": Row(
        make_refusal("The model 7 does not exist.", "tuning_job.pre_tuned_model.tuned_model_name"),
        "The pre-tuned model can’t be tuned further.",
        "Choose a model that was tuned in this project and region.",
        "pre_tuned_model",
        button="Choose another model",
        job={"pre_tuned_model": "projects/local/locations/us-central1/models/7", **ON_ENGINE},
    ),
    "pre-tuned on another build": Row(
        make_refusal(
            "projects/l/locations/us-central1/models/1@1 was tuned on another build of studio-tiny than this "
            "engine has now.",
            "tuning_job.pre_tuned_model.tuned_model_name",
        ),
        "The pre-tuned model was tuned on a different build of studio-tiny than this engine has now.",
        "Tune studio-tiny itself with the same data.",
        "base_model",
        {"pre_tuned_model": "", "pre_tuned_checkpoint": "", "base_model": "studio-tiny"},
        "Use studio-tiny",
        job={"pre_tuned_model": "projects/l/locations/us-central1/models/1@1", **ON_ENGINE},
    ),
    "name too long": Row(
        make_refusal(
            "tuned_model_display_name can have at most 128 characters.",
            "tuning_job.tuned_model_display_name",
        ),
        "The name is too long (120 characters).",
        "Shorten it.",
        "tuned_model_display_name",
        {"tuned_model_display_name": "意図" * 21},
        "Shorten the name",
        job={"tuned_model_display_name": LONG_NAME},
    ),
    "service account": Row(
        make_refusal(
            "service_account must be the email address of a service account.",
            "tuning_job.service_account",
        ),
        "tuner isn’t accepted as a service account.",
        "Enter its email address, or leave this empty to use the service’s own account.",
        "service_account",
        {"service_account": ""},
        "Remove it",
        job={"service_account": "tuner"},
    ),
    "internal": Row(
        make_job_error(13, "Internal error encountered."),
        "A service error ended the job. No problem with the request was found.",
        "Tune again. If it fails again, contact Google support with the job name.",
        button="Tune again",
    ),
    "unavailable": Row(
        make_job_error(14, "The service is currently unavailable."),
        "A service error ended the job. No problem with the request was found.",
        "Tune again. If it fails again, see its log in the engine’s folder.",
        button="Tune again",
        job=ON_ENGINE,
    ),
}
