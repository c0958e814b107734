"""google-genai: tune, follow, list, cancel, and talk to the tuned model."""

from __future__ import annotations

import json
import sys
import time
from typing import Any
from urllib.request import urlopen

from google import genai
from google.genai import errors, types
from google.oauth2.credentials import Credentials

from tests.conformance.calls import (
    LOCATION,
    PARENT,
    PROJECT,
    TRAINING,
    VALIDATION,
    call,
    find_differences,
    run,
    run_snippet,
)

ENDED = {"JOB_STATE_SUCCEEDED", "JOB_STATE_FAILED", "JOB_STATE_CANCELLED", "JOB_STATE_EXPIRED"}


class Script:
    job: Any

    def __init__(self, url: str) -> None:
        self.url = url
        self.client = self.connected()

    def connected(self, **options: Any) -> Any:
        """It refuses anonymous credentials: any token will do where the engine asks for none."""
        return genai.Client(
            vertexai=True,
            project=PROJECT,
            location=LOCATION,
            credentials=Credentials(token="local"),
            http_options=types.HttpOptions(base_url=self.url, **options),
        )

    def resource(self, name: str) -> dict[str, Any]:
        """As it is on the wire."""
        with urlopen(f"{self.url}/v1/{name}") as answer:
            found: dict[str, Any] = json.load(answer)
        return found

    @call("tuningJobs.create")
    def tune(self) -> None:
        self.job = self.client.tunings.tune(
            base_model="gemini-2.5-flash",
            training_dataset=types.TuningDataset(gcs_uri=TRAINING),
            config=types.CreateTuningJobConfig(
                validation_dataset=types.TuningValidationDataset(gcs_uri=VALIDATION),
                epoch_count=2,
                adapter_size=types.AdapterSize.ADAPTER_SIZE_FOUR,
                learning_rate_multiplier=1.0,
                export_last_checkpoint_only=False,
                tuned_model_display_name="tuned",
                description="a test",
                labels={"client": "genai"},
            ),
        )
        assert self.job.name.startswith(f"{PARENT}/tuningJobs/")

    @call("tuningJobs.get")
    def follow(self) -> None:
        self.job = ended(self.client, self.job.name)
        assert self.job.has_succeeded, self.job.error
        assert len(self.job.tuned_model.checkpoints) == 2
        assert self.job.tuned_model.endpoint in [one.endpoint for one in self.job.tuned_model.checkpoints]
        assert self.job.tuning_data_stats.supervised_tuning_data_stats.tuning_dataset_example_count == 120

    @call("tuningJobs.get (that is not there)")
    def get_nothing(self) -> None:
        try:
            self.client.tunings.get(name=f"{PARENT}/tuningJobs/424242")
        except errors.ClientError as error:
            assert (error.code, error.status) == (404, "NOT_FOUND")
        else:
            raise AssertionError("expected 404")

    @call("tuningJobs.list")
    def list_jobs(self) -> None:
        assert self.job.name in [job.name for job in self.client.tunings.list(config={"page_size": 1})]

    @call("tuningJobs.list (filter)")
    def list_some(self) -> None:
        found = self.client.tunings.list(config={"filter": "labels.client=genai"})
        assert self.job.name in [job.name for job in found]

    @call("tuningJobs.cancel")
    def cancel(self) -> None:
        """A job that the studio's own Python makes."""
        job, expected = run_snippet("genai")
        self.client.tunings.cancel(name=job.name)
        assert not (missing := find_differences(expected, self.resource(job.name))), missing
        assert ended(self.client, job.name).state.name == "JOB_STATE_CANCELLED"

    @call("tuningJobs.create (preTunedModel)")
    def tune_on(self) -> None:
        """From the first checkpoint: as the studio writes it, and under the same name (its next version)."""
        shown, expected = run_snippet("genai onward", model=self.job.tuned_model.model)
        self.client.tunings.cancel(name=shown.name)
        assert not (missing := find_differences(expected, self.resource(shown.name))), missing
        job = self.client.tunings.tune(
            base_model=self.job.tuned_model.model,
            training_dataset=types.TuningDataset(gcs_uri=TRAINING),
            config=types.CreateTuningJobConfig(epoch_count=1, pre_tuned_model_checkpoint_id="1"),
        )
        job = ended(self.client, job.name)
        assert job.has_succeeded, job.error
        assert job.pre_tuned_model.checkpoint_id == "1"
        assert job.tuned_model.model == self.job.tuned_model.model.replace("@1", "@2")

    @call("tuningJobs.create (evaluationConfig)")
    def tune_and_evaluate(self) -> None:
        prompt = types.PointwiseMetricSpec(metric_prompt_template="Is this good? {response}")
        job = self.client.tunings.tune(
            base_model="gemini-2.5-flash",
            training_dataset=types.TuningDataset(gcs_uri=TRAINING),
            config=types.CreateTuningJobConfig(
                evaluation_config=types.EvaluationConfig(
                    metrics=[types.UnifiedMetric(pointwise_metric_spec=prompt)],
                    output_config=types.OutputConfig(
                        gcs_destination=types.GcsDestination(output_uri_prefix="gs://ours/evaluation")
                    ),
                )
            ),
        )
        self.client.tunings.cancel(name=job.name)
        assert ended(self.client, job.name).state.name == "JOB_STATE_CANCELLED"

    @call("endpoints.generateContent")
    def generate(self) -> None:
        answer = self.client.models.generate_content(
            model=self.job.tuned_model.endpoint, contents="Why is sky blue?"
        )
        assert answer.candidates[0].finish_reason and answer.usage_metadata.total_token_count
        assert answer.response_id and answer.create_time and answer.model_version

    @call("endpoints.generateContent (settings)")
    def generate_with_settings(self) -> None:
        answer = self.client.models.generate_content(
            model=self.job.tuned_model.endpoint,
            contents="Why?",
            config=types.GenerateContentConfig(
                system_instruction="Be brief.",
                temperature=0.2,
                top_p=0.9,
                top_k=20,
                candidate_count=2,
                max_output_tokens=4,
                stop_sequences=["END"],
                seed=7,
                presence_penalty=0.1,
                frequency_penalty=0.1,
                response_logprobs=True,
                logprobs=3,
                labels={"a": "b"},
                safety_settings=[
                    types.SafetySetting(category="HARM_CATEGORY_HATE_SPEECH", threshold="BLOCK_ONLY_HIGH")
                ],
            ),
        )
        assert len(answer.candidates) == 2
        assert len(answer.candidates[0].logprobs_result.chosen_candidates) in range(1, 5)

    @call("endpoints.streamGenerateContent")
    def stream(self) -> None:
        question = {
            "model": self.job.tuned_model.endpoint,
            "contents": "Why?",
            "config": types.GenerateContentConfig(temperature=0),
        }
        pieces = list(self.client.models.generate_content_stream(**question))
        assert pieces[-1].candidates[0].finish_reason
        whole = self.client.models.generate_content(**question)
        assert "".join(piece.text or "" for piece in pieces) == (whole.text or "")

    @call("endpoints.countTokens")
    def count_tokens(self) -> None:
        counted = self.client.models.count_tokens(model=self.job.tuned_model.endpoint, contents="hi")
        assert counted.total_tokens > 0

    @call("endpoints.generateContent (chat)")
    def chat(self) -> None:
        chat = self.client.chats.create(model=self.job.tuned_model.endpoint)
        chat.send_message("hello")
        chat.send_message("again")
        assert [content.role for content in chat.get_history()] == ["user", "model", "user", "model"]

    @call("publishers.models.generateContent")
    def base_model(self) -> None:
        assert self.client.models.generate_content(model="gemini-2.5-flash", contents="hi").candidates

    @call("publishers.models.generateContent (API key)")
    def base_model_by_key(self) -> None:
        client = genai.Client(
            vertexai=True, api_key="local", http_options=types.HttpOptions(base_url=self.url)
        )
        assert client.models.generate_content(model="gemini-2.5-flash", contents="hi").candidates

    @call("tuningJobs.list (v1)")
    def other_version(self) -> None:
        client = self.connected(api_version="v1")
        assert self.job.name in [job.name for job in client.tunings.list()]

    @call("models.get", "models.list", "models.patch", "models.delete")
    def models(self) -> None:
        name = self.job.tuned_model.model
        assert self.client.models.get(model=name).name.startswith(name.partition("@")[0])
        tuned = [model.name for model in self.client.models.list(config={"query_base": False})]
        assert any(found.startswith(name.partition("@")[0]) for found in tuned)
        changed = self.client.models.update(
            model=name.partition("@")[0], config={"display_name": "renamed", "default_checkpoint_id": "1"}
        )
        assert (changed.display_name, changed.default_checkpoint_id) == ("renamed", "1")
        try:
            self.client.models.delete(model=name.partition("@")[0])
        except errors.ClientError as error:
            assert error.status == "FAILED_PRECONDITION"
        else:
            raise AssertionError("a deployed model was deleted")


def ended(client: Any, name: str) -> Any:
    while (job := client.tunings.get(name=name)).state.name not in ENDED:
        time.sleep(0.3)
    return job


if __name__ == "__main__":
    run(Script(sys.argv[1]), "google-genai")
