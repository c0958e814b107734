"""Lines of tuning files: good ones, and each fault that the report page has to tell of."""

from __future__ import annotations

import json
from typing import Any


def line(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode() + b"\n"


def example(question: str = "Where is my <b>card</b>?", answer: str = "card_arrival") -> dict[str, Any]:
    return {
        "contents": [
            {"role": "user", "parts": [{"text": question}]},
            {"role": "model", "parts": [{"text": answer}]},
        ]
    }


def openai_chat(question: str, answer: str = "card_arrival") -> dict[str, Any]:
    """In OpenAI's form."""
    return {"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]}


GOOD = line(example())
UNANSWERED = line({"contents": [{"role": "user", "parts": [{"text": "=HYPERLINK(1)"}]}]})
COMMA = b'{"contents": [],}\n'
