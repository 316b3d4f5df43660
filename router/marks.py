"""What a mail's text and its HTML show differently: marks in one text, from which both are made.

Job: a template yields text in which some lines begin with a mark: a headline, a stranger's words, a line of facts, a
reply that works, small print. `to_text` and `to_html` turn the same marked text into the two bodies, so that the two
never differ. The marks are control characters, and `clean_text` takes those out of every fact, so nobody outside can
write one. Core: pure; imports the marker lines from `reply`, nothing else of the router.

Invariants: every character from outside is escaped in HTML; no remote image, no script, no link but mailto:. Colours
are chosen to be read on white and on black, for mail programs that turn the one into the other. The layout is tables
and inline styles, for those that know nothing else, and holds at 320 pixels.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from html import escape

from router.reply import MARKERS

Mailto = Callable[[str, str], str]  # the word, and the subject if it is another than this mail's

_QUOTE, _FACT, _BUTTON, _SPLIT, _TITLE, _SMALL, _REPLY = "\x01", "\x02", "\x03", "\x04", "\x05", "\x06", "\x07"
_HEADING = "\x08"
_MARKS = frozenset({_QUOTE, _FACT, _BUTTON, _TITLE, _HEADING, _SMALL, _REPLY})
_QUOTED = re.compile(f"({_QUOTE}.*(?:\n{_QUOTE}.*)*)")  # most of a mail's lines: what a client wrote, in one piece
# Everything that is no text: C0 but tab and line feed, C1, line separators, and what turns the reading direction.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_SEPARATORS = re.compile(r"[\x0b\x0c\x85\u2028\u2029]")
_BLANKS = re.compile(r"[ \t\n]+")  # not the no-break space: French needs it
_MARKER_LINES = frozenset(MARKERS.values())


# -- writing marks -----------------------------------------------------------------------------------------------


def clean_text(text: str, cap: int = 64 * 1024) -> str:
    """A stranger's text without control characters and without marks that turn the reading direction."""
    text = text[:cap].replace("\r\n", "\n").replace("\r", "\n")
    return text if text.replace("\n", "").isprintable() else _CONTROL.sub("", text)


def clean_line(text: object, cap: int = 200) -> str:
    """The same on one line of at most `cap` characters."""
    whole = str(text)
    if len(whole) <= cap and whole.isprintable() and "  " not in whole:  # nearly always, and much cheaper
        return whole.strip()
    line = _BLANKS.sub(" ", clean_text(_SEPARATORS.sub(" ", whole[: cap * 4]))).strip()
    return line if len(line) <= cap else line[: cap - 1] + "…"


def mark_quote(text: str) -> str:
    """Somebody's own words."""
    lines = clean_text(text).strip().split("\n")
    return "\n".join(_QUOTE + line.rstrip() for line in lines)


def mark_fact(label: str, value: object) -> str:
    """One line of facts: "Asks for: Rust"."""
    return _FACT + _SPLIT.join((clean_line(label), clean_line(value, 400), ""))


def mark_word(word: str, meaning: str) -> str:
    """A word to be said in a mail of one's own, and what it does: a fact whose first half counts."""
    return _FACT + _SPLIT.join((clean_line(word), clean_line(meaning, 400), "word"))


def mark_button(word: str, label: str = "") -> str:
    """A button that opens a mail with `word` in it; in the text the template says so in a sentence of its own."""
    return f"{_BUTTON}{clean_line(word)}{_SPLIT}{clean_line(label or word)}"


def mark_reply(word: str, meaning: str, label: str = "", subject: str = "", main: bool = False) -> str:
    """A reply that works and what it does; in HTML the word is a button that opens a mail with it.

    `main`: the one that this mail is sent for. `subject`: of the answer, if it is about something else than this mail.
    """
    shown = clean_line(label) or clean_line(word)
    about = clean_line(subject)
    parts = (clean_line(word), shown[:1].upper() + shown[1:], clean_line(meaning, 400), about, "main" if main else "")
    return _REPLY + _SPLIT.join(parts)


def mark_title(text: str) -> str:
    """The headline: what this mail says, in a few words."""
    return f"{_TITLE}{clean_line(text)}"


def mark_heading(text: str) -> str:
    """What the lines below are about, in a mail with several parts."""
    return f"{_HEADING}{clean_line(text)}"


def mark_small(text: str) -> str:
    """Small print, on one line."""
    return f"{_SMALL}{clean_line(text, 600)}"


def replies(marked: str) -> tuple[str, ...]:
    """Every word that the marked text teaches as a reply, in order."""
    lines = (line for line in marked.split("\n") if line[:1] in (_REPLY, _BUTTON))
    return tuple(line[1:].partition(_SPLIT)[0] for line in lines)


# -- text --------------------------------------------------------------------------------------------------------


_COLONS = {"fr": "\u00a0: "}  # French puts a no-break space before it


def to_text(marked: str, language: str = "") -> str:
    """The marked text as plain text, complete on its own."""
    colon = _COLONS.get(language, ": ")
    pieces = (_plain_quote(each) if each[:1] == _QUOTE else _plain_lines(each, colon) for each in _QUOTED.split(marked))
    return re.sub(r"\n{3,}", "\n\n", "".join(pieces)).strip() + "\n"


def _plain_quote(piece: str) -> str:
    return f"{piece}\n".replace(f"{_QUOTE}\n", ">\n").replace(_QUOTE, "> ")[:-1]


def _plain_lines(piece: str, colon: str) -> str:
    return "\n".join(_plain_line(line, colon) for line in piece.split("\n") if not line.startswith(_BUTTON))


def _plain_line(line: str, colon: str) -> str:
    mark, rest = line[:1], line[1:]
    if mark == _FACT:
        return colon.join(rest.split(_SPLIT)[:2])
    if mark == _REPLY:
        word, _, meaning, _, _ = rest.split(_SPLIT)
        return f"  {word} – {meaning}"
    return rest if mark in _MARKS else line.rstrip()


# -- HTML --------------------------------------------------------------------------------------------------------

_FONT = "font-family:-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif;font-size:16px;line-height:1.5"
_QUIET = "opacity:.7"  # of the reader's own colour: 8:1 on white as on black; Outlook shows it in full
_CRUST = "#8f4a0e"  # white on it: 6.9:1
# Ground and border are those of a table of one cell: Outlook's desktop programs give a link neither, and no padding.
_BOX = (
    '<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0" '
    'style="border-collapse:separate">'
)
_CELL = "padding:0;border-radius:8px;mso-padding-alt:9px 14px"
_FILLED = f' bgcolor="{_CRUST}" style="background:{_CRUST};border:1px solid {_CRUST};{_CELL}'
_OUTLINED = f' style="border:1px solid #a39a90;{_CELL}'
_LINK = "display:block;padding:9px 14px;text-align:center;text-decoration:none;font-weight:600"
LABEL, WORD, SHORT = 16, 12, 10  # characters of a fact's label, a word and a button's label that stay on their line
_NOWRAP = "white-space:nowrap;word-break:normal;overflow-wrap:normal"
_TABLE = '<table role="presentation" cellpadding="0" cellspacing="0" border="0" style="border-collapse:{};margin:{}">'


def to_html(marked: str, mailto: Mailto, language: str, title: str = "") -> str:
    """The same text as simple HTML. Everything in it is escaped here; `mailto` makes the address of a reply."""
    body = "\n".join(_BLOCKS[kind](lines, mailto) for kind, lines in _blocks(marked))
    return (
        f'<!DOCTYPE html>\n<html lang="{escape(language)}">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n<meta name="supported-color-schemes" content="light dark">\n'
        f"<title>{escape(title)}</title>\n</head>\n"
        '<body style="margin:0;padding:0">\n'
        '<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0" '
        'style="border-collapse:collapse;max-width:640px">\n<tr>\n'
        f'<td style="padding:16px;{_FONT};word-break:break-word;overflow-wrap:anywhere">\n{body}\n</td>\n</tr>\n'
        "</table>\n</body>\n</html>\n"
    )


def _blocks(marked: str) -> list[tuple[str, list[str]]]:
    """Neighbouring lines of one kind, as (mark or "p", lines without their mark). An empty line parts paragraphs."""
    out: list[tuple[str, list[str]]] = []
    for piece in _QUOTED.split(marked):
        if piece[:1] == _QUOTE:
            out.append((_QUOTE, piece[1:].split(f"\n{_QUOTE}")))
            continue
        for line in piece.split("\n"):
            mark = line[:1] if line[:1] in _MARKS else "p" if line.strip() else ""
            rest = line[1:] if mark in _MARKS else line
            if mark and out and out[-1][0] == mark:
                out[-1][1].append(rest)
            else:
                out.append((mark, [rest]))
    return [(mark, lines) for mark, lines in out if mark]


def _escape_lines(lines: Sequence[str]) -> str:
    return escape("\n".join(lines)).replace("\n", "<br>\n")


def _html_paragraph(lines: Sequence[str], mailto: Mailto) -> str:
    text = _escape_lines([line.strip() for line in lines])
    if lines[0] in _MARKER_LINES:
        return f'<p style="margin:0 0 18px 0;font-size:11px;{_QUIET}">{text}</p>'
    return f'<p style="margin:0 0 14px 0">{text}</p>'


def _html_title(lines: Sequence[str], mailto: Mailto) -> str:
    text = _escape_lines(lines)
    return f'<h1 style="margin:0 0 12px 0;font-size:21px;line-height:1.3;font-weight:700">{text}</h1>'


def _html_heading(lines: Sequence[str], mailto: Mailto) -> str:
    text = _escape_lines(lines)
    return f'<h2 style="margin:8px 0 6px 0;font-size:17px;line-height:1.3;font-weight:700">{text}</h2>'


_TAG = re.compile(r"\[(\S{1,20}) (\d+)\]")


def _html_small(lines: Sequence[str], mailto: Mailto) -> str:
    text = _TAG.sub(r"[\1&nbsp;\2]", _escape_lines(lines))  # "[BUN 42]" stays on one line
    return f'<p style="margin:0 0 12px 0;font-size:14px;{_QUIET}">{text}</p>'


def _html_quote(lines: Sequence[str], mailto: Mailto) -> str:
    text = _escape_lines(lines)
    return (
        f'<div dir="auto" style="margin:0 0 16px 0;padding:2px 0 2px 14px;border-left:4px solid #d29a4a">{text}</div>'
    )


def _html_facts(lines: Sequence[str], mailto: Mailto) -> str:
    rows = [_html_fact(*line.split(_SPLIT)) for line in lines]
    return "\n".join((_TABLE.format("collapse", "0 0 16px 0"), *rows, "</table>"))


def _html_fact(label: str, value: str, is_word: str) -> str:
    """A label and its value side by side; a long label stands above, so that neither is squeezed at 320 pixels."""
    weight = "font-weight:600" if is_word else _QUIET
    if len(label) > (WORD if is_word else LABEL):
        return (
            f'<tr><td colspan="2" style="padding:2px 0;{_FONT}">'
            f'<div style="{weight}">{escape(label)}</div>\n<div>{escape(value)}</div></td></tr>'
        )
    return (
        f'<tr><td style="padding:2px 14px 2px 0;vertical-align:top;{_NOWRAP};{_FONT};{weight}">'
        f'{escape(label)}</td>\n<td style="padding:2px 0;vertical-align:top;{_FONT}">{escape(value)}</td></tr>'
    )


def _button(address: str, label: str, filled: bool) -> str:
    """A cell that looks like a button and holds the link. Of a long label, words may wrap."""
    cell, colour = (_FILLED, "#ffffff") if filled else (_OUTLINED, "inherit")
    wrap = "word-break:normal" if len(label) > SHORT and " " in label else _NOWRAP
    link = f'<a href="{escape(address)}" style="color:{colour};{_LINK};{_FONT}">{escape(label)}</a>'
    box = f'{_BOX}\n<tr><td align="center"{cell}">\n{link}</td></tr></table>'
    return f'<td style="padding:0;vertical-align:middle;{wrap}">\n{box}</td>'


def _html_replies(lines: Sequence[str], mailto: Mailto) -> str:
    rows: list[str] = []
    for line in lines:
        word, label, meaning, subject, main = line.split(_SPLIT)
        cell = _button(mailto(word, subject), label, filled=bool(main))
        rows.append(f'<tr>{cell}\n<td style="padding:2px 0 2px 14px;{_FONT}">{escape(meaning)}</td></tr>')
    return "\n".join((_TABLE.format("separate;border-spacing:0 6px", "0 0 12px 0"), *rows, "</table>"))


def _html_buttons(lines: Sequence[str], mailto: Mailto) -> str:
    pairs = [line.partition(_SPLIT) for line in lines]
    cells = [_button(mailto(word, ""), label, filled=False) for word, _, label in pairs]
    gap = '\n<td style="width:10px">&nbsp;</td>\n'
    return f"{_TABLE.format('separate', '0 0 16px 0')}\n<tr>{gap.join(cells)}</tr>\n</table>"


_BLOCKS: Mapping[str, Callable[[Sequence[str], Mailto], str]] = {
    "p": _html_paragraph,
    _TITLE: _html_title,
    _HEADING: _html_heading,
    _SMALL: _html_small,
    _QUOTE: _html_quote,
    _FACT: _html_facts,
    _REPLY: _html_replies,
    _BUTTON: _html_buttons,
}
