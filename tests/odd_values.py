"""Texts and JSON that no client of ours sends: what fields, addresses and bodies are tried with."""

from __future__ import annotations

from random import Random
from typing import Any

ODD_REQUEST = r"""{"tunedModelDisplayName": "\u0000\ud800", "labels": {"\u0000": "\ud800"},
  "description": "\u0000", "baseModel": "\ud800", "\ud800": {"a": 1},
  "preTunedModel": {"tunedModelName": "\u0000", "checkpointId": [[1]]},
  "supervisedTuningSpec": {"trainingDatasetUri": "gs://b/\u0000.jsonl", "validationDatasetUri": 9e999,
  "hyperParameters": {"epochCount": 1e999, "learningRateMultiplier": "NaN", "adapterSize": {"a": null}}}}"""
"""A tuning request with what no database stores, for the page that reads one."""
ODD_TEXTS = (
    *("", " ", "\0", "a\0b", "\r\nX-Injected: 1", "\u202e", "\ufeff", "é😀", "a" * 300, "a" * 3000),
    *("'\"<script>", "%", "%00", "{% now %}", "{{ x }}"),
    *("0", "-1", "1.5", "1e999", "NaN", "Infinity", "0x10", "٣", "²", "+1", "1_000", "9" * 18, "9" * 19),
    *("9" * 5000, "-" + "9" * 5000, str(2**63 - 1), str(2**63), str(-(2**63) - 1), "1" * 400),
    *("null", "true", "{}", "[]", "[1]", '{"a": 1}', '"x"', "{", "[" * 3000, '{"a":' * 3000, '{"a": NaN}'),
    *(
        '"\\ud800"',
        '{"a": "\\u0000"}',
        '{"base_model": {"a": [1]}}',
        "{'a': 1,}",
        "x=1&y=2",
        "a,b,,c",
        ":",
        "1:2",
    ),
    *(
        "../../etc/passwd",
        "gs://b/../x.jsonl",
        "gs://bucket/%2e%2e/x.jsonl",
        "gs://",
        "http://169.254.169.254/",
    ),
    *("*a" * 40 + "*b", "NOT " * 1250, "(" * 200, "a=" * 300, "\\" * 50, "name desc, name desc", "-created"),
    *("-1e308:1e308", "0:1e-320", "nan:inf", "gs://b/" + "a" * 1000 + ".jsonl", "/etc/passwd", "a/" * 200),
    ODD_REQUEST,
    *(
        "2026-01-01",
        "us-central1",
        "studio-tiny",
        "training",
        "validation",
        "mine",
        "all",
        "curl https://x -d '{'",
    ),
)
ODD_JSON: tuple[Any, ...] = (
    *(
        None,
        True,
        False,
        0,
        -1,
        1.5,
        10**400,
        -(10**400),
        2**63,
        -(2**63) - 1,
        1e308,
        [],
        {},
        [[]],
        [None],
        [{}],
    ),
    *({"a": 1}, {"": ""}, {"a": {"b": [1, {"c": None}]}}, [1, "x", {}], "\ud800", "\0", "a\r\nb", "9" * 5000),
    *ODD_TEXTS[:40],
)


def pick_text(random: Random) -> str:
    return random.choice(ODD_TEXTS)


def pick_json(random: Random) -> Any:
    """One of ODD_JSON, sometimes deep inside lists."""
    value = random.choice(ODD_JSON)
    for _ in range(random.choice((0, 0, 0, 1, 90, 900))):
        value = [value]
    return value
