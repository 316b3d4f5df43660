"""What is new in mails that were written whole, as programs and people write them, and in what gateways make of them.

`reply_mails.txt`: mails with their new text; `reply_people.txt`: texts that only look like something else;
`reply_footers.txt`: what machines set under a text; `reply_banners.txt`: what servers set above one.
"""

from __future__ import annotations

import html
import re
import textwrap
from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path

import pytest

from router.message import read_message
from router.reply import cut_text, read_reply

QUOTE = "On Tue, 3 Jun 2025 at 10:11, Bo <b@example.org> wrote:\n> mine\n>\n> Best"


def texts(name: str, separator: str = "\n========\n\n") -> list[str]:
    """The texts of a file, one under each line of equal signs."""
    return (Path(__file__).parent / name).read_text(encoding="utf-8").split(separator)[1:]


def split(block: str) -> tuple[str, str, str, str]:
    """(name, plain or html, the mail, what is new in it)."""
    head, _, rest = block.partition("\n")
    body, _, wanted = rest.partition("--- new\n")
    name, kind = head.split()
    return name, kind, body, wanted


MAILS = [split(block) for block in texts("reply_mails.txt", "=== ")]
PLAIN = [(name, body, wanted) for name, kind, body, wanted in MAILS if kind == "plain"]
PEOPLE = texts("reply_people.txt")


def flat(text: str) -> str:
    return " ".join(text.split())


def new(text: str) -> str:
    return flat(cut_text(text)[0])


def read(plain: str | None, page: str | None) -> str:
    """The new text of a mail that holds `plain`, `page`, or both."""
    message = EmailMessage()
    message["From"], message["Subject"] = "anna@example.org", "Re: 1"
    if plain is not None:
        message.set_content(plain)
    if page is not None:
        (message.set_content if plain is None else message.add_alternative)(page, subtype="html")
    return flat(read_reply(read_message(message.as_bytes())).text)


@pytest.mark.parametrize(("name", "kind", "body", "wanted"), MAILS)
def test_of_a_mail_all_that_is_new_is_read_and_nothing_else(name: str, kind: str, body: str, wanted: str) -> None:
    assert (read(None, body) if kind == "html" else read(body, None)) == flat(wanted), name


@pytest.mark.parametrize("text", PEOPLE)
def test_of_what_people_write_nothing_is_lost(text: str) -> None:
    assert new(text) == flat(text)


@pytest.mark.parametrize("footer", texts("reply_footers.txt"))
def test_what_machines_and_lawyers_set_under_a_text_is_not_new(footer: str) -> None:
    text = "Yes, Friday suits us.\n\nKind regards\nDana"
    assert new(f"{text}\n\n{footer}") == flat(text)
    assert new(f"{text}\n\n{footer}\n\n{QUOTE}") == flat(text)


@pytest.mark.parametrize("banner", texts("reply_banners.txt")[0].splitlines())
def test_what_servers_set_above_foreign_mail_is_not_new_and_takes_no_line_with_it(banner: str) -> None:
    assert new(f"{banner}\n\nWe take it.\n\nDana") == "We take it. Dana"
    assert new(f"{banner}\nWe take it.\n\nDana") == "We take it. Dana"


BENT: dict[str, Callable[[str], str]] = {
    "spaces at the ends of lines": lambda text: text.replace("\n", "  \n"),
    "hard spaces": lambda text: re.sub(r"(\w) (\w)", "\\1\u00a0\\2", text),
    "an empty line under each": lambda text: text.replace("\n", "\n\n"),
    "no empty line": lambda text: re.sub(r"\n{2,}", "\n", text),
    "three empty lines for one": lambda text: text.replace("\n\n", "\n\n\n\n"),
    "indented": lambda text: "\n".join(f" {line}" if line else line for line in text.split("\n")),
    "spaces of no width": lambda text: text.replace(": ", ": \u200b"),
    "labels in stars": lambda text: re.sub(r"^(\w[\w ]{1,12}):(?= )", r"*\1:*", text, flags=re.MULTILINE),
    "links on addresses": lambda text: re.sub(r"<([^<>\s@]+@[^<>\s]+)>", r"<\1<mailto:\1>>", text),
    "addresses in parentheses": lambda text: re.sub(r"<([^<>\s@]+@[^<>\s]+)>", r"(\1)", text),
}


@pytest.mark.parametrize("bent", BENT)
def test_however_a_gateway_bends_a_mail_the_same_is_read(bent: str) -> None:
    for name, body, wanted in PLAIN:
        if (name, bent) != ("hubspot", "an empty line under each"):  # five lines of attribution, each by itself
            got = new(BENT[bent](body)).replace("\u200b", "")
            assert got == flat(BENT[bent](wanted)).replace("\u200b", ""), name


def test_a_text_is_read_alike_in_whatever_body_it_comes() -> None:
    for body, wanted in [*((body, wanted) for _, body, wanted in PLAIN), *((text, text) for text in PEOPLE)]:
        broken = html.escape(body).replace("\n", "<br>\n")
        paragraphs = "".join(f"<p>{one}</p>" for one in broken.split("<br>\n<br>\n"))
        assert read(body, broken) == flat(wanted), body
        for page in (broken, f"<pre>{html.escape(body)}</pre>", paragraphs):
            assert read(None, page) == flat(wanted), page


def test_answers_between_the_quotes_of_the_html_are_read_where_the_plain_text_lost_its_marks() -> None:
    quote = "<blockquote type=cite>{}</blockquote>"
    page = f"<p>On 3 June 2025, Bo Ek wrote:</p>{quote.format('Who?')}<p>Dana.</p>{quote.format('When?')}<p>Monday.</p>"
    plain = "On 3 June 2025, Bo Ek wrote:\nWho?\nDana.\nWhen?\nMonday."
    assert read(plain, page) == "Dana. Monday."
    assert read(f"See below.\n\n{plain}", f"<p>See below.</p>{page}") == "See below. Dana. Monday."
    assert read(plain, f"<p>On 3 June 2025, Bo Ek wrote:</p>{quote.format('Who? Dana. When? Monday.')}") == ""


def test_a_law_that_the_writer_cites_in_the_html_is_no_reason_to_drop_the_plain_text() -> None:
    page = "<p>The law says:</p><blockquote>Two must sign.</blockquote><p>So please do.</p>"
    assert read("The law says:\nTwo must sign.\nSo please do.", page) == "The law says: Two must sign. So please do."


OLDER = (
    "we have looked at your offer of last week and would like to know whether the price includes what it costs to come"
    " to us and to stay there over night, or if that is to be paid on top of it at the end of the month by us."
)


def broken(text: str, width: int, cut: int) -> list[str]:
    """`text` quoted in lines of `width`, which a gateway broke again at `cut` and gave no marks."""
    lines = []
    for line in textwrap.wrap(text, width):
        quoted = f"> {line}"
        space = quoted.rfind(" ", 0, cut) if len(quoted) > cut else len(quoted)
        lines += [quoted[:space], quoted[space + 1 :]] if space < len(quoted) else [quoted]
    return lines


@pytest.mark.parametrize("width", range(66, 84))
@pytest.mark.parametrize("gap", ["", "\n"])
def test_what_a_gateway_broke_off_quoted_lines_is_no_answer_and_takes_none_with_it(width: int, gap: str) -> None:
    quote = "\n".join(broken(OLDER, width, width - 3))
    answers = ["Yes, it does.", "Lena", "Monday at nine, with Dana"]
    text = QUOTE.partition("\n")[0] + "\n" + "\n".join(f"{quote}\n{gap}{answer}{gap}" for answer in answers)
    assert new(text) == " ".join(answers)


AOL = "In a message dated 3/14/99 9:12:44 AM Eastern Standard Time,\nb@example.org writes:\n\n"
NEWS = "In article <7c$1@news.example.org>, b@example.org (Bo Ek)\nwrites:\n"
EXPRESS = (
    '----- Original Message ----- \nFrom: "Bo Ek" <b@example.org>\nTo: <s@example.org>\n'
    "Sent: Thursday, March 14, 2002 9:12 AM\nSubject: Thursday\n\n\n"
)
BOX = "─" * 20
IN_NEWS = '"Bo Ek" <b@example.org> schrieb im Newsbeitrag news:7c$1@example.org'
NOTES_LABELS = "To:   Dana Falk/ACME@ACME\ncc:\nSubject:  Plant 2\n\nmine"
NOTES = """
             Bo Ek
             <b@example.co
             m>                                                         To
                                       dana@example.com
             03/14/2006 09:12                                           cc
             AM
                                                                   Subject
                                       Options for the fair



mine
"""


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (f"{AOL}<< mine >>\n\nSure am!", "Sure am!"),
        (f"{AOL}<< mine\n and mine\n >>\nSure am!\n\n<< mine? >>\n\nNo.", "Sure am! No."),
        (f"{AOL}<< mine >>\n", ""),
        (f"{AOL}<< mine\n", ""),
        (f"{NEWS}|> mine\n|> mine\n\nReplace it.\n", "Replace it."),
        (f"{NEWS}|> mine\n|> mine\n", ""),
        ("list\n|> Enum.map(&f/1)\n|> Enum.sum()\n\nWhy?", "list |> Enum.map(&f/1) |> Enum.sum() Why?"),
        (f"{EXPRESS}> mine\n> Bo\n\nI can.\n", "I can."),
        (f"{EXPRESS}Somebody?\n\n> mine\n\nmine\n", ""),
        (f"Thursday.\n\n{EXPRESS}On 3 May 2002, Cy wrote:\n> Who?\n\nmine\n", "Thursday."),
        (f"Fine.\n{NOTES}", "Fine."),
        (NOTES, ""),
        (f"はい。\n\n{BOX}\n山田太郎\n〒100-0001 東京都\nTEL: 03-5555-0101\n{BOX}\n\n{QUOTE}", "はい。"),
        (f"Fine.\n\n\nBo Ek@ACME on 03/14/2001 09:12:44 AM\n\n{NOTES_LABELS}", "Fine."),
        (f'"Bo Ek" <b@x.example> on 03/14/2001 09:12:44 AM\nPlease respond to b@x.example\n\n{NOTES_LABELS}', ""),
        (f"We start on 03/14/2001, at 10:00\n\n{NOTES_LABELS}", "We start on 03/14/2001, at 10:00"),
        (f"{QUOTE}\n[...]\n> mine\n\nNo.\n\n<snip>\n> mine\n\n[...] Yes.\n", "No. [...] Yes."),
        (f"{IN_NEWS}...\n> mine\n> mine\n\nNo.", "No."),
        (f"{IN_NEWS.replace(' news:', chr(10) + 'news:')}...\n> mine\n\nNo.", "No."),
        (f"{IN_NEWS}...\n> mine", ""),
        ("I wrote in message news:a@x.example\n\nthat it works.", "I wrote in message news:a@x.example that it works."),
        ("Yes. On Mon, 3 May 2021, at 10:00, Bo Ek <b@example.org> wrote: > mine", "Yes."),
        (f"Try\n\n>>> x = 5\n>>> x\n5\n\nok?\n\n{QUOTE}", "Try >>> x = 5 >>> x 5 ok?"),
        ("So:\n\n  >>> from a import b\n  2\n  >>> 0.1 > 0.2\n", "So: >>> from a import b 2 >>> 0.1 > 0.2"),
        ("I typed:\n\nmysql> SELECT 1;\n1\n\nand now?\n\n> mine", "I typed: mysql> SELECT 1; 1 and now?"),
        ("Bo wrote:\n> I typed\nmysql> mine\n> and\n\nNo.", "No."),
        ("julia> I have time. I'll take it.\n\nFine with me.", "Fine with me."),
        ("Bo wrote:\n> ok\n>> see\n\nYes.\n\n>>> Hi (again),\n>>> import mine\n\nNo.", "Yes. No."),
        ("Post #17:\n>>> x = mine\n>>> mine\n\nNo.", "Post #17: No."),
        ("* Bo asked\n> mine\n< yes", "* Bo asked < yes"),
        (f"{QUOTE.partition(chr(10))[0]}\n>>> x = 'mine'\n>> mine\n> mine\n\nok", "ok"),
        (f"{QUOTE.partition(chr(10))[0]}\n>>> import mine\n\n> mine\n\nok", "ok"),
        ("Yes.\n\nOn Tue, 3 June 2025 at 10:11, Me wrote:\n\nmine", "Yes."),
        ("Yes.\n-----\nEnd of Garden Digest, Vol 12, Issue 3\n****\n", "Yes."),
        ("End of Garden Digest, I hope. Volume 12 is enough.", "End of Garden Digest, I hope. Volume 12 is enough."),
    ],
)
def test_quotes_of_older_programs_are_cut_and_what_stands_around_them_is_kept(text: str, wanted: str) -> None:
    assert new(text) == wanted


HEADS = ["On Thu, 14 Mar 2024 at 09:12, Bo <b@example.org> wrote:\n> mine", EXPRESS + "mine"]


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize(
    "more",
    [
        "One more thing: bring the red folder, not the blue one.",
        "P.S. Make it 10:30, please, and bring the charger for the old phone!",
        "Sorry, can somebody bring the red folder?",
    ],
)
def test_who_goes_on_below_a_phones_signature_is_heard(more: str, head: str) -> None:
    assert new(f"Yes.\n\nSent from my iPhone\n\n{more}\n\n{head}") == f"Yes. {more}"


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize(
    "below",
    [
        "Hello all,\n\nI would like to take that one myself.",
        "Bo, 14. 3. 2024 9.12\n\nI would like to take that one myself.",
        "b@example.org\nI would like to take that one myself.",
        "Please excuse my brevity and whatever my thumbs did.",
        "Apologies for any typos, written with big thumbs.",
        "Get the new Yahoo Mail app today.",
        "Dana Park\nACME",
        "Alkuperäinen viesti:\nI would like to take that one myself.",
    ],
)
def test_below_a_phones_signature_an_older_mail_an_excuse_or_a_signature_stays_cut(below: str, head: str) -> None:
    assert new(f"Yes.\n\nSent from my iPhone\n\n{below}\n\n{head}") == "Yes."
    assert new(f"Sent from my iPhone\n\nI would like to take that one myself.\n\n{head}") == ""


@pytest.mark.parametrize("day", ["Date: 14 March 2024 10:11", "Sent: 9:12 AM", "Date: vandaag"])
def test_a_block_without_an_address_is_a_mails_where_its_day_has_an_hour_or_is_unknown(day: str) -> None:
    assert new(f"Fine.\n\nSubject: the fair\n{day}\nFrom: Bo Ek\nTo: Dana\n\nmine") == "Fine."
    for few in ("3 May", "3 May 2025"):
        memo = f"Fine.\n\nSubject: the fair\nDate: {few}\nFrom: Mill Lane\nTo: High Street\n\nRight?"
        assert new(memo) == flat(memo)


def test_small_labels_are_a_mails_where_they_hold_a_day_and_settings_where_they_hold_none() -> None:
    labels = "to: dana@example.com\nsubject: offers\n{}from: b@example.org"
    assert new(f"Fine.\n\n{labels.format('date: 3 May 2024 10:00' + chr(10))}\n\nmine") == "Fine."
    settings = f"Set this:\n\n{labels.format('')}\n\nand restart."
    assert new(settings) == flat(settings)


@pytest.mark.parametrize("line", ["Dana reacted to your message:", "Dana hat auf Ihre Nachricht reagiert:"])
def test_an_emoji_alone_says_nothing(line: str) -> None:
    assert new(line) == new(f"{line}\n\n{QUOTE}") == ""
    told = f"{line} she laughed.\n\nBo"
    assert new(told) == flat(told)


def test_a_phones_signature_close_above_small_print_goes_with_it() -> None:
    small = "This message is intended only for the named recipient and may contain privileged information."
    assert new(f"Yes, at four.\nSent from my mobile device\n{small}") == "Yes, at four."
