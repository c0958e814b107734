"""The text of an answer as its tokens arrive, without decoding all of it again for each token."""

from __future__ import annotations

from engine.training.chat_template import ChatTemplate

INCOMPLETE = "\ufffd"


class Detokenizer:
    """Tokens to exactly the text that decoding them all at once gives.

    `text` is that text; `sure` is as much of its beginning as no further token can change. How a token is
    spelled may depend on the one before (a leading space is dropped, the bytes of a character come one by
    one), so new tokens are decoded together with those that were new before them.
    """

    def __init__(self, chat: ChatTemplate) -> None:
        self._chat = chat
        self._before: list[int] = []
        self._new: list[int] = []
        self._settled = ""
        self.text = self.sure = ""

    def add(self, token: int) -> None:
        if token in self._chat.unspoken:
            return
        self._new.append(token)
        context = self._chat.decode_tokens(self._before)
        fresh = self._chat.decode_tokens(self._before + self._new)[len(context) :]
        self.text = self._settled + fresh
        # Single bytes are a character, or not, only as a whole run of them.
        self.sure = self._settled if token in self._chat.byte_tokens else self.text.rstrip(INCOMPLETE)
        if self.sure == self.text:
            self._settled, self._before, self._new = self.text, self._new, []
