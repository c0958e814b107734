"""One example of the corpus."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Conversation:
    """`turns` are pairs of what the user says and what the assistant answers."""

    system: str
    turns: tuple[tuple[str, str], ...]

    def texts(self) -> list[str]:
        return [self.system, *(text for turn in self.turns for text in turn)]

    def messages(self) -> list[dict[str, str]]:
        """The form that chat templates take."""
        said = [{"role": "system", "content": self.system}] if self.system else []
        for question, answer in self.turns:
            said += [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
        return said


def say(system: str, question: str, answer: str) -> Conversation:
    return Conversation(system, ((question, answer),))
