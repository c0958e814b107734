"""The tokenizer of the tiny base, trained on its corpus."""

from __future__ import annotations

import re
from random import Random
from typing import Any

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from engine.base.build.corpus import write_example

PAD, BEGIN, SYSTEM, USER, ASSISTANT, END = SPECIAL = [
    *("<|pad|>", "<|begin|>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>")
]
TEMPLATE = (
    "{%- for message in messages -%}"
    "{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{ '<|assistant|>' }}{%- endif -%}"
)


# A word that does not follow a space gets one, with a joiner before it that says so.
JOINER = "\u2060"
BEFORE_WORDS = '_"([{<>=:;,.!?/|*+@#$%&-–\n0123456789「『【（、。・：！？／'
JAPANESE = Regex(r"[\p{Hiragana}\p{Katakana}\p{Han}ー]")


def train_tokenizer(vocabulary: int, examples: int, context: int, seed: int) -> Any:
    """Byte pairs, made so that a word or a sign is the same tokens wherever it stands.

    The `card` of `card_game`, of `"card"` and of an answer that begins with it is the token of `a card`: what
    the model knows of a word it knows everywhere, and it can take a word over as it found it. Digits and the
    signs of Japanese stand alone. The decoder takes joiners and their spaces away again.
    """
    tokenizer = _build_byte_pair_tokenizer()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    random = Random(seed)
    tokenizer.train_from_iterator(
        (text for _ in range(examples) for text in write_example(random).texts()), trainer
    )
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        bos_token=BEGIN,
        eos_token=END,
        additional_special_tokens=[SYSTEM, USER, ASSISTANT],
        model_max_length=context,
        clean_up_tokenization_spaces=False,
    )
    wrapped.chat_template = TEMPLATE
    return wrapped


def _build_byte_pair_tokenizer() -> Tokenizer:
    """Untrained: how a text is cut, and put together again."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence(
        [
            *(
                normalizers.Replace(Regex(f"{re.escape(sign)}(?=\\p{{Latin}})"), f"{sign}{JOINER} ")
                for sign in BEFORE_WORDS
            ),
            normalizers.Prepend(f"{JOINER} "),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.Split(JAPANESE, behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.Sequence(
        [decoders.ByteLevel(), decoders.Replace(f"{JOINER} ", ""), decoders.Replace(JOINER, "")]
    )
    return tokenizer
