"""updateMask: what a PATCH changes."""

from __future__ import annotations

from typing import Any

import pytest

from engine.protojson.errors import ApiError
from engine.protojson.field_masks import resolve_update_mask

FIELDS = ("displayName", "description", "labels")
CURRENT = {"displayName": "n", "labels": {"a": "1", "b": "2"}}


@pytest.mark.parametrize(
    ("mask", "body", "changed"),
    [
        ("", {"displayName": "m"}, {"displayName": "m"}),
        ("", {}, {}),
        ("displayName", {"displayName": "m", "description": "d"}, {"displayName": "m"}),
        ("display_name, description", {"displayName": "m"}, {"displayName": "m", "description": ""}),
        ("labels", {"labels": {"c": "3"}}, {"labels": {"c": "3"}}),
        ("labels", {}, {"labels": {}}),
        ("labels.a", {"labels": {"a": "9", "b": "9"}}, {"labels": {"a": "9", "b": "2"}}),
        ("labels.c,labels.a", {"labels": {"c": "3"}}, {"labels": {"b": "2", "c": "3"}}),
        (
            "labels.studioKey",
            {"labels": {"studio_key": "x"}},
            {"labels": {"a": "1", "b": "2", "studio_key": "x"}},
        ),
        ("*", {"displayName": "m"}, {"displayName": "m", "description": "", "labels": {}}),
    ],
)
def test_update_mask_selects_changes(mask: str, body: dict[str, Any], changed: dict[str, Any]) -> None:
    assert resolve_update_mask(mask, body, CURRENT, FIELDS) == changed


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        ("createTime", "create_time cannot be changed. Only display_name, description, labels can be."),
        ("displayName.x", "display_name has no subfields."),
    ],
)
def test_unchangeable_field_is_refused(mask: str, message: str) -> None:
    with pytest.raises(ApiError, match=message) as caught:
        resolve_update_mask(mask, {}, CURRENT, FIELDS)
    assert caught.value.violations[0].field == "update_mask"
