"""google-api-python-client: tuning, metrics, registry and storage, at the discovery documents' paths."""

from __future__ import annotations

import sys
import time
from typing import Any

from google.auth.credentials import AnonymousCredentials
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError

from tests.conformance.calls import METRICS, PARENT, PROJECT, TRAINING, VALIDATION, call, run

QUESTION = {"contents": [{"role": "user", "parts": [{"text": "Why?"}]}]}
ENDED = {"JOB_STATE_SUCCEEDED", "JOB_STATE_FAILED", "JOB_STATE_CANCELLED"}


class Script:
    job: dict[str, Any]
    series: list[dict[str, Any]]

    def __init__(self, url: str) -> None:
        service = build(
            "aiplatform", "v1", credentials=AnonymousCredentials(), client_options={"api_endpoint": url}
        )
        self.locations = service.projects().locations()
        self.storage = build(
            "storage",
            "v1",
            credentials=AnonymousCredentials(),
            client_options={"api_endpoint": f"{url}/storage/v1/"},
        )
        self.jobs = self.locations.tuningJobs()
        self.boards = self.locations.tensorboards()
        self.runs = self.boards.experiments().runs()

    @call("tuningJobs.create")
    def create(self) -> None:
        self.job = self.create_job(2, validationDatasetUri=VALIDATION)

    def create_job(self, epochs: int, **spec: str) -> dict[str, Any]:
        body = {
            "baseModel": "gemini-2.5-flash",
            "supervisedTuningSpec": {
                "trainingDatasetUri": TRAINING,
                "hyperParameters": {"epochCount": str(epochs), "adapterSize": "ADAPTER_SIZE_FOUR"},
                **spec,
            },
            "tunedModelDisplayName": "discovered",
            "labels": {"client": "discovery"},
        }
        created: dict[str, Any] = self.jobs.create(parent=PARENT, body=body).execute()
        return created

    @call("tuningJobs.get")
    def follow(self) -> None:
        self.job = self.ended(self.job["name"])
        assert self.job["state"] == "JOB_STATE_SUCCEEDED", self.job

    def ended(self, name: str) -> dict[str, Any]:
        while (job := self.jobs.get(name=name).execute())["state"] not in ENDED:
            time.sleep(0.3)
        found: dict[str, Any] = job
        return found

    @call("tuningJobs.get (that is not there)")
    def get_nothing(self) -> None:
        refused(404, self.jobs.get(name=f"{PARENT}/tuningJobs/424242"))

    @call("tuningJobs.list")
    def list_jobs(self) -> None:
        """Page by page."""
        names, request = [], self.jobs.list(parent=PARENT, pageSize=1)
        while request is not None:
            page = request.execute()
            names += [job["name"] for job in page["tuningJobs"]]
            request = self.jobs.list_next(request, page)
        assert self.job["name"] in names and len(names) == len(set(names)) > 1

    @call("tuningJobs.list (filter)")
    def list_some(self) -> None:
        page = self.jobs.list(parent=PARENT, filter='labels.client="discovery"').execute()
        assert {job["tunedModelDisplayName"] for job in page["tuningJobs"]} == {"discovered"}

    @call("tuningJobs.cancel")
    def cancel(self) -> None:
        job = self.create_job(10)
        assert self.jobs.cancel(name=job["name"], body={}).execute() == {}
        assert self.ended(job["name"])["state"] == "JOB_STATE_CANCELLED"

    @call("tuningJobs.create (preTunedModel)", "models.deleteVersion")
    def tune_on(self) -> None:
        """A second version of the model, which goes again."""
        spec = {"trainingDatasetUri": TRAINING, "hyperParameters": {"epochCount": "1"}}
        pre_tuned = {"tunedModelName": self.job["tunedModel"]["model"]}
        body = {"preTunedModel": pre_tuned, "supervisedTuningSpec": spec}
        job = self.ended(self.jobs.create(parent=PARENT, body=body).execute()["name"])
        version = job["tunedModel"]["model"]
        assert version == self.job["tunedModel"]["model"].replace("@1", "@2")
        for checkpoint in job["tunedModel"]["checkpoints"]:
            self.take_down_endpoint(checkpoint["endpoint"])
        self.done(self.locations.models().deleteVersion(name=version).execute())

    @call("contexts.get", "contexts.list", "executions.list")
    def contexts(self) -> None:
        contexts = self.locations.metadataStores().contexts()
        experiment = contexts.get(name=self.job["experiment"]).execute()
        children = f'schema_title="system.ExperimentRun" AND parent_contexts:"{experiment["name"]}"'
        parent = experiment["name"].partition("/contexts/")[0]
        [child] = contexts.list(parent=parent, filter=children).execute()["contexts"]
        assert child["parentContexts"] == [experiment["name"]]
        assert self.locations.metadataStores().executions().list(parent=parent).execute() == {}

    @call("tensorboards.get", "tensorboards.list", "experiments.get", "experiments.list")
    def boards_and_experiments(self) -> None:
        [board] = self.boards.list(parent=PARENT).execute()["tensorboards"]
        assert self.boards.get(name=board["name"]).execute() == board
        experiments = self.boards.experiments()
        listed = experiments.list(parent=board["name"]).execute()["tensorboardExperiments"]
        name = f"{board['name']}/experiments/{self.job['experiment'].rpartition('/')[2]}"
        assert experiments.get(name=name).execute() in listed

    @call("runs.get", "runs.list", "timeSeries.get", "timeSeries.list")
    def runs_and_series(self) -> None:
        [board] = self.boards.list(parent=PARENT).execute()["tensorboards"]
        name = f"{board['name']}/experiments/{self.job['experiment'].rpartition('/')[2]}"
        [found] = self.runs.list(parent=name).execute()["tensorboardRuns"]
        assert self.runs.get(name=found["name"]).execute() == found
        series = self.runs.timeSeries()
        self.series = series.list(parent=found["name"]).execute()["tensorboardTimeSeries"]
        assert {one["displayName"] for one in self.series} == METRICS
        assert series.get(name=self.series[0]["name"]).execute() == self.series[0]

    @call("tensorboards.batchRead", "timeSeries.read", "timeSeries.exportTensorboardTimeSeries")
    def points(self) -> None:
        """Three ways to the same numbers."""
        series, name = self.runs.timeSeries(), self.series[0]["name"]
        board = name.partition("/experiments/")[0]
        [data] = self.boards.batchRead(tensorboard=board, timeSeries=[name]).execute()["timeSeriesData"]
        read = series.read(tensorboardTimeSeries=name, maxDataPoints=-1).execute()["timeSeriesData"]
        assert read == data
        exported = series.exportTensorboardTimeSeries(tensorboardTimeSeries=name, body={}).execute()
        assert exported["timeSeriesDataPoints"] == data["values"]

    @call("endpoints.generateContent", "endpoints.streamGenerateContent", "endpoints.countTokens")
    def talk(self) -> None:
        endpoints, name = self.locations.endpoints(), self.job["tunedModel"]["endpoint"]
        answer = endpoints.generateContent(model=name, body=QUESTION).execute()
        assert answer["candidates"][0]["finishReason"]
        pieces = endpoints.streamGenerateContent(model=name, body=QUESTION).execute()
        assert pieces[-1]["candidates"][0]["finishReason"]
        counted = endpoints.countTokens(endpoint=name, body=QUESTION).execute()
        assert counted["totalTokens"] == answer["usageMetadata"]["promptTokenCount"]

    @call(
        "publishers.models.generateContent",
        "publishers.models.streamGenerateContent",
        "publishers.models.countTokens",
    )
    def base_model(self) -> None:
        models, name = self.locations.publishers().models(), f"{PARENT}/publishers/google/models/studio-tiny"
        assert models.generateContent(model=name, body=QUESTION).execute()["candidates"]
        assert models.streamGenerateContent(model=name, body=QUESTION).execute()
        assert models.countTokens(endpoint=name, body=QUESTION).execute()["totalTokens"]

    @call("models.get", "models.list", "models.listVersions", "models.listCheckpoints", "models.patch")
    def registry(self) -> None:
        models, name = self.locations.models(), self.job["tunedModel"]["model"]
        model = models.get(name=name).execute()
        labelled = models.list(parent=PARENT, filter="labels.client=discovery").execute()["models"]
        assert model in labelled
        bare = name.partition("@")[0]
        assert models.listVersions(name=bare).execute()["models"]
        checkpoints = models.listCheckpoints(name=name).execute()["checkpoints"]
        assert [found["checkpointId"] for found in checkpoints] == ["1", "2"]
        body = {"displayName": "renamed"}
        changed = models.patch(name=bare, updateMask="displayName", body=body).execute()
        assert changed["displayName"] == "renamed"

    @call("endpoints.patch")
    def rename(self) -> None:
        name, body = self.job["tunedModel"]["endpoint"], {"displayName": "renamed"}
        request = self.locations.endpoints().patch(name=name, updateMask="displayName", body=body)
        assert request.execute()["displayName"] == "renamed"

    @call("endpoints.get", "endpoints.list", "endpoints.undeployModel", "endpoints.delete", "models.delete")
    def take_down(self) -> None:
        models = self.locations.models()
        bare = self.job["tunedModel"]["model"].partition("@")[0]
        refused(400, models.delete(name=bare))
        for checkpoint in self.job["tunedModel"]["checkpoints"]:
            self.take_down_endpoint(checkpoint["endpoint"])
        self.done(models.delete(name=bare).execute())
        refused(404, models.get(name=bare))

    def take_down_endpoint(self, name: str) -> None:
        endpoints = self.locations.endpoints()
        found = endpoints.get(name=name).execute()
        assert found in endpoints.list(parent=PARENT).execute()["endpoints"]
        body = {"deployedModelId": found["deployedModels"][0]["id"]}
        self.done(endpoints.undeployModel(endpoint=name, body=body).execute())
        self.done(endpoints.delete(name=name).execute())

    @call("operations.get", "operations.list", "operations.wait")
    def operation(self) -> None:
        assert self.last["done"] is True
        operations = self.locations.operations()
        assert operations.wait(name=self.last["name"]).execute() == self.last
        assert self.last in operations.list(name=PARENT).execute()["operations"]

    @call("buckets.insert", "buckets.get", "buckets.list")
    def buckets(self) -> None:
        made = self.storage.buckets().insert(project=PROJECT, body={"name": "discovered"}).execute()
        assert self.storage.buckets().get(bucket="discovered").execute() == made
        assert made in self.storage.buckets().list(project=PROJECT).execute()["items"]

    @call("objects.get", "objects.get (alt=media)", "objects.list")
    def objects(self) -> None:
        """Without an upload: this client sends those to Google's own host, whatever the endpoint."""
        objects, (bucket, _, name) = self.storage.objects(), TRAINING.removeprefix("gs://").partition("/")
        found = objects.get(bucket=bucket, object=name).execute()
        assert found in objects.list(bucket=bucket, prefix="ai-platform/").execute()["items"]
        assert len(objects.get_media(bucket=bucket, object=name).execute()) == int(found["size"])

    def done(self, operation: dict[str, Any]) -> None:
        self.last = self.locations.operations().get(name=operation["name"]).execute()
        assert self.last["response"], self.last


def refused(status: int, request: Any) -> None:
    try:
        request.execute()
    except HttpError as error:
        assert error.status_code == status, error
    else:
        raise AssertionError(f"expected {status}")


if __name__ == "__main__":
    run(Script(sys.argv[1]), "google-api-python-client")
