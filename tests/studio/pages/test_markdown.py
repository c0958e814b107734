"""Models' answers as HTML: the allowed Markdown, and markup that cannot harm the page."""

from __future__ import annotations

import re
import time

import pytest
from django.template import Context, Template

from studio.pages.markdown import MAX_BRACKETS, MAX_CHARACTERS, render_markdown, sanitize_html

ALLOWED_TAG = re.compile(
    r"</?(?:p|br|hr|strong|em|code|blockquote|ul|li|h[3-6]|table|thead|tbody|tr|th|td)>"
    r'|<ol(?: start="\d+")?>|</ol>|<(?:pre|table) tabindex="0">|</pre>|</a>'
    r'|<a(?: href="(?:https?|mailto):[^"<>]*")? rel="noopener nofollow">'
)
ATTACKS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "<iframe src=javascript:alert(1)></iframe>",
    "<style>*{display:none}</style>",
    "<div><p><a href='javascript:alert(1)'><b onclick='alert(1)'>nested</b></a></p></div>",
    "- <div onclick=alert(1)>in a list</div>\n  > <script>alert(1)</script>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](java&#115;cript:alert(1))",
    "[x](java\tscript:alert(1))",
    "[x](&#x6a;avascript:alert(1))",
    "[x](vbscript:msgbox(1))",
    "[x](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
    "[x](data:image/svg+xml,<svg onload=alert(1)>)",
    "[x](//evil.example/)",
    "[x](/sign-out/)",
    "[x]\n\n[x]: javascript:alert(1)",
    "<javascript:alert(1)>",
    '[x](https://a.example/"onmouseover="alert(1))',
    '[x](https://a.example "title\\" onmouseover=\\"alert(1)")',
    "![x](https://a.example/pixel.png)",
    '![x" onerror="alert(1)](https://a.example/pixel.png)',
    "```html onclick=alert(1)\n<script>alert(1)</script>\n```",
    "`<script>alert(1)</script>`",
    "|<script>alert(1)</script>|\n|:-:|\n|<img onerror=alert(1)>|",
    "# <script>alert(1)</script>",
    "<!-- --><script>alert(1)</script><!-- -->",
    "<![CDATA[<script>alert(1)</script>]]>",
    "</div></article><form action=/p/local/members/add/>",
]


def find_foreign_tags(html: str) -> list[str]:
    return re.findall(r"<[^>]*>?", ALLOWED_TAG.sub("", html))


@pytest.mark.parametrize("text", ATTACKS)
def test_no_markup_but_the_allowed_reaches_the_page(text: str) -> None:
    assert find_foreign_tags(render_markdown(text)) == []


@pytest.mark.parametrize("html", [text for text in ATTACKS if text.startswith("<")])
def test_sanitizer_alone_removes_what_is_not_allowed(html: str) -> None:
    assert find_foreign_tags(sanitize_html(html)) == []


def test_sanitizer_drops_attributes_of_allowed_tags() -> None:
    dirty = (
        '<p style="x" class="b" lang="de" id="main" onclick="x">t <a href="/p/" title="t" rel="x">l</a></p>'
    )
    assert sanitize_html(dirty) == '<p>t <a rel="noopener nofollow">l</a></p>'


def test_html_is_shown_as_text() -> None:
    assert render_markdown("<b>x</b> & y") == "<p>&lt;b&gt;x&lt;/b&gt; &amp; y</p>\n"


def test_refused_link_stays_as_written() -> None:
    assert render_markdown("[x](javascript:alert(1))") == "<p>[x](javascript:alert(1))</p>\n"


@pytest.mark.parametrize("url", ["https://a.example/?b=1", "http://a.example/", "mailto:a@b.example"])
def test_links_lead_out_of_the_studio(url: str) -> None:
    assert render_markdown(f"[x]({url})") == f'<p><a href="{url}" rel="noopener nofollow">x</a></p>\n'


def test_picture_is_its_alternative_text() -> None:
    assert render_markdown("![a <cat>](https://a.example/cat.png)") == "<p>a &lt;cat&gt;</p>\n"


def test_code_block_keeps_its_characters_and_no_class() -> None:
    html = render_markdown('```python\nif a < b:\n    print("*x*")\n```')
    assert html == '<pre tabindex="0"><code>if a &lt; b:\n    print("*x*")\n</code></pre>\n'


def test_lists_nest_and_keep_their_numbers() -> None:
    html = render_markdown("3. a\n4. b\n   - c")
    assert html.replace("\n", "") == '<ol start="3"><li>a</li><li>b<ul><li>c</li></ul></li></ol>'


def test_table_has_no_inline_style() -> None:
    html = render_markdown("| a | b |\n|:-:|--:|\n| 1 | 2 |").replace("\n", "")
    assert html == (
        '<table tabindex="0"><thead><tr><th>a</th><th>b</th></tr></thead>'
        "<tbody><tr><td>1</td><td>2</td></tr></tbody></table>"
    )


def test_headings_come_after_those_of_the_page() -> None:
    html = render_markdown("# a\n## b\n### c\n#### d\n###### e")
    assert re.findall(r"<(h\d)>(\w)", html) == [
        ("h3", "a"),
        ("h4", "b"),
        ("h5", "c"),
        ("h6", "d"),
        ("h6", "e"),
    ]


def test_line_breaks_stay() -> None:
    assert render_markdown("a\nb\n\nc") == "<p>a<br>\nb</p>\n<p>c</p>\n"


def test_underscores_in_labels_stay() -> None:
    assert render_markdown("card_arrival_late") == "<p>card_arrival_late</p>\n"


def test_japanese() -> None:
    html = render_markdown("**太字**と`コード`。\n\n- 項目 1\n- 項目 2")
    assert html.replace("\n", "") == (
        "<p><strong>太字</strong>と<code>コード</code>。</p><ul><li>項目 1</li><li>項目 2</li></ul>"
    )


# A browser gives up on a fragment after 15 s (templates/base.html); an idle core needs 0.1 to 2 s for these.
DEADLINE_SECONDS = 15


@pytest.mark.parametrize(
    "part",
    [
        "The quick **brown** fox `jumps` over.\n\n",
        "| card_arrival | 0.92 | 312 |\n",
        "[a link](https://a.example/) and another sentence of it. ",
        "*a ",
        "<a",
        "`",
        "[",
        "![[",
        "> - ",
    ],
)
def test_100_kb_answer_renders_in_time(part: str) -> None:
    text = "| Intent | Share | Count |\n|--|--|--|\n" + part * (100_000 // len(part))
    started = time.process_time()
    html = render_markdown(text)
    assert time.process_time() - started < DEADLINE_SECONDS
    assert find_foreign_tags(html) == []


def test_longest_texts_are_shown_as_they_are() -> None:
    for text in ("<b>*x* " * (MAX_CHARACTERS // 7 + 1), "<b>*x* [" * (MAX_BRACKETS + 1)):
        html = render_markdown(text)
        assert html.startswith('<pre tabindex="0"><code>&lt;b&gt;*x* ') and find_foreign_tags(html) == []


def test_filter_marks_its_result_safe() -> None:
    assert (
        Template("{{ text|markdown }}").render(Context({"text": "*x* <b>"}))
        == "<p><em>x</em> &lt;b&gt;</p>\n"
    )
