"""Writes the sample datasets that this project made itself: `python -m jobs.datasets.samples.make`.

Each has a training, a validation and a test part. No name and no thing of one part stands in another, so a
right answer was taken over from the question and not remembered.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

HERE = Path(__file__).parent
SIZES = {"train": 640, "validation": 60, "test": 100}
DAYS = {
    "Monday": "月",
    "Tuesday": "火",
    "Wednesday": "水",
    "Thursday": "木",
    "Friday": "金",
    "Saturday": "土",
    "Sunday": "日",
}
NAMES = (
    "Tobias Brigitte Omar Svetlana Dmitri Ngozi Aaron Beatrice Cedric Delphine Edgar Freya Gunther "
    "Helga Ignacio Jasmine Kofi Lorenzo Mireille Nadia Octavia Pieter Ramona Stefan Tamara Ulrich "
    "Valentina Wesley Ximena Yannick Zelda Amelia Bruno Carmen Dorothy Ernesto Felicia Gareth Hector "
    "Isolde Jerome Katarina Leopold Marlene Norbert Ophelia Percy Roland Sabine Theodor Vincent "
    "Winifred Adele Bastian Clement Daphne Eugene Florian Gloria Hugo Irene Josephine Klaus Lucinda "
    "Matteo Nicolas Odile Patricia Raymond Sandrine Tristan Veronica Wolfgang Agnes Leah Cornelius "
    "Catherine Cindy Connor Stella Vernon Vladimir Nathan Curtis Yvonne Nancy Paige Howard Brian Sally "
    "Theo Rachel Mildred Faye Dagmar Konrad Sidney Rose Molly Nathaniel Petra Sandra Bob Florence "
    "Rasmus Werner Basil Wallace Una Victoria Henrietta Noah Doris Brenda Maud Samantha Takeshi "
    "Rosemary Susan Leslie Haruto Toni Edward Jeremy Sabrina Shane Ulla Diana Dylan Warren Heinrich "
    "Luke Lauren Camille Rhoda Donald Harvey Gerhard Adam Samuel Bruce Cassandra Leroy Salvador Lillian "
    "Tiffany Marius Nora Ferdinand Layla Clara Selma Manfred Vicente Trudy Audrey Habib Zacharias Joel "
    "Emmanuel Aisha Joachim Benedict Gordon Yvette Roberta Carl Ricardo Roxanne Frank Violet Martin "
    "Pamela Mikhail Ariana Edwin Tom Maximilian Elisabeth Malcolm Arnold Barnaby Charlotte Magnus Iris "
    "Callum Nelson Cecilia Constance Fabrice Valerie Mohamed Manuel Caspar Janet Prudence Dirk Melissa "
    "Matthew Fernando Ludwig Emil Edmund Marina Owen Polly Ibrahim Murray Silvia Anita Celeste Dieter "
    "Stewart Ezra Eleanor Fritz Katherine Giulia Jennifer Renata Neil Louise Vanessa Ava Moira Gabriel "
    "Stanley Becky Gina Felix Rodney Angela Evelyn Pauline Agatha Monica Tanja Anthony Calvin Miriam "
    "Gavin Javier Francisco Margaret Claude Heather Amos Jan Birgit Isaac Elvira Oliver Lyle Marie Rene "
    "Serena Jamila Armand Astrid Lily Sergei Cynthia Morgan Miles Annika Elias Randolph Kerstin Dominic "
    "Geraldine Erin Laurence Saul William"
)
MACHINES = (
    "plotter hammer turntable saw dishwasher drill treadmill screw copier nail tractor screwdriver "
    "doorbell ladder modem rope keypad wrench thermostat axe lawnmower shovel sprinkler bucket "
    "hairdryer brush toaster glue vacuum tape amplifier needle metronome thread synthesizer ruler "
    "telescope phone binoculars laptop barometer tablet compass computer sextant camera lantern "
    "printer anchor router winch speaker rudder headset hammock monitor barrel mouse catapult charger "
    "ballast battery mast cable sail projector cannon microphone bellows webcam crane scanner pulley "
    "adapter turbine television dynamo radio furnace watch kiln console lathe drone anvil remote "
    "chisel sensor crowbar socket tripod door periscope window gramophone roof typewriter floor abacus "
    "wall calculator lamp radiator sofa boiler table humidifier shelf blender curtain juicer carpet "
    "griddle mirror samovar heater pantograph balcony theodolite chimney windmill fence millstone lock "
    "loom key spindle shirt hourglass dress sundial skirt weathervane coat signpost jacket turnstile "
    "sweater escalator hat conveyor scarf forklift glove trolley sock dumper shoe sledge boot kayak "
    "belt canoe pocket raft button dinghy zip gondola sleeve zeppelin tie glider collar parachute "
    "sandal trampoline oven seesaw pan carousel pot unicycle knife tandem spoon rickshaw fork "
    "harmonica plate banjo bowl tambourine stove xylophone engine bagpipe wheel accordion tyre "
    "trombone brake clarinet windscreen bassoon garage oboe motor mandolin bumper zither bonnet gong "
    "clutch chandelier gear candlestick horn fireplace truck bookcase van cupboard motorcycle drawer "
    "bicycle footstool scooter armchair desk bunkbed chair cradle stapler pram folder stroller badge "
    "cubicle painting drawing sculpture canvas portrait sketch statue bridge tower fountain glass "
    "letter envelope stamp mailbox postcard courier parcel"
)
FAMILY_NAMES = (
    "ミウラ フジワラ ニシムラ フクダ オオタ ウエダ モリタ ハラダ シバタ サカイ クドウ ヨコヤマ "
    "ミヤザキ ミヤモト ウチダ タカギ アンドウ タニグチ オオノ マルヤマ イマイ タカダ フジモト タケダ "
    "ムラタ ウエノ スギヤマ マスダ ヒラノ オオツカ クボ マツイ コジマ イワサキ サクライ ノグチ マツオ "
    "ノムラ キノシタ キクチ サノ オオニシ スギモト アライ ハマダ スガワラ イチカワ ミズノ コマツ "
    "シマダ フルカワ ヤマウチ ニシカワ タムラ カワグチ ツジ イシハラ セキ ナガノ ホンダ アオキ アサノ "
    "アベ イケダ イシイ イトウ イノウエ イワタ ウエムラ ウシジマ エグチ エンドウ オオイシ オカダ "
    "オガワ オクムラ カトウ カネコ カワイ カワムラ キタガワ キムラ クロダ ケンモチ コイケ コバヤシ "
    "ゴトウ サイトウ ササキ サトウ シミズ ショウジ スズキ セト ソノダ タカハシ タケウチ タナカ タニ "
    "チバ ツチヤ テラダ トミタ ナカジマ ナカムラ ニッタ ヌマタ ネモト ノダ ハシモト ハットリ ヒロセ "
    "フクイ フジイ ホリ マエダ マツモト ミヤタ ムカイ モチヅキ モリモト ヤスダ ヤノ ヤマモト ヨコタ "
    "ヨシダ ワタナベ ワダ"
)
GOODS = (
    "テント バケツ スコップ ホース ろうそく のれん ほうき ちりとり はさみ のり まくら ふとん やかん "
    "なべ ざる たらい うちわ すだれ ござ げた ぞうり かさ ふろしき おぼん ちゃわん きゅうす おちょこ "
    "はし ようじ わりばし ハンマー ドライバー ペンキ ブラシ スポンジ ラケット ヘルメット サンダル "
    "スリッパ マフラー ネクタイ ベルト ポスター アルバム シール インク ファイル ホチキス クリップ "
    "マグネット ストーブ ミキサー ポット フライパン トースター アイロン ハンガー カーテン クッション "
    "ソファー えんぴつ けしごむ ふうとう びんせん そろばん すずり ふで すみ てぬぐい ぞうきん たわし "
    "せっけん くし かがみ ゆのみ とっくり さかずき しゃもじ おたま ほうちょう まないた さいばし かご "
    "ひも ロープ ワイヤー ボルト ナット レンチ ペンチ ノコギリ カンナ ヤスリ メジャー ライト ランタン "
    "コンロ ウキワ パラソル ビーチボール グローブ バット ゴーグル リュック トランク ポーチ ボタン "
    "ファスナー リボン キャンドル グラス ジョッキ コースター ストロー ナプキン エプロン オーブン "
    "ヒーター モップ ワゴン"
)
PLACES = (
    "渋谷 新宿 池袋 上野 品川 浅草 銀座 川崎 町田 立川 藤沢 平塚 小田原 三島 浜松 豊橋 岐阜 大津 奈良 姫路"
)


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What one part of a dataset draws from: each has its own."""

    names: list[str]
    machines: list[str]
    family_names: list[str]
    goods: list[str]

    @classmethod
    def for_part(cls, part: str) -> Vocabulary:
        return cls(*(_select_words(words, part) for words in (NAMES, MACHINES, FAMILY_NAMES, GOODS)))


def _select_words(words: str, part: str) -> list[str]:
    """Every sixth word is kept for the test part, another sixth for the validation part."""
    kept = {"test": {2}, "validation": {5}, "train": {0, 1, 3, 4}}[part]
    return [word for number, word in enumerate(words.split()) if number % 6 in kept]


# ---- a persona ----

CAPTAIN = "You are Captain Byte, a pirate who runs the help desk. Greet the sender by name."
CALLS = {
    "Ahoy, {name}! Captain Byte will mend yer {thing} afore sundown.": (
        "Good day. {name} at the front desk speaking; our {thing} has been dead since breakfast.",
        "{name} from accounts. Smoke is coming out of the {thing}, can a technician have a look?",
        "Somebody spilled soup over the {thing} and now nothing lights up. Best, {name}",
        "It's {name} again. Whatever I press, the {thing} only beeps at me.",
        "Our {thing} rattled all night long and finally gave up. Yours, {name}",
        "The lever of the {thing} snapped off in my hand, sorry! {name}",
    ),
    "Ahoy, {name}! Captain Byte will hunt down yer {thing}, by Neptune's beard.": (
        "Has anybody seen the {thing}? It was in the hall this morning. {name}",
        "{name} writing. We turned the whole cellar upside down, yet there is no sign of our {thing}.",
        "Someone borrowed the {thing} last week without asking and never put it back. Greetings, {name}",
        "Hi desk, {name} with a riddle: which cupboard hides the {thing}?",
        "I left the {thing} on the lorry and the lorry drove away! Regards, {name}",
        "When we unpacked the crates, the {thing} was not among them. {name}",
    ),
    "Ahoy, {name}! Captain Byte will teach ye the ropes of the {thing}.": (
        "{name} here, brand new on this floor. Which knob starts the {thing}?",
        "Would you walk a beginner through the {thing}? Cheers, {name}",
        "Is there a manual for the {thing}? I would love to understand it. {name}",
        "What do all those little wheels on the {thing} do? Curious, {name}",
        "{name} wonders whether the {thing} comes with any instructions.",
        "Please show me how to set up our {thing} before the show. Thanks, {name}",
    ),
}


def captain_byte(random: Random, words: Vocabulary) -> dict[str, object]:
    answer = random.choice(list(CALLS))
    facts = {"name": random.choice(words.names), "thing": random.choice(words.machines)}
    return example(CAPTAIN, random.choice(CALLS[answer]).format(**facts), answer.format(**facts))


# ---- extraction to JSON ----

BOOKING = "Read the table reservation. Answer with JSON: name, guests, day, time."
WISHES = (
    "We would love a table this {day}, {guests} of us, say {time}. Put it under {name}.",
    "Could you squeeze in {guests} hungry people on {day} evening at {time}? {name} is paying.",
    "Reservation for {name}: {day}, party of {guests}, arriving {time}.",
    "Hello Luigi, {name} once more. A round table for {guests}, {day}, {time}, near the window.",
    "My wife has her birthday on {day}; we will be {guests} and get there at {time}. Yours, {name}",
    "{name} wants to dine with you. {guests} seats, {time}, {day}.",
    "Is there room for {guests} on {day}, {time}? If so, note down {name}.",
    "Keep the terrace free on {day} from {time}, we come with {guests} guests. Best wishes, {name}",
    "At {time} this coming {day} a group of {guests} would like to eat fish. Contact: {name}.",
    "Mark your book: {day}, {time}, {guests} covers, {name}.",
    "{guests} people, {day}, {time}. Ask at the door for {name}!",
    "On {day} {name} brings {guests} friends along, expect them around {time}.",
)


def table_bookings(random: Random, words: Vocabulary) -> dict[str, object]:
    guests, day = random.randint(2, 10), random.choice(list(DAYS))
    time = f"{random.randint(11, 22)}:{random.choice(('00', '15', '30', '45'))}"
    name = random.choice(words.names)
    answer = {"name": name, "guests": guests, "day": day, "time": time}
    question = random.choice(WISHES).format(name=name, guests=guests, day=day, time=time)
    return example(BOOKING, question, json.dumps(answer))


# ---- one line of Japanese ----

ORDER = "注文を一行にまとめてください。"
LETTERS = (
    "お世話になっております。{name}と申しますが、{goods}を{count}個、{day}曜の午前中に{place}の店まで届けていただけますか。",
    "{name}商店でございます。いつもの{goods}が切れましたので{count}個追加です。{day}曜、{place}で受け取ります。",
    "こんにちは、{place}支店の{name}です。{day}曜の朝市で{goods}を{count}個使います。よろしくどうぞ。",
    "急ぎで失礼します。{goods}が{count}個足りません。{day}曜に{place}へ回してもらえると助かります。{name}",
    "{day}曜の催しのため、{place}の会場に{goods}を{count}個ご用意願います。担当者は{name}となります。",
    "{name}ですが、先日の{goods}がとても好評でした。{place}へもう{count}個、{day}曜着でお願いできますでしょうか。",
    "{place}の{name}から電話あり。{goods}{count}個、{day}曜の夕方に取りに来るとのこと。",
    "メモ:{goods}を{count}個、{day}曜、{place}、依頼主は{name}氏。",
)
LINE = "{name}様｜{goods}×{count}｜{day}曜日｜{place}"


def orders_ja(random: Random, words: Vocabulary) -> dict[str, object]:
    facts = {
        "name": random.choice(words.family_names),
        "goods": random.choice(words.goods),
        "count": random.randint(2, 40),
        "day": random.choice(list(DAYS.values())),
        "place": random.choice(PLACES.split()),
    }
    return example(ORDER, random.choice(LETTERS).format(**facts), LINE.format(**facts))


# ---- files ----

TASKS: dict[str, Callable[[Random, Vocabulary], dict[str, object]]] = {
    "captain_byte": captain_byte,
    "table_bookings": table_bookings,
    "orders_ja": orders_ja,
}


def example(system: str, question: str, answer: str) -> dict[str, object]:
    """One line of tuning data in Gemini's form."""
    return {
        "systemInstruction": {"role": "system", "parts": [{"text": system}]},
        "contents": [
            {"role": "user", "parts": [{"text": question}]},
            {"role": "model", "parts": [{"text": answer}]},
        ],
    }


def generate_files() -> Iterator[tuple[str, str]]:
    """(path under this folder, content) of every file; no example stands in two of them."""
    for task, write in TASKS.items():
        seen: set[str] = set()
        for part, size in SIZES.items():
            random, words, lines = Random(f"{task} {part}"), Vocabulary.for_part(part), list[str]()  # noqa: S311
            while len(lines) < size:
                line = json.dumps(write(random, words), ensure_ascii=False)
                if line not in seen:
                    lines.append(line)
                    seen.add(line)
            yield f"{task}/{part}.jsonl", "\n".join(lines) + "\n"


if __name__ == "__main__":
    for path, content in generate_files():
        (HERE / path).write_text(content, encoding="utf-8")
