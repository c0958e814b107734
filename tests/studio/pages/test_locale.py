"""Japanese: the catalog is complete and compiled, and the pages use the console's terms."""

from __future__ import annotations

import ast
import gettext
import html
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation.template import templatize

from jobs.chat.models import Conversation
from jobs.datasets.models import Dataset
from jobs.models import TuningJob
from studio.formats import format_duration, format_relative_time
from studio.models import Project, Role
from tests.html import squeeze_html

ROOT: Path = settings.BASE_DIR
LOCALES = ROOT / "studio" / "locale"
PLACE = "projects/local/locations/us-central1"
Key = str | tuple[str, int]


# ---- the catalogues ----


@dataclass
class Entry:
    """One entry of a .po file; `texts` are its translations, one for each plural form."""

    key: str
    ids: list[str]
    texts: list[str]
    fuzzy: bool

    @property
    def compiled_texts(self) -> dict[Key, str]:
        """Return what the .mo file has for the entry: nothing if a text is missing."""
        if not all(self.texts):
            return {}
        if len(self.ids) == 1:
            return {self.key: self.texts[0]}
        return {(self.key, number): text for number, text in enumerate(self.texts)}


def read_entries(language: str) -> list[Entry]:
    source = (LOCALES / language / "LC_MESSAGES" / "django.po").read_text(encoding="utf-8")
    return [parse_entry(block) for block in source.strip().split("\n\n")]


def parse_entry(block: str) -> Entry:
    parts: dict[str, str] = {}
    for name, first, more in re.findall(r'^(msg\S+) (".*")((?:\n".*")*)', block, re.MULTILINE):
        parts[name] = "".join(ast.literal_eval(line) for line in [first, *more.splitlines()] if line)
    fuzzy = bool(re.search(r"^#,.*\bfuzzy\b", block, re.MULTILINE))
    context = parts["msgctxt"] + "\x04" if "msgctxt" in parts else ""
    ids = [text for name, text in parts.items() if name.startswith("msgid")]
    texts = [text for name, text in parts.items() if name.startswith("msgstr")]
    return Entry(context + parts["msgid"], ids, texts, fuzzy)


def read_compiled(language: str) -> dict[Key, str]:
    with (LOCALES / language / "LC_MESSAGES" / "django.mo").open("rb") as file:
        catalogue: dict[Key, str] = vars(gettext.GNUTranslations(file))["_catalog"]
    return catalogue


JAPANESE = read_entries("ja")
PLACEHOLDER = re.compile(r"%\(\w+\)[-0-9.]*[a-z]|%%|\{\w+\}|</?\w[^>]*>")


def test_every_entry_is_translated() -> None:
    assert len(JAPANESE) > 700
    assert [entry.key for entry in JAPANESE if not all(entry.texts)] == []
    assert [entry.key for entry in JAPANESE if entry.fuzzy] == []


def test_japanese_has_one_plural_form_and_english_two() -> None:
    assert {len(entry.texts) for entry in JAPANESE if len(entry.ids) == 2} == {1}
    assert {len(entry.texts) for entry in read_entries("en") if len(entry.ids) == 2} == {2}


def test_translations_keep_placeholders_and_markup() -> None:
    differ = [
        (id, text)
        for entry in JAPANESE[1:]
        for id in entry.ids
        for text in entry.texts
        if Counter(PLACEHOLDER.findall(id)) != Counter(PLACEHOLDER.findall(text))
    ]
    assert differ == []


@pytest.mark.parametrize("language", ["en", "ja"])
def test_compiled_catalogue_matches_its_source(language: str) -> None:
    made: dict[Key, str] = {}
    for entry in read_entries(language):
        made |= entry.compiled_texts
    made[""] = re.sub(r"POT-Creation-Date: .*\n", "", made[""])  # it is not compiled
    assert read_compiled(language) == made


def iter_python_texts(path: Path) -> Iterator[str]:
    """Return each text passed to a function of django.utils.translation, under any imported name."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = {
        alias.asname or alias.name: "pgettext" in alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "django.utils.translation"
        for alias in node.names
        if "gettext" in alias.name
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names:
            texts = [text.value for text in node.args if isinstance(text, ast.Constant)]
            yield "\x04".join(texts[:2]) if names[node.func.id] else texts[0]


QUOTED = r"""u?('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""


def iter_template_texts(path: Path) -> Iterator[str]:
    source = templatize(path.read_text(encoding="utf-8"), origin=str(path))
    for kind, first, second in re.findall(rf"(\w*)gettext\({QUOTED}(?:, {QUOTED})?", source):
        texts = [first, second] if kind.endswith("p") else [first]  # a context comes before its text
        yield "\x04".join(map(ast.literal_eval, texts))


def test_catalogue_contains_every_marked_text() -> None:
    marked: set[str] = set()
    for room in ("jobs", "metrics", "studio"):
        for path in (ROOT / room).rglob("*.py"):
            marked |= set(iter_python_texts(path))
    for path in (ROOT / "templates").rglob("*.html"):
        marked |= set(iter_template_texts(path))
    assert len(marked) > 600
    assert marked - {entry.key for entry in JAPANESE} == set()


# ---- times ----


def test_times_are_formatted_in_japanese() -> None:
    now = timezone.now()
    with translation.override("ja"):
        assert format_relative_time(now - timedelta(minutes=3)) == "3 分前"
        assert format_relative_time(now - timedelta(days=1, hours=2)) == "昨日"
        assert format_relative_time(datetime(2020, 2, 9, 12, tzinfo=UTC)) == "2020 年 2 月 9 日"
        assert [format_duration(4), format_duration(245), format_duration(7500)] == [
            "4 秒",
            "4 分 05 秒",
            "2 時間 05 分",
        ]


# ---- the pages ----


Reader = Callable[[str], str]
TUNED = {
    "name": f"{PLACE}/tuningJobs/11",
    "state": "JOB_STATE_SUCCEEDED",
    "createTime": "2026-11-23T10:00:00Z",
    "endTime": "2026-11-23T10:04:05Z",
    "tunedModel": {
        "model": f"{PLACE}/models/110@1",
        "endpoint": f"{PLACE}/endpoints/702",
        "checkpoints": [
            {
                "checkpointId": str(n),
                "epoch": str(n),
                "step": str(60 * n),
                "endpoint": f"{PLACE}/endpoints/70{n}",
            }
            for n in (1, 2)
        ],
    },
    "tuningDataStats": {
        "supervisedTuningDataStats": {
            "tuningDatasetExampleCount": "480",
            "tuningStepCount": "360",
            "userInputTokenDistribution": {"min": 4, "buckets": [{"left": 4, "right": 40, "count": 480}]},
        }
    },
}


@pytest.fixture
def kim(person: Callable[..., User]) -> User:
    return person(Role.ADMIN, "kim")


@pytest.fixture
def read(kim: User) -> Reader:
    """read(address) -> that page in Japanese, as Kim sees it."""
    client = Client(headers={"accept-language": "ja"})
    client.force_login(kim)

    def page(address: str) -> str:
        answer: Any = client.get(address)
        assert answer.status_code == 200, address
        return str(answer.content.decode())

    return page


@pytest.fixture
def dataset(project: Project) -> Dataset:
    problem = {
        "severity": "error",
        "line": 4127,
        "field": "contents",
        "code": "last_not_model",
        "params": {},
        "excerpt": ["", "{}", ""],
    }
    report = {"lines": 480, "examples": 480, "errors": 1, "problems": [problem]}
    return Dataset.objects.create(
        project=project, uri="gs://b/train.jsonl", generation="1", crc32c="", size=9000, report=report
    )


@pytest.fixture
def draft(project: Project, dataset: Dataset, kim: User) -> TuningJob:
    return TuningJob.objects.create(
        project=project,
        owner=kim,
        base_model="studio-tiny",
        location="us-central1",
        training=dataset,
        validation_enabled=True,
    )


@pytest.fixture
def tuned(project: Project, dataset: Dataset, kim: User) -> TuningJob:
    job = TuningJob.objects.create(
        project=project,
        owner=kim,
        tuned_model_display_name="intents",
        base_model="studio-tiny",
        location="us-central1",
        submission="created",
        training=dataset,
    )
    job.update_from_remote(TUNED)
    return job


def find_missing(page: str, *labels: str) -> list[str]:
    page = squeeze_html(page)
    return [label for label in labels if label not in page]


def test_model_step_uses_console_labels(read: Reader, draft: TuningJob) -> None:
    page = read(reverse("jobs:model", args=["local", draft.pk]))
    assert '<html lang="ja"' in page
    assert not find_missing(
        page,
        *(
            "<h1>チューニング済みモデルを作成</h1>",
            "チューニング方法",
            "教師ありチューニング",
            "モデルの詳細",
        ),
        *(">チューニング済みモデル名</label>", ">ベースモデル</label>", ">リージョン</label>"),
        *(">詳細オプション</b>", ">エポック数</label>", ">アダプタサイズ</label>", ">学習率の乗数</label>"),
        *("最後のチェックポイントのみをエクスポート", ">続行</button>", ">キャンセル</a>"),
    )


def test_dataset_step_uses_console_labels(read: Reader, draft: TuningJob) -> None:
    page = read(reverse("jobs:dataset", args=["local", draft.pk]))
    assert not find_missing(
        page,
        *(
            "チューニング用データセット",
            "トレーニング データセット",
            "ファイルを Cloud Storage にアップロード",
        ),
        *("JSONL ファイルの選択", "Cloud Storage 上の既存ファイル", "Cloud Storage のファイルパス"),
        *("モデル検証を有効にする", "検証データセット", ">続行</button>"),
        *("4,127 行目", "最後のターンがユーザーのため、学習する回答がありません。"),
    )


def test_review_step_uses_console_labels(read: Reader, draft: TuningJob) -> None:
    page = read(reverse("jobs:review", args=["local", draft.pk]))
    assert not find_missing(
        page,
        *("モデルの詳細", "詳細オプション", "トレーニング データセット", "アダプタサイズ"),
        *("チューニングを開始</button>", "に問題が"),
    )


def test_job_list_and_job_page_use_console_labels(read: Reader, tuned: TuningJob) -> None:
    listed = read(reverse("jobs:list", args=["local"]))
    assert not find_missing(listed, "チューニング", "チューニング済みモデルを作成", "ステータス", ">成功<")
    page = read(reverse("jobs:detail", args=["local", tuned.pk]))
    assert not find_missing(page, ">モニタリング</a>", ">詳細</a>", ">データセット</a>", "テスト</button>")
    monitor = read(reverse("metrics:monitor", args=["local", tuned.pk]))
    assert not find_missing(monitor, "損失", "平滑化", "検証", "チェックポイント", "デフォルト")


LATIN = re.compile(r"[A-Za-z’']{2,}(?: [A-Za-z’']+)+")
NAMES = {
    "Tuning Studio",
    "Vertex AI",
    "Cloud Storage",
    "Google Cloud",
    "Local engine",
    "POST projects",
    "Gemini Pro",
}


def iter_visible_texts(page: str) -> Iterator[str]:
    """Return what a person reads on a page: its text, and attributes that are shown or spoken."""
    body = re.sub(r"<(script|style|code|pre)\b.*?</\1>", "", page, flags=re.DOTALL)
    spoken = re.findall(r' (?:title|aria-label|placeholder|data-(?:words|failed|busy))="([^"]*)"', body)
    yield from map(html.unescape, [*spoken, *re.split(r"<[^>]*>", body)])


def test_japanese_pages_contain_no_english(
    read: Reader, project: Project, draft: TuningJob, tuned: TuningJob
) -> None:
    talk = Conversation.objects.create(
        project=project, owner=tuned.owner, job=tuned, resource=f"{PLACE}/endpoints/702"
    )
    addresses = [
        *(reverse(name, args=["local"]) for name in ("jobs:list", "talk:list", "activity", "members")),
        *(reverse(f"jobs:{name}", args=["local", draft.pk]) for name in ("model", "dataset")),
        *(reverse(f"jobs:{name}", args=["local", tuned.pk]) for name in ("detail", "details", "data")),
        reverse("metrics:monitor", args=["local", tuned.pk]),
        reverse("metrics:table", args=["local", tuned.pk, "loss"]),
        reverse("talk:conversation", args=["local", talk.pk]),
        reverse("project_settings", args=["local"]),
    ]
    left = {
        (address, words)
        for address in addresses
        for text in iter_visible_texts(read(address))
        for words in LATIN.findall(text)
        if words not in NAMES
    }
    assert left == set()


def test_sign_in_page_is_japanese(admin_exists: User) -> None:
    page = Client(headers={"accept-language": "ja"}).get(reverse("sign_in")).content.decode()
    assert not find_missing(page, "<h1>ログイン</h1>", "ユーザー名", "パスワード")
