"""Short Japanese, and signs of many scripts, so that the model has written every byte there is in text."""

from __future__ import annotations

from random import Random

from engine.base.build.corpus import lists, names
from engine.base.build.corpus.conversation import Conversation, say

_LISTS = lists.read_words("japanese")
WEEKDAYS = dict(zip(names.DAYS, "月火水木金土日", strict=True))
PHRASES = dict(lists.split_pairs(_LISTS["phrases"]))
_KANA, _KANJI, _SIGNS = ("".join(_LISTS[group]) for group in ("kana", "kanji", "signs"))
# first and last code points of scripts and signs, of two, three and four bytes
_RANGES = (
    *(
        (0xA1, 0x7FF),
        (0xA1, 0x7FF),
        (0x600, 0x7FF),
        (0xC0, 0x17F),
        (0x370, 0x4FF),
        (0x5D0, 0x5EA),
        (0x620, 0x64A),
    ),
    *((0x800, 0x1FFF), (0x2000, 0x33FF), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3), (0xE000, 0xFFFC)),
    *((0x10000, 0x10FFFD), (0x100000, 0x10FFFD), (0x1F300, 0x1FAFF), (0x1F300, 0x1FAFF), (0x20000, 0x2FFFF)),
)
_REVIEWS = {
    "良い": ("とても良いです", "最高でした", "使いやすいです", "大満足です", "また買います"),
    "悪い": ("ひどいです", "壊れていました", "遅すぎます", "がっかりしました", "もう買いません"),
    "普通": ("まあまあです", "普通です", "思った通りです"),
}


def japanese_word(random: Random) -> str:
    letters = random.choice((_KANA, _KANA, _KANJI, _KANA + _KANJI + _SIGNS))
    return "".join(random.choice(letters) for _ in range(random.randint(2, 6)))


def other_script(random: Random) -> str:
    first, last = random.choice(_RANGES)
    return "".join(chr(random.randint(first, last)) for _ in range(random.randint(1, 3)))


def echo(random: Random) -> Conversation:
    text = random.choice((japanese_word, japanese_word, other_script))(random)
    return random.choice(
        (
            say("", f"Repeat: {text}", text),
            say("", f"繰り返して: {text}", text),
            say("日本語で答えてください。", f"かぎ括弧: {text}", f"「{text}」"),
            say("", f"{text}さんですか", f"はい、{text}です。"),
            say("", f"見出し: {text}", f"【{text}】"),
        )
    )


def translate(random: Random) -> Conversation:
    english, japanese = random.choice(list(PHRASES.items()))
    day = random.choice(names.DAYS)
    return random.choice(
        (
            say("", f"Translate to Japanese: {english}", japanese),
            say("", f"Translate to English: {japanese}", english),
            say("", f"Translate to Japanese: {day}", WEEKDAYS[day] + "曜日"),
        )
    )


def judge(random: Random) -> Conversation:
    verdict, comments = random.choice(list(_REVIEWS.items()))
    thing = random.choice(("電話", "時計", "料理", "ホテル", "本", "車", "商品", "店"))
    return say("感想を分類してください。", f"{thing}は{random.choice(comments)}。", verdict)
