"""Every field that a client or the studio's pages read, and whether a real run has left it there.

jobs/remote.py, jobs/details.py, metrics/ and studio/vertex/ read them on one side; google-genai's and
google-cloud-aiplatform's own types on the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

DISTRIBUTION = "sum billableSum min max mean median p5 p95 buckets[].count buckets[].left buckets[].right"
DISTRIBUTIONS = (
    "userInputTokenDistribution",
    "userOutputTokenDistribution",
    "userMessagePerExampleDistribution",
)
STATISTICS = """tuningDatasetExampleCount tuningStepCount totalBillableTokenCount totalTuningCharacterCount
    totalTruncatedExampleCount truncatedExampleIndices[] droppedExampleReasons[]
    userDatasetExamples[].role userDatasetExamples[].parts[].text"""


def _prefix_fields(prefix: str, fields: str) -> str:
    return " ".join(f"{prefix}.{field}" for field in fields.split())


ALL_STATISTICS = _prefix_fields(
    "tuningDataStats.supervisedTuningDataStats",
    " ".join([STATISTICS, *(_prefix_fields(name, DISTRIBUTION) for name in DISTRIBUTIONS)]),
)
FIELDS = {
    "TuningJob": f"""
        name baseModel tunedModelDisplayName description labels.team state experiment
        createTime startTime endTime updateTime
        supervisedTuningSpec.trainingDatasetUri supervisedTuningSpec.validationDatasetUri
        supervisedTuningSpec.hyperParameters.epochCount supervisedTuningSpec.hyperParameters.adapterSize
        supervisedTuningSpec.hyperParameters.learningRateMultiplier
        tunedModel.model tunedModel.endpoint tunedModel.checkpoints[].checkpointId
        tunedModel.checkpoints[].epoch tunedModel.checkpoints[].step tunedModel.checkpoints[].endpoint
        tuningJobMetadata.completedEpochCount tuningJobMetadata.completedStepCount {ALL_STATISTICS}""",
    "TuningJob that goes on": """name state
        preTunedModel.tunedModelName preTunedModel.checkpointId preTunedModel.baseModel
        tunedModelDisplayName tunedModel.model tunedModel.endpoint""",
    "TuningJob that was cancelled": "name state createTime endTime updateTime error.code error.message",
    "Context": """name displayName schemaTitle schemaVersion metadata.backing_tensorboard_resource
        createTime updateTime""",
    "Context of a run": """name displayName schemaTitle schemaVersion parentContexts[] metadata._state
        createTime updateTime""",
    "Tensorboard": "name displayName",
    "TensorboardExperiment": "name displayName createTime updateTime",
    "TensorboardRun": "name displayName createTime updateTime",
    "TensorboardTimeSeries": """name displayName valueType metadata.maxStep metadata.maxWallTime
        createTime updateTime""",
    "TimeSeriesData": """tensorboardTimeSeriesId valueType values[].step values[].wallTime
        values[].scalar.value""",
    "Model": """name displayName versionId versionAliases[] versionCreateTime versionUpdateTime createTime
        updateTime etag labels.team deployedModels[].endpoint deployedModels[].deployedModelId
        checkpoints[].checkpointId checkpoints[].epoch checkpoints[].step defaultCheckpointId
        baseModelSource.genieSource.baseModelUri modelSourceInfo.sourceType""",
    "Endpoint": """name displayName etag labels.team createTime updateTime trafficSplit deployedModels[].id
        deployedModels[].model deployedModels[].modelVersionId deployedModels[].displayName
        deployedModels[].createTime""",
    "GenerateContentResponse": """candidates[].content.role candidates[].content.parts[].text
        candidates[].finishReason candidates[].avgLogprobs
        candidates[].logprobsResult.chosenCandidates[].tokenId
        candidates[].logprobsResult.chosenCandidates[].logProbability
        candidates[].logprobsResult.topCandidates[].candidates[].tokenId
        usageMetadata.promptTokenCount
        usageMetadata.candidatesTokenCount usageMetadata.totalTokenCount
        usageMetadata.promptTokensDetails[].modality usageMetadata.promptTokensDetails[].tokenCount
        modelVersion createTime responseId""",
    "CountTokensResponse": "totalTokens totalBillableCharacters promptTokensDetails[].tokenCount",
    "Object": """kind id name bucket generation metageneration contentType size md5Hash crc32c etag
        timeCreated updated selfLink mediaLink storageClass""",
    "Bucket": "kind id name location storageClass",
}


def find_missing(kind: str, resource: Any) -> list[str]:
    """The fields of this kind that the resource has not, or has empty."""
    return [path for path in FIELDS[kind].split() if not all(_iter_filled(resource, path.split(".")))]


def _iter_filled(value: Any, path: list[str]) -> Iterator[bool]:
    """Whether each value at the path is there; proto3 writes no zero except in a list's element."""
    if not path:
        yield value not in (None, "", [], {})
        return
    name, is_list = path[0].removesuffix("[]"), path[0].endswith("[]")
    inner = value.get(name) if isinstance(value, dict) else None
    if not is_list:
        yield from _iter_filled(inner, path[1:])
    elif not isinstance(inner, list) or not inner:
        yield False
    else:
        for element in inner:
            yield from _iter_filled(element, path[1:])
