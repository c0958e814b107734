"""google-cloud-aiplatform: the reference page's Python from the first line to the last, Google's notebook way
of reading metrics, and the registry.

https://cloud.google.com/vertex-ai/generative-ai/docs/models/gemini-use-supervised-tuning
"""

from __future__ import annotations

import sys
import time
import warnings
from typing import Any

import vertexai
from google.api_core.exceptions import BadRequest, NotFound
from google.auth.credentials import AnonymousCredentials
from google.cloud import aiplatform
from google.cloud.aiplatform.metadata import context, utils
from vertexai.generative_models import Content, GenerationConfig, GenerativeModel, Part, SafetySetting
from vertexai.tuning import sft

from tests.conformance.calls import (
    LOCATION,
    METRICS,
    PARENT,
    PROJECT,
    TRAINING,
    VALIDATION,
    call,
    find_differences,
    run,
    run_snippet,
)

# The SDK announces that its tuning module goes away.
warnings.filterwarnings("ignore", category=UserWarning)


class Script:
    job: Any
    board_run: Any

    def __init__(self, url: str) -> None:
        vertexai.init(
            project=PROJECT,
            location=LOCATION,
            api_transport="rest",
            api_endpoint=url,
            credentials=AnonymousCredentials(),
        )

    @call("tuningJobs.create")
    def train(self) -> None:
        self.job = sft.train(
            source_model="gemini-1.5-pro-002",
            train_dataset=TRAINING,
            validation_dataset=VALIDATION,
            epochs=2,
            adapter_size=4,
            learning_rate_multiplier=1.0,
            tuned_model_display_name="tuned_gemini_1_5_pro",
            labels={"client": "aiplatform"},
        )
        assert self.job.resource_name.startswith(f"{PARENT}/tuningJobs/")

    @call("tuningJobs.get", "contexts.get")
    def refresh_until_it_has_ended(self) -> None:
        while not self.job.has_ended:
            time.sleep(0.5)
            self.job.refresh()
        assert self.job.has_succeeded, self.job.error
        assert "/models/" in self.job.tuned_model_name
        assert "/endpoints/" in self.job.tuned_model_endpoint_name
        statistics = self.job.tuning_data_statistics.supervised_tuning_data_stats
        assert statistics.tuning_dataset_example_count == 120
        assert self.job.to_dict()["supervisedTuningSpec"]["hyperParameters"]["adapterSize"]

    @call("tuningJobs.get (by its id)")
    def get(self) -> None:
        found = sft.SupervisedTuningJob(self.job.name)
        assert found.resource_name == self.job.resource_name
        assert found.state.name == "JOB_STATE_SUCCEEDED"

    @call("tuningJobs.get (that is not there)")
    def get_nothing(self) -> None:
        refused(NotFound, lambda: sft.SupervisedTuningJob("424242"))

    @call("tuningJobs.list")
    def list_jobs(self) -> None:
        assert self.job.resource_name in [job.resource_name for job in sft.SupervisedTuningJob.list()]

    @call("tuningJobs.list (filter)")
    def list_some(self) -> None:
        found = sft.SupervisedTuningJob.list(filter="labels.client=aiplatform")
        assert self.job.resource_name in [job.resource_name for job in found]
        assert sft.SupervisedTuningJob.list(filter="labels.client=nobody") == []

    @call("tuningJobs.cancel")
    def cancel(self) -> None:
        """A job that the studio's own Python makes."""
        job, expected = run_snippet("vertexai")
        job.cancel()
        assert not (missing := find_differences(expected, named_sizes(job.to_dict()))), missing
        while not job.has_ended:
            time.sleep(0.2)
            job.refresh()
        assert (job.state.name, job.error.code) == ("JOB_STATE_CANCELLED", 1)

    @call("contexts.list", "tensorboards.get", "runs.get", "timeSeries.list", "tensorboards.batchRead")
    def metrics_as_in_the_notebook(self) -> None:
        experiment = aiplatform.Experiment(experiment_name=self.job.experiment.resource_name)
        children = utils._make_filter_string(
            schema_title="system.ExperimentRun", parent_contexts=[experiment.resource_name]
        )
        [child] = context.Context.list(children)
        board = experiment.get_backing_tensorboard_resource().resource_name
        run_id = child.name.removeprefix(f"{experiment.name}-")
        self.board_run = aiplatform.TensorboardRun(f"{board}/experiments/{experiment.name}/runs/{run_id}")
        curves = self.board_run.read_time_series_data()
        assert set(curves) == METRICS
        losses = {point.step: point.scalar.value for point in curves["/train_total_loss"].values}
        assert losses[max(losses)] < losses[1]

    @call("experiments.get", "experiments.list", "tensorboards.list", "runs.list")
    def boards(self) -> None:
        board, _, experiment = self.board_run.resource_name.partition("/experiments/")
        assert board in [found.resource_name for found in aiplatform.Tensorboard.list()]
        name = f"{board}/experiments/{experiment.partition('/')[0]}"
        assert aiplatform.TensorboardExperiment(name).resource_name == name
        found = aiplatform.TensorboardExperiment.list(board)
        assert name in [one.resource_name for one in found]
        [found_run] = aiplatform.TensorboardRun.list(name)
        assert found_run.resource_name == self.board_run.resource_name

    @call("endpoints.generateContent")
    def generate(self) -> None:
        answer = GenerativeModel(self.job.tuned_model_endpoint_name).generate_content("Why is sky blue?")
        assert answer.candidates[0].finish_reason
        assert answer.usage_metadata.total_token_count == (
            answer.usage_metadata.prompt_token_count + answer.usage_metadata.candidates_token_count
        )

    @call("endpoints.generateContent (settings)")
    def generate_with_settings(self) -> None:
        model = GenerativeModel(self.job.tuned_model_endpoint_name, system_instruction="Be brief.")
        answer = model.generate_content(
            [Content(role="user", parts=[Part.from_text("Why?")])],
            generation_config=GenerationConfig(
                temperature=0.2,
                top_p=0.9,
                top_k=20,
                candidate_count=1,
                max_output_tokens=4,
                seed=7,
                response_logprobs=True,
                logprobs=3,
            ),
            safety_settings=[
                SafetySetting(
                    category=SafetySetting.HarmCategory.HARM_CATEGORY_HATE_SPEECH,
                    threshold=SafetySetting.HarmBlockThreshold.BLOCK_ONLY_HIGH,
                )
            ],
        )
        assert answer.usage_metadata.candidates_token_count <= 4
        assert answer.candidates[0].avg_logprobs < 0

    @call("endpoints.streamGenerateContent")
    def stream(self) -> None:
        model = GenerativeModel(self.job.tuned_model_endpoint_name)
        settings = GenerationConfig(temperature=0)
        pieces = list(model.generate_content("Why?", stream=True, generation_config=settings))
        assert pieces[-1].candidates[0].finish_reason
        whole = model.generate_content("Why?", generation_config=settings)
        assert "".join(piece.text for piece in pieces) == whole.text

    @call("endpoints.countTokens")
    def count_tokens(self) -> None:
        assert GenerativeModel(self.job.tuned_model_endpoint_name).count_tokens("hi").total_tokens > 0

    @call("endpoints.generateContent (chat)")
    def chat(self) -> None:
        chat = GenerativeModel(self.job.tuned_model_endpoint_name).start_chat()
        chat.send_message("hello")
        chat.send_message("again")
        assert [content.role for content in chat.history] == ["user", "model", "user", "model"]

    @call("publishers.models.generateContent")
    def base_model(self) -> None:
        assert GenerativeModel("gemini-1.5-pro-002").generate_content("hi").candidates

    @call("models.get", "models.listVersions", "models.list", "models.patch")
    def models(self) -> None:
        model = aiplatform.Model(self.job.tuned_model_name)
        assert model.display_name == "tuned_gemini_1_5_pro"
        assert [version.version_id for version in model.versioning_registry.list_versions()] == ["1"]
        assert model.resource_name in [found.resource_name for found in aiplatform.Model.list()]
        assert model.update(description="a test", labels={"client": "aiplatform"}).description == "a test"

    @call("endpoints.get", "endpoints.list", "endpoints.patch")
    def endpoints(self) -> None:
        name = self.job.tuned_model_endpoint_name
        endpoint = aiplatform.Endpoint(name)
        [deployed] = endpoint.list_models()
        assert deployed.model.partition("@")[0] == self.job.tuned_model_name.partition("@")[0]
        found = aiplatform.Endpoint.list(filter="labels.client=aiplatform")
        assert name in [one.resource_name for one in found]
        assert endpoint.update(display_name="renamed").display_name == "renamed"

    @call("endpoints.undeployModel", "endpoints.delete", "models.delete")
    def take_down(self) -> None:
        model = aiplatform.Model(self.job.tuned_model_name.partition("@")[0])
        refused(BadRequest, model.delete)
        for found in model.gca_resource.deployed_models:
            endpoint = aiplatform.Endpoint(found.endpoint)
            endpoint.undeploy_all()
            endpoint.delete()
        model.delete()
        refused(NotFound, lambda: aiplatform.Model(self.job.tuned_model_name))


def named_sizes(job: dict[str, Any]) -> dict[str, Any]:
    """The SDK reads an enum as its number in the API's list, where 8 is the third."""
    chosen = job["supervisedTuningSpec"]["hyperParameters"]
    return (
        job
        if chosen["adapterSize"] != 3
        else job
        | {
            "supervisedTuningSpec": job["supervisedTuningSpec"]
            | {"hyperParameters": chosen | {"adapterSize": "ADAPTER_SIZE_EIGHT"}}
        }
    )


def refused(kind: type[Exception], attempt: Any) -> None:
    try:
        attempt()
    except kind:
        return
    raise AssertionError(f"expected {kind.__name__}")


if __name__ == "__main__":
    run(Script(sys.argv[1]), "google-cloud-aiplatform")
