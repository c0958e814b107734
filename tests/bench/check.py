"""The dataset check beside `for line in file: json.loads(line)`: one file of conversations, a process each.

`python -m tests.bench.check [MB]`; 1,000 MB unless said otherwise. The two take turns, and neither always
comes first. Memory is the peak of the process less what it had before it read the file's first byte.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.bench import leaks

ROUNDS = 3
LEAST_RATIO = 1.0
MOST_MB = 150
SEED = 11
POOL = 5_000
"""Conversations made; the file has them over and over, with other numbers, so that none stands twice."""
ENGLISH = """
    the my your a this order parcel card account transfer invoice balance delivery address password refund
    item shipment payment subscription ticket warranty is was has can should will arrived failed changed reset
    confirmed cancelled checked today tomorrow again because after before with without from to in please thank
    you help need customer service team number reference email phone settings page button error message
"""
JAPANESE = """
    ご注文 商品 お届け 配送 返品 交換 領収書 お支払い 口座 振込 残高 パスワード 再設定 確認 変更 手続き は
    が を に で と の も いたします できます ください しました ですか 明日 本日 三日 以内に お客様 担当者
"""
ASIDES = ["\n\n- ", 'It says "error 42": ', "https://shop.example/help ", "Café Zoë, 5 €. "]
SPEAK: dict[str, tuple[list[str], str, str]] = {
    "en": (ENGLISH.split(), " ", ". "),
    "ja": (JAPANESE.split(), "", "。"),
}
BASELINE = """
import json, sys, time
started = time.perf_counter()
with open(sys.argv[1], encoding="utf-8") as file:
    for line in file:
        json.loads(line)
print(json.dumps({"seconds": time.perf_counter() - started}))
"""
OURS = """
import json, sys, time
from pathlib import Path
from jobs.datasets.check import check
from jobs.datasets.lines import BLOCK
def chunks():
    with open(sys.argv[1], "rb") as file:
        while chunk := file.read(BLOCK):
            yield chunk
def peak():  # getrusage would tell of the process that this one was forked from
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024 / 1e6
before, started = peak(), time.perf_counter()
report = check(chunks())
seconds = time.perf_counter() - started
problems = sum(report.counts.values())
found = {"mb": peak() - before, "examples": report.examples, "problems": problems, "seconds": seconds}
print(json.dumps(found))
"""


def iter_conversations(dice: random.Random) -> Iterator[bytes]:
    """Chats as support desks have them: of one to six questions, some with a system instruction, one in five
    Japanese, texts with lists, quotes, colons and addresses, in both spellings of json.dumps."""
    for _ in range(POOL):
        language = dice.choices(["en", "ja"], [4, 1])[0]
        turns = []
        for _pair in range(dice.choices([1, 2, 3, 6], [5, 2, 2, 1])[0]):
            turns.append(turn("user", f"{text(dice, language, 6, 50)} (#####)"))
            turns.append(turn("model", text(dice, language, 10, 160)))
        value: dict[str, object] = {"contents": turns}
        if dice.random() < 0.4:
            value = {"systemInstruction": turn("system", text(dice, language, 12, 60)), **value}
        yield json.dumps(value, ensure_ascii=dice.random() < 0.5).encode() + b"\n"


def turn(role: str, said: str) -> dict[str, object]:
    return {"role": role, "parts": [{"text": said}]}


def text(dice: random.Random, language: str, least: int, most: int) -> str:
    words, between, end = SPEAK[language]
    wanted, parts = dice.randint(least, most), []
    while wanted > 0:
        length = min(wanted, dice.randint(5, 14))
        parts.append(between.join(dice.choices(words, k=length)).capitalize() + end)
        wanted -= length
        if dice.random() < 0.15:
            parts.append(dice.choices(ASIDES, [5, 2, 2, 1])[0])
    return "".join(parts).strip()


def write(path: Path, size: int) -> int:
    """How many lines it took."""
    pool, number, written = list(iter_conversations(random.Random(SEED))), 0, 0
    with path.open("wb") as file:
        while written < size:
            written += file.write(pool[number % POOL].replace(b"#####", b"%d" % number))
            number += 1
    return number


def run(program: str, path: Path) -> dict[str, float]:
    done = subprocess.run([sys.executable, "-c", program, path], check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def measure(megabytes: int = 1000) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "conversations.jsonl"
        lines = write(path, megabytes * 10**6)
        yield f"{megabytes} MB, {lines} lines"
        programs = {"check": OURS, "json.loads": BASELINE}
        found: dict[str, list[dict[str, float]]] = {name: [] for name in programs}
        for number in range(ROUNDS):
            for name in sorted(programs, reverse=number % 2 == 0):
                found[name].append(run(programs[name], path))
    best = {name: min(one["seconds"] for one in each) for name, each in found.items()}
    memory = max(one["mb"] for one in found["check"])
    for name, each in found.items():
        rounds = " ".join(f"{one['seconds']:.2f}" for one in each)
        yield f"{name:>10}: {best[name]:6.2f} s  {megabytes / best[name]:6.1f} MB/s  ({rounds})"
    ratio = best["json.loads"] / best["check"]
    yield f"the check is {ratio:.2f} times as fast; {LEAST_RATIO} is asked for"
    yield f"its memory grew by {memory:.0f} MB; less than {MOST_MB} is asked for"
    assert all(one["examples"] == lines and not one["problems"] for one in found["check"]), found["check"]
    assert ratio >= LEAST_RATIO, "The check is too slow."
    assert memory < MOST_MB, "The check takes too much memory."


def main(megabytes: int = 1000) -> bool:
    try:
        for line in measure(megabytes):
            print(f"check: {line}", flush=True)
    except AssertionError as failure:
        print(f"check: {failure}", flush=True)
        return False
    return True


if __name__ == "__main__":
    parts: list[Callable[[], bool]] = [lambda: main(*map(int, sys.argv[1:2])), leaks.main]
    good = [part() for part in parts]
    sys.exit(not all(good))
