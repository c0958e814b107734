from typing import Any

import pytest

from jobs.chat.endpoints import endpoints

ONE = {"checkpointId": "1", "epoch": "1", "step": "30", "endpoint": "e/701"}
TWO = {"checkpointId": "2", "epoch": "2", "step": "60", "endpoint": "e/702"}


@pytest.mark.parametrize(
    ("tuned_model", "expected"),
    [
        (None, []),
        ({"model": "m/1@1"}, []),
        ({"endpoint": "e/7"}, [("7", True)]),
        ({"endpoint": "e/702", "checkpoints": [ONE, TWO]}, [("702", True), ("701", False)]),
        ({"endpoint": "e/701", "checkpoints": [ONE, TWO]}, [("701", True), ("702", False)]),
        ({"checkpoints": [ONE, TWO]}, [("702", False), ("701", False)]),
        ({"checkpoints": [{"checkpointId": "1"}, TWO]}, [("702", False)]),
        ({"endpoint": "e/7", "checkpoints": [ONE]}, [("7", True), ("701", False)]),
    ],
)
def test_the_default_endpoint_comes_first_then_the_newest(
    tuned_model: Any, expected: list[tuple[str, bool]]
) -> None:
    found = endpoints({"tunedModel": tuned_model})
    assert [(endpoint.id, endpoint.default) for endpoint in found] == expected
