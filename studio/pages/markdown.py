"""Markdown from a model as HTML that is safe to put on a page."""

from __future__ import annotations

import re
from collections.abc import Sequence

import nh3
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

TEXT_TAGS = {"p", "br", "hr", "strong", "em", "code", "pre", "blockquote", "ul", "ol", "li", "a"}
HEADING_TAGS = {"h3", "h4", "h5", "h6"}
TABLE_TAGS = {"table", "thead", "tbody", "tr", "th", "td"}
ATTRIBUTES = {"a": {"href"}, "ol": {"start"}}
LINK = re.compile(r"(?:https?|mailto):", re.IGNORECASE)
# The page has its own h1 and an h2 for each answer, so an answer's headings begin at h3.
HEADING_SHIFT = 2
SMALLEST_HEADING = 6  # HTML has none below h6
# 300 kB of prose take about a second. The longest answer of a Gemini model (65,536 tokens) is about 250 kB of
# English; a longer text is shown as it is.
MAX_CHARACTERS = 300_000
# Each bracket may begin a link, whose end the parser looks for again and again: 100,000 of them take 4 s. An
# answer with more than these is JSON or a model that repeats itself, and is shown as it is.
MAX_BRACKETS = 5_000


def render_markdown(text: str) -> SafeString:
    """Render CommonMark with tables. Line breaks stay line breaks, and HTML in `text` is shown as text."""
    if len(text) > MAX_CHARACTERS or text.count("[") > MAX_BRACKETS:
        return format_html('<pre tabindex="0"><code>{}</code></pre>', text)
    return sanitize_html(PARSER.render(text))


def sanitize_html(html: str) -> SafeString:
    """Keep only the tags, attributes and links listed above: a second guard behind the parser's own."""
    cleaned = nh3.clean(
        html,
        tags=TEXT_TAGS | HEADING_TAGS | TABLE_TAGS,
        attributes=ATTRIBUTES,
        attribute_filter=filter_attribute,
        link_rel="noopener nofollow",
        # What scrolls sideways must be within reach of the keyboard.
        set_tag_attribute_values={tag: {"tabindex": "0"} for tag in ("pre", "table")},
    )
    return mark_safe(cleaned)  # noqa: S308 (nh3 has just made it safe)


def filter_attribute(tag: str, name: str, value: str) -> str | None:
    """Return `value`, or None for what nh3 always allows: `title`, `lang` and links without a scheme."""
    dropped = name in ("title", "lang") or (name == "href" and not is_allowed_link(value))
    return None if dropped else value


def is_allowed_link(url: str) -> bool:
    """Return whether `url` leaves the studio by http, https or mail: an answer can't link to its pages."""
    return LINK.match(url) is not None


class Parser(MarkdownIt):
    """The parser whose refused links stay as they were written."""

    def validateLink(self, url: str) -> bool:  # noqa: N802 (markdown-it's own name)
        return is_allowed_link(url)


def render_heading(
    renderer: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType
) -> str:
    level = min(int(tokens[index].tag[1:]) + HEADING_SHIFT, SMALLEST_HEADING)
    return f"<h{level}>" if tokens[index].nesting == 1 else f"</h{level}>\n"


def render_image(
    renderer: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType
) -> str:
    """Return the alternative text alone: a picture would tell its server who reads the answer."""
    return escapeHtml(tokens[index].content)


def build_parser() -> MarkdownIt:
    parser = Parser("commonmark", {"html": False, "breaks": True})
    parser.enable("table")
    for name in ("heading_open", "heading_close"):
        parser.add_render_rule(name, render_heading)
    parser.add_render_rule("image", render_image)
    return parser


PARSER = build_parser()
