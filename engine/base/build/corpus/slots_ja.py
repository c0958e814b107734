"""Facts in Japanese, taken over into one line of it."""

from __future__ import annotations

from random import Random

from engine.base.build.corpus import lists, names, slots
from engine.base.build.corpus.conversation import Conversation

_PHRASES = lists.read_sentences("phrases_ja")
_RUNNING = lists.read_sentences("running_ja")
_WORDS = lists.read_words("slots_ja")
_ASKS = ("形式: {}", "次の形で: {}", "{} と書く", "{}", "答え方: {}")


def _kana(random: Random) -> str:
    return "".join(random.choice(random.choice(_WORDS["kana"])) for _ in range(random.randint(2, 4)))


def _katakana(random: Random) -> str:
    return "".join(random.choice(random.choice(_WORDS["katakana"])) for _ in range(random.randint(2, 5)))


def _mix_known_and_random(group: str, made: slots.Value, share: float) -> slots.Value:
    return lambda random: random.choice(_WORDS[group]) if random.random() < share else made(random)


def _two_kanji(random: Random) -> str:
    return "".join(random.choice(random.choice(_WORDS["kanji"])) for _ in range(2))


_VALUES: dict[str, slots.Value] = {
    "名前": _mix_known_and_random("people", _two_kanji, 0.5),
    "商品": _mix_known_and_random("goods", _katakana, 0.5),
    "場所": _mix_known_and_random("places", _two_kanji, 0.6),
    "曜日": lambda random: random.choice("月火水木金土日"),
    "数": lambda random: str(random.randint(1, 30)),
    "色": lambda random: random.choice(_WORDS["colours"]),
    "時間": lambda random: str(random.randint(1, 24)),
    "品名": _mix_known_and_random("goods", _kana, 0.4),
}


def _rare_kanji(random: Random) -> str:
    """Most have no token of their own, and are three of bytes."""
    return "".join(chr(random.randint(0x4E00, 0x8FFF)) for _ in range(random.randint(1, 2)))


_MADE_UP: dict[str, slots.Value] = {
    "名前": lambda random: random.choice((_katakana, _katakana, _two_kanji))(random),
    "商品": lambda random: random.choice((_katakana, _kana))(random),
    "場所": lambda random: random.choice((_two_kanji, _two_kanji, _rare_kanji))(random),
    "曜日": _VALUES["曜日"],
    "数": _VALUES["数"],
}
_DRESSED = {
    "名前": ("{名前}様", "{名前}さん", "{名前}", "{名前}殿"),
    "数": ("{数}個", "{数}点", "{数}", "×{数}", "{数}つ"),
    "曜日": ("{曜日}曜日", "{曜日}曜", "({曜日})"),
    "場所": ("{場所}", "{場所}行き", "{場所}店"),
    "時間": ("{時間}時", "{時間}:00"),
}
_SEPARATORS = ("・", "、", " ", "／", "。", " / ", "-", "", "：", "|", ",")


def fill_japanese(random: Random) -> Conversation:
    """Known words and others, each fact by itself."""
    fields = random.sample(list(_VALUES), random.randint(1, 4))
    facts = {field: _VALUES[field](random) for field in fields}
    parts = [random.choice(_PHRASES[field]).format(value) for field, value in facts.items()]
    text = random.choice(("、", "。", "、", " ")).join(parts) + random.choice(("。", "。", "", "！"))
    return _line(random, text, facts)


def _line(random: Random, text: str, facts: dict[str, str]) -> Conversation:
    """Some of the facts, in a pattern that the instruction gives."""
    chosen = random.sample(list(facts), random.randint(1, len(facts)))
    held = [random.choice(_DRESSED.get(field, (f"{{{field}}}", f"「{{{field}}}」"))) for field in chosen]
    literals = [_kana(random) if random.random() < 0.25 else "" for _ in range(2)]
    pattern = literals[0] + random.choice(_SEPARATORS).join(held) + literals[1]
    return slots.build_fill_example(random, random.choice(_ASKS).format(pattern), text, pattern, facts)


def fill_made_up(random: Random) -> Conversation:
    """Nothing but words that nobody knows, in sentences that run on without a sign where one begins."""
    fields = random.sample(list(_MADE_UP), random.randint(3, 5))
    facts = {field: _MADE_UP[field](random) for field in fields}
    glue = random.choice(("", "", "", "、", "。"))
    text = glue.join(random.choice(_RUNNING[field]).format(value) for field, value in facts.items())
    return _line(random, text + random.choice(("。", "。", "", "！")), facts)


def order_in_japanese(random: Random) -> Conversation:
    """English facts into a Japanese line: days and numbers change their signs, names stay."""
    weekdays = dict(zip(names.DAYS, "月火水木金土日", strict=True))
    fields = random.sample(("name", "city", "item", "count", "day"), random.randint(2, 4))
    facts = {field: slots.VALUES[field](random) for field in fields}
    text = slots.join_parts(
        random, [slots.pick_phrase(random, field).format(value) for field, value in facts.items()]
    )
    shown = {**facts, **({"day": weekdays[facts["day"]]} if "day" in facts else {})}
    dressed = {
        "name": "{name}様",
        "count": "{count}個",
        "day": "{day}曜日",
        "city": "{city}",
        "item": "{item}",
    }
    pattern = random.choice(_SEPARATORS[:8]).join(dressed[field] for field in fields)
    return slots.build_fill_example(random, random.choice(_ASKS).format(pattern), text, pattern, shown)
