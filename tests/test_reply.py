"""What is new in a reply: generated quotes of every client and language, and the mails that once went wrong."""

from __future__ import annotations

import json
import textwrap
import time
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.lines import clean
from router.message import read_message
from router.reply import EARLIER_MARKERS, MARKER, MARKERS, Reply, cut_text, read_reply
from tests import reply_heads

MAIL = Path(__file__).parent / "mail"
OLDER = "mine\n\nHello all, somebody looks for a reviewer.\nBest"  # the word that must never be read as new
SAID = "I would like to think about it."


def new(text: str, banners: tuple[str, ...] = ()) -> str:
    return " ".join(cut_text(text, banners)[0].split())


def marked(text: str) -> str:
    return "\n".join(f"> {line}" if line else ">" for line in text.split("\n"))


def wrapped(line: str) -> Iterator[str]:
    """The line as it is, and as mail programs of other widths break it."""
    yield line
    for width in (76, 60, 40):
        narrow = "\n".join(textwrap.wrap(line, width, break_long_words=False, break_on_hyphens=False))
        if narrow != line:
            yield narrow


def attributions(names: int = 5) -> Iterator[str]:
    for lines in reply_heads.ATTRIBUTIONS.values():
        for line in lines:
            for name, address in reply_heads.NAMES[:names]:
                yield from wrapped(line.format(n=name, a=address))


def label_blocks() -> Iterator[str]:
    mailboxes = ("Anna Berg <anna@example.org>", "Anna Berg [mailto:anna@example.org]", "Anna Berg")
    dates = ("Tuesday, June 3, 2025 10:11 AM", "den 3 juni 2025 10:11", "2025年6月3日 10:11")
    styles = ("{}: {}", "*{}:* {}", "{} : {}", "**{}:** {}", "{}:\t{}", "{}：{}", "** {} : {} **")
    for at, labels in enumerate(reply_heads.LABELS.values()):
        for turn, style in enumerate(styles):
            values = (mailboxes[(at + turn) % 3], dates[turn % 3], "kim@example.org", "Re: bun")
            lines = [style.format(label, value) for label, value in zip(labels, values, strict=True)]
            yield "\n".join(lines)
            yield "\n\n".join(lines)


# --- where the quote begins


def test_an_attribution_of_any_client_and_language_is_cut_however_it_is_wrapped() -> None:
    for head in attributions():
        for gap in ("\n\n", "\n"):
            assert new(f"{SAID}{gap}{head}\n\n{marked(OLDER)}\n") == SAID, head
        assert new(f"{SAID}\n\n{head}\n\n{OLDER}\n") == SAID, head


def test_a_reply_with_nothing_new_is_empty_whatever_stands_above_the_quote() -> None:
    heads = [*attributions(names=3), *label_blocks(), *reply_heads.SEPARATORS]
    for head in heads:
        assert new(f"{head}\n\n{OLDER}\n") == "", head
    for head in attributions(names=3):
        assert new(f"{head}\n{marked(OLDER)}\n") == "", head


def test_a_reply_below_marked_lines_is_read() -> None:
    for head in attributions(names=2):
        assert new(f"{head}\n\n{marked(OLDER)}\n\npass\n").endswith("pass"), head
        assert "mine" not in new(f"{head}\n{marked(OLDER)}\npass\n"), head


@pytest.mark.parametrize("opener", ["On", "Am", "Le", "El", "Il", "Em", "Op", "Den", "W"])
def test_an_attribution_on_the_writers_own_line_leaves_the_words_before_it(opener: str) -> None:
    lines = [line for group in reply_heads.ATTRIBUTIONS.values() for line in group if line.split()[0] == opener]
    assert lines
    for line in lines:
        assert new(f"Mine! {line.format(n='Anna Berg', a='anna@example.org')}\n> x\n") == "Mine!", line


def test_a_header_block_is_cut_in_every_language_and_style() -> None:
    for block in label_blocks():
        for rule in ("", "________________________________\n", "-----Original Message-----\n"):
            assert new(f"ok then\n\n{rule}{block}\n\n{OLDER}\n") == "ok then", block
            assert new(f"ok then\n{rule}{block}\n{OLDER}\n") == "ok then", block


@pytest.mark.parametrize("separator", reply_heads.SEPARATORS)
def test_a_separator_is_cut_with_or_without_an_empty_line_above(separator: str) -> None:
    assert new(f"ok then\n\n{separator}\n\n{OLDER}") == "ok then"
    assert new(f"ok then\n{separator}\n{OLDER}") == "ok then"


@pytest.mark.parametrize(
    "head",
    [
        "From: Purchasing Department\n<purchasing@example.com>\nSent: Monday, May 3, 2021\nTo: x\nSubject: y",
        "De : Anna Envoyé : lundi 3 mai 2021 10:00 À : Kim Objet : y",
        "Von: Bob <b@x.de>Gesendet: Montag, 3. Mai 2017 10:00An: Al <a@x.de>Betreff: x",
        "----- Forwarded Message ----- From: Bob <b@example.org>To: x@example.orgSent: Tuesday, May 3Subject: y",
        "Date: Tue, 3 Jun 2025 10:11:12 +0200\nTo: kim@example.com",
        ">>> Bob Smith <b@example.org> 1/2/2012 10:00 AM >>>",
        "---- Bo Berg wrote ----",
        "On Tue, Jun 3, 2025 at 10:11 AM Bo Berg\n\n<\nbo@example.com\n> wrote:",
        "##- Please type your reply above this line -##",
        "Begin forwarded message:\n\nFrom: a <a@b.cd>\nSubject: b",
        "2013/10/2 bob <bob@example.org>",
        "bo via the Consultants Forum wrote:",
        "From: Bob Smith <bob@example.org>",
        "On Tue, Jun 3, 2025 at 10:11 AM, Bob Smith\n<bob@example.org> wrote:   Hello all",
        "On Tue, 3 Jun 2025 10:11:12 +0200\nBob Smith <bob@example.org> wrote:",
        "Bob Smith ---06/03/2025 10:11:12 AM---Hello all, somebody",
        "Bob Smith <bob@example.org>\n03/06/2025 10:11\nTo\nx@example.org\ncc\n\nSubject\ny",
    ],
)
def test_odd_heads_of_single_clients_are_cut(head: str) -> None:
    assert new(f"ok\n\n{head}\n\n{OLDER}") == "ok"


@pytest.mark.parametrize("moment", ["3 June 2025 10:11", "June 3, 2025 10:11 AM"])
def test_a_name_an_address_and_a_moment_above_marked_lines_are_an_attribution(moment: str) -> None:
    for head in (f'"Bo Berg" <bo@example.org> – {moment}', f"Bo Berg <mailto:bo@example.org>\n{moment}"):
        assert new(f"ok\n\n{head}\n{marked(OLDER)}") == "ok", head
        assert new(f"{head}\n{marked(OLDER)}") == "", head
    said = f"Mine! Call me at bo@example.org on {moment}"
    assert new(f"{said}\n{marked(OLDER)}") == said


def test_between_quoted_lines_the_answers_are_new() -> None:
    text = "On 3 May 2025 10:00, Bo <b@example.org> wrote:\n> Is it yours?\n\nmine\n\n> Shall I write?\n\nyes, please\n"
    assert cut_text(text)[0] == "mine\n\nyes, please"


def test_text_above_and_under_a_marked_quote_is_both_new() -> None:
    assert new("ok\n\nOn 3 May 2025 10:00, Bo wrote:\n\n> q\n\nthis too\n\n-- \nAnna") == "ok this too"


def test_under_an_unmarked_quote_nothing_is_new() -> None:
    """Who answers below an Outlook quote cannot be told from who was quoted: an invented claim would be worse."""
    assert new("From: Bo <b@example.org>\nSubject: y\n\nHello\n\npass") == ""


def test_a_quoted_line_that_was_broken_in_two_is_quoted_as_a_whole() -> None:
    long = "> We look for somebody who can review a parser that a large team has written"
    head = "On 3 May 2025 10:00, Bo <b@example.org> wrote:"
    assert new(f"mine\n\n{head}\n{long}\nin great haste last spring\n> end\n") == "mine"
    assert new(f"{head}\n> Is it yours?\nmine\n> end\n") == "mine"


def test_what_stands_between_a_rule_or_a_phone_signature_and_the_quote_is_not_new() -> None:
    block = "From: Bo <b@example.org>\nSent: Monday, 3 May 2025 10:00\nSubject: y\n\nhello"
    for top in ("------------------------------", "========================", "Sent from my phone"):
        assert new(f"{top}\n\nmine\n\n{block}") == ""


# --- our own line


@pytest.mark.parametrize("marker", [*MARKERS.values(), *EARLIER_MARKERS])
def test_our_own_line_is_cut_at_in_every_language_however_it_is_wrapped(marker: str) -> None:
    words = marker.split()
    half = f"{' '.join(words[:4])}\n{' '.join(words[4:])}"
    for line in (
        marker,
        half,
        f"*{marker}*",
        marker.upper(),
        f"  {marker}",
        marker.replace("-- ", "").replace(" --", ""),
    ):
        assert new(f"pass\n\n{line}\n\n{OLDER}") == "pass"
        assert new(f"{line}\n\n{OLDER}") == ""
    assert new(f"> {marker}\n> {OLDER}".replace("\n\n", "\n> \n> ") + "\n\npass") != "mine"


def test_what_a_program_sets_above_our_line_goes_with_it_even_in_no_known_language() -> None:
    assert new(f"pass\n\nXyzzy Bo plugh 10:11:\n{MARKER}\n{OLDER}") == "pass"
    assert new(f"pass\n\n{MARKER}\n{OLDER}") == "pass"


# --- what is not the writer's word


@pytest.mark.parametrize("line", reply_heads.PHONES)
def test_a_phone_signature_is_no_text(line: str) -> None:
    quote = f"On Tue, 3 Jun 2025 at 10:00, Bo <b@example.org> wrote:\n\n{OLDER}"
    assert new(f"ok then\n\n{line}") == "ok then"
    assert new(f"ok then\n{line}\n\n{quote}") == "ok then"
    assert new(f"{line}\n\nmine\n\n{quote}") == ""
    assert new(f"{line}\n\nhello there") == "hello there"


@pytest.mark.parametrize("banner", reply_heads.BANNERS)
def test_a_banner_above_the_text_is_no_text(banner: str) -> None:
    for line in wrapped(banner) if "\n" not in banner else (banner,):
        assert new(f"{line}\n\nmine\n\nAnna") == "mine Anna"
        assert new(f"{line}\nmine\n\nAnna") == "mine Anna"
        assert new(f"{line}\n\n----\n\nmine\n\nOn 3 May 2025 10:00, Bo wrote:\n> q") == "mine"


def test_the_operators_own_banner_is_taken_off_however_it_is_wrapped() -> None:
    banner = "Acme Ltd notice! Mail from elsewhere, please read it twice."
    for line in wrapped(banner):
        assert new(f"{line}\n\nmine", (banner,)) == "mine"
    assert new(f"{banner}\n\nmine").startswith("Acme")


@pytest.mark.parametrize(
    "signature",
    [
        "-- \nAnna\npass",
        "--\nAnna",
        "—\nAnna Berg\n+46 70 123 45 67",
        "–\nAnna Berg, Example AB\nanna@example.org",
        "—\nThis message is confidential and intended solely for the use of the individual to whom it is addressed."
        " Please notify the sender of any error.",
        "---\nAnna Berg\nConsultant, Example AB",
        "-Anna Berg",
        "_______________________________________________\nconsultants mailing list\nhttps://lists.example.org/mailman/listinfo/x",
        "To unsubscribe from this list: send the line unsubscribe",
        "This email has been scanned for viruses by a machine.\nmine",
        "This email and any files transmitted with it are confidential and intended solely for the use of the"
        " individual or entity to whom they are addressed. Please notify the sender of any error.\npass",
    ],
)
def test_signatures_footers_and_small_print_end_the_text(signature: str) -> None:
    assert new(f"ok then\n\n{signature}") == "ok then"


@pytest.mark.parametrize("end", ["—\nAnna", "–\nAnna Berg\nBaker", "—\nAnna Berg\nBaker at the Example\n\n@anna"])
def test_a_name_under_a_long_dash_greets_and_stays(end: str) -> None:
    assert new(f"ok then\n\n{end}") == " ".join(f"ok then {end}".split())


def test_small_print_above_the_text_is_passed_over() -> None:
    assert new("No virus: this mail was checked for viruses at our gate\n\nGood morning") == "Good morning"


@pytest.mark.parametrize(
    "text",
    [
        "On vacation until 3 May, so pass.\n\nAnna",
        "On Mondays I am away.\n\nOn top of that, three of us are ill:\n\nOn balance, no.",
        "The meeting is on 3 May at 10:00, see you there\nI told bob@example.com that we come at 11:00",
        "warm until 3 May\n\nDear Bob,\n\nthe dates:\n- 3 May 2025 10:00: kick-off\n- 4 May 2025: review\n\nBest\nAnna",
        "note the client wrote:\n\nwe want it",
        "From: Berlin\nTo: Hamburg\nDate: 3 May 2025\n\nCan you?",
        "Name: Bob\nEmail: bob@example.com\nPhone: 12 34\nDate: 3 May 2025\n\nhello",
        "one\n\n---\n\nAnd here comes a longer paragraph, which goes on.\n\nAnd another.",
        "Here are the slides.\n\nSent from my office, where the printer is broken again.",
        "Two parts.\n\n---------- Part the second ----------\n\nHere it goes on.",
        "Read this:\n>>> deadline is Friday <<<\nand answer",
        "Thanks,\nAnna\n\nAnna Berg, Example AB",
        "Achtung, externe Berater gesucht: zwei Wochen in Mai.",
        "Please treat this as confidential and do not copy it.",
        "Från min chef kom frågan om ni kan hjälpa oss.\n\nVi behöver två personer.",
        "Demande du site :\n\n=====\nNom: Berg\nCourriel: x@example.com\nLieu: Lyon",
        "--- Mail server migration ---\n\nWe need somebody who knows Exim.",
        "Travel\n\nFrom: Monday 3 June\nTo: Friday 7 June\nSubject: training\n\nWho is free?",
        "You can reach me at bo@example.com until 3 June 2025:\nafter that, call.",
        "We had a long talk with Bo Berg <bo@example.com> on 3 June 2025 at 10:00, who wrote:\n\nit is on.",
        "In your mail of 3 June 2025 you wrote:\n\nthe rate is 1000.\n\nIs that with VAT?",
        "Den 3 juni 2025 skrev vi avtal med Acme:\n\ndet gäller till december.",
        "You are receiving this because Bo said that you can help.\n\nWe need a Go developer.",
        "Our gateway was checked for viruses last week.\nWe need somebody who can replace it.",
        "Please consider the environment before choosing: it is Windows 11.\n\nWe need help.",
        "Hello,\n\nSent with love\n\nAnna",
        "Check this: https://news.example.org/2025-05-03/what-bo@wrote:about\n\nBest",
    ],
)
def test_what_only_looks_like_a_quote_stays(text: str) -> None:
    assert new(text) == " ".join(text.split())


# --- which body decides


def mail(plain: str | None, html: str | None) -> Reply:
    message = EmailMessage()
    message["From"], message["Subject"] = "anna@example.org", "Re: 1"
    if plain is not None:
        message.set_content(plain)
    if html is not None:
        (message.add_alternative if plain is not None else message.set_content)(html, subtype="html")
    return read_reply(read_message(message.as_bytes()))


GMAIL = (
    '<div dir="ltr">{}</div><br><div class="gmail_quote"><div dir="ltr" class="gmail_attr">Zzz Bo qqq</div>'
    '<blockquote class="gmail_quote"><div>mine</div></blockquote></div>{}'
)
BO = "Bo &lt;b@example.org&gt;"
HTML = {
    "gmail": GMAIL.format("pass", ""),
    "gmail, below": GMAIL.format("", "<div>pass</div>"),
    "gmail, forward": '<div>pass</div><div class="gmail_quote"><div class="gmail_attr">'
    f"---------- Forwarded message ---------<br>From: <b>Bo</b> {BO}<br></div><br>mine</div>",
    "apple": f'<body>pass<br><blockquote type="cite"><div>On 3 Jun 2025, at 10:11, {BO} wrote:</div>'
    "<div>mine</div></blockquote></body>",
    "thunderbird, below": '<div class="moz-cite-prefix">On 03.06.2025 10:11, Bo wrote:<br></div>'
    '<blockquote type="cite">mine</blockquote>pass<pre class="moz-signature">-- \nAnna</pre>',
    "outlook on the web": '<div>pass</div><div id="appendonsend"></div><hr>'
    '<div id="divRplyFwdMsg"><b>Zz:</b> Bo</div>mine',
    "outlook": '<p class="MsoNormal">pass</p>'
    '<div style="border:none;border-top:solid #E1E1E1 1.0pt;padding:3.0pt 0cm 0cm 0cm"><p><b>Zz:</b> Bo</p></div>'
    "<p>mine</p>",
    "yahoo": '<div>pass</div><div id="yahoo_quoted_1" class="yahoo_quoted"><div>On Tuesday Bo wrote:</div>mine</div>',
    "gmx": '<div>pass</div><div name="quote"><b>Von:</b> Bo<div>mine</div></div>',
    "old aol": f"<font>pass<br><div>-----Original Message-----<br>From: {BO}<br>mine</div></font>",
    "lotus": "pass<br><br><font>From: </font>Bo/Org<br>To: a@example.org<br>Date: 03.06.2025<br>Subject: x<hr>mine",
    "mail.ru": f"<p>pass</p>Вторник, 3 июня 2025, 10:11 +03:00 от {BO}:<blockquote>mine</blockquote>",
}


@pytest.mark.parametrize("client", HTML)
def test_html_quotes_are_cut_by_their_tags(client: str) -> None:
    assert " ".join(mail(None, HTML[client]).text.split()) == "pass"


def test_an_empty_html_reply_is_empty() -> None:
    assert mail(None, GMAIL.format("", "")).text == ""
    assert mail(None, GMAIL.format("<br>", "")).text == ""


def test_the_plain_text_decides_where_it_shows_the_quote() -> None:
    reply = mail("pass\n\nOn 3 May 2025 10:00, Bo <b@example.org> wrote:\n> mine\n", GMAIL.format("pass", ""))
    assert reply.text == "pass" and reply.how.startswith("attribution")


def test_the_html_decides_where_only_it_shows_the_quote() -> None:
    assert mail("pass\n\nZzz Bo qqq\n\nmine\n", GMAIL.format("pass", "")).text == "pass"
    assert mail("On 3.6.2025 10:11, Bo wrote:\n\nmine\n\npass\n", GMAIL.format("", "<p>pass</p>")).text == "pass"


def test_html_that_is_the_escaped_plain_text_changes_nothing() -> None:
    text = "On 3 May 2025 10:00, Bo <b@example.org> wrote:\n\nmine\n"
    assert mail(text, "<html><body>" + text.replace("<", "&lt;").replace("\n", "<br>\n") + "</body></html>").text == ""


# --- always


def test_the_rest_is_kept_as_quoted_and_the_reason_names_the_line() -> None:
    text, quoted, why = cut_text("mine\n\nOn 3 May 2025 10:00, Bo <b@example.org> wrote:\n> the request\n")
    assert text == "mine" and "the request" in quoted and why == "attribution in line 3"
    assert cut_text("mine") == ("mine", "", "nothing is quoted")


def test_line_breaks_and_invisible_characters_make_no_difference() -> None:
    text = (
        "\ufeffmi\u200bne\r\n\r\nOn\u00a03 May 2025 10:00, \u202aBo\u202c <b@example.org> wrote:\r\n\u00a0\r\n> q\r\n"
    )
    assert cut_text(text)[0] == "mine"


@given(st.text(alphabet=st.sampled_from("ab :@<>-_\n.0123On wroteFrom:> \u200b"), max_size=400))
@settings(max_examples=300, deadline=None)
def test_nothing_is_invented(text: str) -> None:
    """Every line of the new text stands in the mail, and no text raises anything."""
    for line in cut_text(text)[0].split("\n"):
        assert line.strip() in clean(text)


LINES = (
    *(
        "",
        "Yes.",
        "-----",
        "--",
        "—",
        "____________",
        "*****",
        "On Mon, 3 May 2025 at 10:11",
        "<b@example.org>",
        "> wrote:",
    ),
    *(
        "Bo Berg <b@example.org> wrote:",
        "wrote ----",
        ">",
        "> q",
        "> said ",
        "From: b@example.org",
        "Sent:",
        "Priority: x",
    ),
    *(
        "Sent from my phone",
        "Disclaimer",
        "This mail is confidential and intended solely for you. " * 3,
        "Unsubscribe",
        "|",
    ),
    *(
        "EXTERNAL:",
        "(3 May 2025 10:11)",
        "Anna Berg",
        "+46 8 123 45 67",
        ":",
        "Quoting Bo:",
        "To",
        "Subject",
        "\t",
        "…",
    ),
)


@given(st.lists(st.tuples(st.sampled_from(("", " ", " " * 299, " " * 500)), st.sampled_from(LINES)), max_size=9))
@settings(max_examples=500, deadline=None)
def test_no_arrangement_of_lines_does_harm_however_they_are_indented(lines: list[tuple[str, str]]) -> None:
    text = "\n".join(f"{indent}{line}" for indent, line in lines)
    for line in cut_text(text)[0].split("\n"):
        assert line.strip() in clean(text)


HOSTILE = {
    "on": "On " * 20_000,
    "on lines": "On \n" * 20_000,
    "on on on": "On On On " * 9_000,
    "a word": "a" * 200_000,
    "a line": "x " * 500_000,
    "quote ladder": "".join(">" * depth + " x\n" for depth in range(1, 1_400)),
    "quote wall": (">" * 400 + " x\n") * 2_500,
    "colons": ("bob wrote " * 48 + ":\n") * 2_000,
    "attributions": ("On Mon 3 May 2012 at 10:00 b@example.org said " * 9 + ":\n") * 2_000,
    "labels": "From: a\n" * 20_000,
    "labels in lines": ("From : a To : b " * 30 + "\n") * 2_000,
    "labels apart": "To: b\n\n" * 20_000,
    "digits": ("12:3" * 125 + ":\n") * 2_000,
    "brackets": ("[" * 250 + "](" * 100 + "\n") * 2_000,
    "openers": ("On Le Am El Il Em Op Den " * 19 + "\n") * 2_900,
    "rules": "-----\n" * 100_000,
    "separators": "--- message\n" * 50_000,
    "signatures": "-- \n" * 100_000,
    "our line": "bun router\n" * 90_000,
    "banners": "[external]\n\n" * 80_000,
    "invisible": "\u200b" * 1_000_000,
    "blank": "\n" * 1_000_000,
    "wide colons": ("：" * 499 + "\n") * 2_000,
    "small print": ("confidential intended recipient " * 15 + "\n") * 2_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_text_built_to_be_slow_is_read_in_bounded_time(name: str) -> None:
    """The bound is wide of what is measured (a tenth of a second), so that a busy machine does not fail it."""
    before = time.process_time()
    cut_text(HOSTILE[name])
    assert time.process_time() - before < 1.0


@pytest.mark.parametrize("path", sorted(MAIL.glob("reply-*.eml")), ids=lambda path: path.stem)
def test_mails_that_went_wrong_once(path: Path) -> None:
    """Each has a line on why it is there, and the new text that must be read."""
    expected = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    reply = read_reply(read_message(path.read_bytes()))
    assert " ".join(reply.text.split()) == expected["text"], expected["why"]


FORWARDED = (
    "---------- Forwarded message ---------\nFrom: Client <client@example.com>\nDate: Tue, 3 Jun 2025\nSubject: x"
)


@pytest.mark.parametrize("separator", ["-------- Weitergeleitete Nachricht --------", "Begin forwarded message:"])
def test_a_mail_forwarded_below_the_words_is_news_and_nobody_said_it(separator: str) -> None:
    labels = "From: Client <client@example.com>\nSubject: x\n\nmine"
    reply = mail(f"Pass.\n\n{separator}\n\n{labels}\n", None)
    assert reply.text == "Pass."
    assert reply.news == f"Pass.\n\n{separator}\n\n{labels}"


@pytest.mark.parametrize(
    "text",
    [
        f"{FORWARDED}\n\nmine",  # nothing is said above it
        f"Pass.\n\n{FORWARDED}\n\n{MARKER}\n\nmine",  # our own mail, forwarded back to us
        "Pass.\n\nBegin forwarded message:\n\n> From: Client <client@example.com>\n> Subject: x\n>\n> mine",
        "Pass.\n\n-----Original Message-----\nFrom: Client <client@example.com>\nSubject: x\n\nmine",
    ],
)
def test_a_quote_is_no_news(text: str) -> None:
    reply = mail(text, None)
    assert reply.news == reply.text == ("Pass." if text.startswith("Pass") else "")


def test_a_rule_of_hyphens_set_apart_from_the_labels_is_the_writers() -> None:
    labels = "*Van:* Bo Berg [mailto:bo@example.org]\n*Verzonden:* dinsdag 3 juni 2025 10:11\n*Onderwerp:* x\n\nmine"
    rule = "-" * 30
    assert cut_text(f"Ja hoor.\n\n{rule}\n\n{labels}")[0] == f"Ja hoor.\n\n{rule}"
    assert cut_text(f"Ja hoor.\n\n{rule}\n{labels}")[0] == "Ja hoor."  # drawn close above them by the program
    assert cut_text(f"{rule}\n\n{labels}")[0] == ""
    assert cut_text(f"Ja hoor.\n\n{'_' * 30}\n\n{labels}")[0] == "Ja hoor."
