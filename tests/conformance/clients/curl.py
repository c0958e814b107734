"""curl, with the six requests of the reference page and their bodies as they stand there.

https://cloud.google.com/vertex-ai/generative-ai/docs/models/gemini-use-supervised-tuning
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import Any

from tests.conformance.calls import PARENT, TRAINING, VALIDATION, call, run

# The page's own comma too many.
WITH_COMMA = f"""{{
  "baseModel": "gemini-1.5-pro-002",
  "supervisedTuningSpec" : {{
      "trainingDatasetUri": "{TRAINING}",
      "validationDatasetUri": "{VALIDATION}",
      "hyperParameters": {{
          "epochCount": 1,
          "adapterSize": "ADAPTER_SIZE_FOUR",
          "learningRateMultiplier": 1.0
      }},
  }},
  "tunedModelDisplayName": "tuned_gemini_pro"
}}"""
IN_SNAKE_CASE = f"""{{
  "baseModel": "gemini-1.5-pro-002",
  "supervisedTuningSpec" : {{
      "training_dataset_uri": "{TRAINING}",
      "validation_dataset_uri": "{VALIDATION}"
  }},
  "tunedModelDisplayName": "tuned_gemini_pro"
}}"""
QUESTION = """{
  "contents": [{"role": "USER", "parts": {"text": "Why is sky blue?"}}],
  "generation_config": {"temperature": 0.5, "topP": 0.95, "topK": 40, "maxOutputTokens": 8}
}"""


class Script:
    job: dict[str, Any]

    def __init__(self, url: str) -> None:
        self.url = url

    def curl(self, method: str, path: str, body: str | None = None) -> dict[str, Any]:
        data = ("-d", body) if body is not None else ()
        command = ("curl", "--silent", "--show-error", "--fail-with-body", "--noproxy", "*", "-X", method)
        headers = ("-H", "Authorization: Bearer local", "-H", "Content-Type: application/json; charset=utf-8")
        done = subprocess.run(
            [*command, *headers, *data, f"{self.url}/v1/{path}"], capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stdout + done.stderr
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    @call("tuningJobs.create")
    def create(self) -> None:
        self.job = self.curl("POST", f"{PARENT}/tuningJobs", WITH_COMMA)

    @call("tuningJobs.create (snake case)", "tuningJobs.cancel")
    def cancel(self) -> None:
        job = self.curl("POST", f"{PARENT}/tuningJobs", IN_SNAKE_CASE)
        assert self.curl("POST", f"{job['name']}:cancel", "") == {}

    @call("tuningJobs.get")
    def follow(self) -> None:
        while (job := self.curl("GET", self.job["name"]))["state"] in (
            "JOB_STATE_PENDING",
            "JOB_STATE_RUNNING",
        ):
            time.sleep(0.5)
        assert job["state"] == "JOB_STATE_SUCCEEDED", job
        self.job = job

    @call("tuningJobs.list")
    def list_jobs(self) -> None:
        listed = self.curl("GET", f"{PARENT}/tuningJobs")["tuningJobs"]
        assert self.job["name"] in [job["name"] for job in listed]

    @call("endpoints.generateContent")
    def generate(self) -> None:
        answer = self.curl("POST", f"{self.job['tunedModel']['endpoint']}:generateContent", QUESTION)
        assert answer["candidates"][0]["content"]["role"] == "model"


if __name__ == "__main__":
    run(Script(sys.argv[1]), "curl")
