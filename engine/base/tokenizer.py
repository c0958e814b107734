"""The tokenizer of the tiny base, trained on its corpus."""

from __future__ import annotations

from random import Random
from typing import Any

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from engine.base.corpus import example

PAD, BEGIN, SYSTEM, USER, ASSISTANT, END = SPECIAL = [
    *("<|pad|>", "<|begin|>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>")
]
TEMPLATE = (
    "{%- for message in messages -%}"
    "{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{ '<|assistant|>' }}{%- endif -%}"
)


def train_tokenizer(vocabulary: int, examples: int, context: int, seed: int) -> Any:
    """Byte pairs. Digits stand alone, and a space is slipped in behind each `_` and `"`.

    By the space the `card` of `card_game` and of `"card"` is the same token as that of `a card`, so what the
    model knows of a word it knows inside labels and JSON too. The decoder takes that one space away again.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Replace("_", "_ "), normalizers.Replace('"', '" ')]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.Sequence(
        [decoders.ByteLevel(), decoders.Replace("_ ", "_"), decoders.Replace('" ', '"')]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    random = Random(seed)
    tokenizer.train_from_iterator(
        (text for _ in range(examples) for text in example(random).texts()), trainer
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
