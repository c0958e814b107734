"""The accessibility violations that axe-core finds on a page."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

AXE = Path(__file__).parent / "vendor" / "axe-core" / "axe.min.js"
GRAVE = {"serious", "critical"}
EVERY_RULE = {"resultTypes": ["violations"]}
COLOURS = {**EVERY_RULE, "runOnly": ["color-contrast", "link-in-text-block"]}
RUN = """options => axe.run(document, options).then(found => found.violations.flatMap(
  rule => rule.nodes.map(node => [rule.impact, rule.id, node.target.join(" "), node.failureSummary])))"""


@cache
def read_axe_source() -> str:
    text = AXE.read_bytes()
    assert hashlib.sha256(text).hexdigest() in (AXE.parent / "README.md").read_text(), "axe-core was changed"
    return text.decode()


def grave_problems(page: Page, rules: dict[str, Any] = EVERY_RULE) -> list[str]:
    """Return the serious and critical violations, one line each: rule, element, problem."""
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(read_axe_source())
    found: list[list[str]] = page.evaluate(RUN, rules)
    return [f"{rule} {target}: {why}" for impact, rule, target, why in found if impact in GRAVE]
