"""HTML becomes the lines a person would read, and what mail programs call older is marked as quoted."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.htmltext import MAX_TEXT, html_to_text, text_with_quotes


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>Hi <b>th</b>ere<br>you</p><p>2<div>x", "Hi there\nyou\n\n2\n\nx"),
        ("<div>a</div><div><br></div><div>b</div>", "a\n\nb"),
        ("a<br><br><br><br><br>b", "a\n\n\nb"),
        ("<span>a</span><span> b</span><i>c </i><b>d</b>", "a bc d"),
        ("one\n  two\tthree", "one two three"),
        ("<p class=MsoNormal>a</p><p class=MsoNormal>&nbsp;</p><p class=MsoNormal>b</p>", "a\n\nb"),
        ("<p style='margin:0'>a</p><p style='margin: 0px'>b</p>", "a\nb"),
        ("<table><tr><td>Name:</td><td>Ann</td></tr><tr><td>Mail</td></tr></table>", "Name:  Ann\nMail"),
        ("<ol><li>a<li>b<ul><li>c</ul></ol>", "1. a\n2. b\n* c"),
        ("text<hr>From: Ann", "text\n________________________________\nFrom: Ann"),
        ("<pre>a\n  b\r\n\nc</pre>d", "a\n  b\n\nc\nd"),
        ("<div style='white-space: pre-wrap'>a\nb</div>", "a\nb"),
        ("<title>t</title><style>s</style><script>s</script><p>x", "x"),
        ("&amp;lt;b&gt; &eacute; &#8211; &nbsp;x", "&lt;b> é – x"),
        ("<!-- x --><p>a</p><!-- b", "a"),
        ("&#55357;&#56832; &#55357;", "😀 \ufffd"),
        ("no tags at all", "no tags at all"),
        ("", ""),
        ("\0", ""),
    ],
)
def test_blocks_are_lines_and_styles_are_not_text(html: str, text: str) -> None:
    assert html_to_text(html) == text


@pytest.mark.parametrize(
    "hide",
    ["style='display:none'", "style='mso-hide: all'", "style='visibility:hidden'", "style='font-size:0px;'", "hidden"],
)
def test_what_is_hidden_is_not_read(hide: str) -> None:
    assert html_to_text(f"<div {hide}>take it <b>all</b></div><p>shown</p>") == "shown"


def test_what_is_hidden_is_read_when_nothing_is_shown() -> None:
    assert html_to_text("<div style='display:none'>hello</div><style>p{}</style>") == "hello"


def test_a_mail_link_tells_its_address_unless_the_text_does() -> None:
    html = '<a href="mailto:ann@x.example?subject=a">Ann</a>, <a href="mailto:evil@x.example">bo@x.example</a>'
    assert html_to_text(html) == "Ann <ann@x.example>, bo@x.example"


def test_an_emoji_shown_as_a_picture_is_text_and_other_pictures_are_not() -> None:
    assert html_to_text('ok <img alt="👍"><img alt="our logo"><img alt="→ more">') == "ok 👍"


@pytest.mark.parametrize(
    ("name", "html", "text"),
    [
        (
            "Gmail, answered between the quotes",
            '<div>Mine</div><div class="gmail_quote"><div class="gmail_attr">On 1 May Ann wrote:</div>'
            '<blockquote class="gmail_quote">old<br>text</blockquote>inline<blockquote>more</blockquote>end</div>',
            "Mine\n> On 1 May Ann wrote:\n> old\n> text\ninline\n> more\nend",
        ),
        (
            "Gmail, forwarded",
            "FYI<div class='gmail_quote'>---------- Forwarded message ---------<br>From: Ann</div>",
            "FYI\n> ---------- Forwarded message ---------\n> From: Ann",
        ),
        (
            "Outlook on the web, as quoted by another one",
            "<p>Hi</p><div id='x_divRplyFwdMsg'><b>From:</b> Ann</div><div>old</div><p>older",
            "Hi\n\n> From: Ann\n> old\n>\n> older",
        ),
        (
            "Outlook on a desk",
            "<p class=MsoNormal>Hi</p><div style='border:none;border-top:solid #E1E1E1 1.0pt;padding:3.0pt 0cm'>"
            "<p class=MsoNormal><b>Von:</b> Ann</p></div><p class=MsoNormal>alt</p>",
            "Hi\n> Von: Ann\n> alt",
        ),
        ("Thunderbird", "<div class='moz-cite-prefix'>Am 1.5. schrieb Ann:</div><blockquote>alt</blockquote>neu",
         "> Am 1.5. schrieb Ann:\n> alt\nneu"),
        ("Yahoo", "ok<div id='yahoo_quoted_123' class='yahoo_quoted'>On 1 May<div>old</div></div>",
         "ok\n> On 1 May\n> old"),
        ("Proton", "ok<div class='protonmail_quote'>On 1 May<blockquote>old</blockquote></div>",
         "ok\n> On 1 May\n> old"),
        ("GMX", "ok<div name='quote'>Am 1.5.<div>alt</div></div>", "ok\n> Am 1.5.\n> alt"),
        ("Outlook's signature", "Hi<div id='Signature'>Kim</div><div id='appendonsend'></div>old",
         "Hi\n-- \nKim\n> old"),
    ],
)  # fmt: skip
def test_quotes_are_marked_by_the_names_that_mail_programs_give_them(name: str, html: str, text: str) -> None:
    assert text_with_quotes(html) == text, name


def test_marks_are_added_only_when_asked_for() -> None:
    assert html_to_text("<blockquote>old</blockquote>new") == "old\nnew"


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            ["<p>", "</p>", "<b>", "<div class=gmail_quote>", "<blockquote>", "</blockquote>", "</div>", "<td>", "<ol>",
             "<li value=9>", "<br>", "<hr>", "<pre>", "</pre>", "<a href=mailto:a@b>", "</a>", "<!--", "-->",
             "<![CDATA[", "<style>", "</style>", "x", " ", "\n", "&nbsp;", "&#xD800;", "&#0;", "&", "<", ">", "</",
             "\0", "\ud800", "é", "<div hidden>", "<div id=appendonsend>", "<title>", "<svg>", "<template>", "<?xml "]
        ),
        max_size=60,
    )
)  # fmt: skip
def test_any_tags_in_any_order_are_read(pieces: list[str]) -> None:
    for render in (html_to_text, text_with_quotes):
        text = render("".join(pieces))
        text.encode("utf-8")
        assert "\0" not in text
        assert "\r" not in text


def test_reading_stops_when_there_is_text_enough() -> None:
    start = time.process_time()
    text = html_to_text("<p>" + "word " * 3_000_000)
    assert len(text) <= MAX_TEXT + 20_000
    assert time.process_time() - start < 1
