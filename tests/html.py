"""Pages without the white space of the templates' layout, so that tests can compare them."""

from __future__ import annotations

import re


def squeeze_html(page: str) -> str:
    """Collapse white space, and drop it after an opening tag and before a closing one."""
    return re.sub(r"(?<=>) (?=</)|(<[a-z][^>]*>) | (?=</)", r"\1", " ".join(page.split()))
