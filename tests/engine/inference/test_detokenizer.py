"""Text by tokens: whatever a model writes, in pieces it is what decoding all of it at once gives."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, decoders, models

from engine.base_models.registry import BUILT_IN
from engine.inference.detokenizer import Detokenizer
from engine.training.chat_template import ChatTemplate
from tests.engine.tiny_base import write_base

pytestmark = pytest.mark.engine

WORDS = ["▁", "▁▁", "▁a", "▁日", "a", "b", "\ufffd", "é", "日本", '"', "_", "."]


def write_pieces(folder: Path, decoder: decoders.Decoder) -> Path:
    """A tokenizer as SentencePiece leaves them: words with a mark for their space, and single bytes."""
    folder.mkdir(parents=True)
    special = ["<unk>", "<s>", "</s>"]
    vocabulary = [*special, *(f"<0x{byte:02X}>" for byte in range(256)), *WORDS]
    tokenizer = Tokenizer(
        models.BPE({token: id for id, token in enumerate(vocabulary)}, [], unk_token="<unk>")
    )
    tokenizer.decoder = decoder
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in special])
    tokenizer.save(str(folder / "tokenizer.json"))
    about = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "</s>", "unk_token": "<unk>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(about))
    return folder


def llama() -> decoders.Decoder:
    fuse = [decoders.ByteFallback(), decoders.Fuse()]
    return decoders.Sequence([decoders.Replace("▁", " "), *fuse, decoders.Strip(" ", 1, 0)])


def gemma() -> decoders.Decoder:
    return decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])


MAKERS: dict[str, Callable[[Path], Path]] = {
    "bytes": write_base,
    "studio-tiny": lambda folder: BUILT_IN / "studio-tiny",
    "llama": lambda folder: write_pieces(folder, llama()),
    "gemma": lambda folder: write_pieces(folder, gemma()),
    "metaspace": lambda folder: write_pieces(folder, decoders.Metaspace()),
}


@pytest.fixture(scope="module", params=MAKERS)
def chat(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ChatTemplate:
    return ChatTemplate(MAKERS[request.param](tmp_path_factory.mktemp("tokenizers") / request.param))


def decode_stepwise(chat: ChatTemplate, tokens: Sequence[int]) -> list[str]:
    """What is sure after each token, and at the end all of the text."""
    decoding, sure = Detokenizer(chat), []
    for token in tokens:
        decoding.add(token)
        sure.append(decoding.sure)
    return [*sure, decoding.text]


@given(numbers=st.lists(st.integers(0, 2**16), max_size=40))
@example(numbers=[])
def test_streamed_text_equals_the_full_decode(chat: ChatTemplate, numbers: list[int]) -> None:
    """Any tokens in any order: halves of characters, specials, bytes that are none, spaces in rows."""
    size = len(chat._tokenizer)
    tokens = [number % size for number in numbers]
    *sure, whole = decode_stepwise(chat, tokens)
    assert whole == chat.decode_tokens(tokens)
    assert all(whole.startswith(beginning) for beginning in sure)


@given(data=st.data())
def test_streamed_text_equals_the_full_decode_where_spelling_depends_on_neighbors(
    chat: ChatTemplate, data: st.DataObject
) -> None:
    """Only the tokens that are spelled by their neighbours: spaces, quotes, underscores, single bytes."""
    vocabulary = chat._tokenizer.get_vocab()
    awkward = sorted(id for token, id in vocabulary.items() if set(token) <= set('▁Ġ_"日æĹ¥\ufffd'))
    awkward += sorted(chat.byte_tokens)[65:67] + sorted(chat.byte_tokens)[227:232] + sorted(chat.unspoken)
    tokens = data.draw(st.lists(st.sampled_from(awkward), max_size=30))
    *sure, whole = decode_stepwise(chat, tokens)
    assert whole == chat.decode_tokens(tokens)
    assert all(whole.startswith(beginning) for beginning in sure)


def test_ordinary_text_is_emitted_at_once(chat: ChatTemplate) -> None:
    vocabulary = chat._tokenizer.get_vocab()
    letter = vocabulary["a"]
    assert decode_stepwise(chat, [letter] * 5) == ["a" * count for count in (1, 2, 3, 4, 5, 5)]


def test_decoding_cost_is_linear_in_the_answer(chat: ChatTemplate, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded, text = [], ChatTemplate.decode_tokens

    def count_tokens(self: ChatTemplate, tokens: Sequence[int]) -> str:
        decoded.append(len(tokens))
        return text(self, tokens)

    monkeypatch.setattr(ChatTemplate, "decode_tokens", count_tokens)
    decode_stepwise(chat, [chat._tokenizer.get_vocab()["a"]] * 1000)
    assert sum(decoded) <= 4 * 1000
