"""A bun's history is told in every language, and nothing that the router records is left out."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from router.commands import VERBS
from router.compose import LANGUAGES
from router.history import VARIES, Tongue, tongue_of
from router.restraint import STOPPED
from tests.every_mail import AWARDS, DRY, REFUSALS, house, templates, world

ROUTER = Path(__file__).parent.parent / "router"
WORLD = world(house())
LINE = "“I'll take this one”"


@dataclass(frozen=True, slots=True)
class Told:
    who: str
    what: str
    why: str


def told(what: str, why: str = "", who: str = "anna", language: str = "en") -> Told:
    tongue = tongue_of(templates(), language)
    return Told(tongue.who(who, WORLD), *tongue.tell(what, why))


# -- everything that is recorded -------------------------------------------------------------------------------------


def _text(node: ast.expr) -> Iterator[str]:
    """What an expression can be, with "…" for what varies in it."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        yield "".join(part.value if isinstance(part, ast.Constant) else VARIES for part in node.values)
    elif isinstance(node, ast.BinOp):
        yield from (left + right for left in _text(node.left) for right in _text(node.right))
    elif isinstance(node, ast.IfExp):
        yield from (*_text(node.body), *_text(node.orelse))
    else:
        yield VARIES


def _recorded() -> Iterator[tuple[str, str]]:
    """(what, why) of everything that goes into a history, wherever the code does so."""
    for path in sorted(ROUTER.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            place = {"record": 0, "noted": 1, "Event": 1}.get(name)
            if place is None or len(node.args) <= place:
                continue
            whys = [each.value for each in node.keywords if each.arg == "why"]
            whys += node.args[place + 2 :] if name == "Event" else node.args[place + 1 : place + 2]
            for what in _text(node.args[place]):
                for why in (text for each in whys for text in _text(each)) if whys else ("",):
                    yield what, why


def _merged(text: str) -> str:
    while VARIES * 2 in text:
        text = text.replace(VARIES * 2, VARIES)
    return text


RECORDED = sorted({(_merged(what), _merged(why)) for what, why in _recorded()})
# Of these the reason is a value: a person's words, an address, a sentence of a mail server.
FREE = frozenset({"", VARIES, f"“{VARIES}”", f"{VARIES}: {VARIES}"})


def test_the_search_finds_what_is_recorded() -> None:
    found = {what for what, _ in RECORDED}
    assert len(found) > 60
    assert {"taken by …", "claim", "interest", "the client's data was erased", "auto-reply", "asks … to join"} <= found


@pytest.mark.parametrize("language", LANGUAGES)
def test_all_that_is_recorded_has_words(language: str) -> None:
    table = templates().words(f"{language}/_history")
    for what, why in RECORDED:
        if what not in (VARIES, f"{VARIES} {VARIES}"):
            assert what in table["what"], f"{what!r} has no words; add them to what in templates/*/_history.txt"
        if why not in FREE:
            assert why in table["why"] or why in templates().words(f"{language}/_words")["reasons"], (what, why)
    assert {"… not sent", "… gathered into the hour's mail"} <= set(table["what"])
    assert {*REFUSALS, STOPPED} <= set(table["why"])


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_the_same_tables(language: str) -> None:
    ours, english = (templates().words(f"{each}/_history") for each in (language, "en"))
    for name in ("who", "what", "why"):
        assert list(ours[name]) == list(english[name])
        assert all(key.count(VARIES) == said.count(VARIES) for key, said in ours[name].items())


@pytest.mark.parametrize("language", [language for language in LANGUAGES if language != "en"])
def test_no_english_is_left_over(language: str) -> None:
    """What two languages share by chance, names and codes apart, every text differs from the English one."""
    ours, english = (templates().words(f"{each}/_history") for each in (language, "en"))
    same = {key for name in ("what", "why") for key, said in ours[name].items() if said == english[name][key]}
    assert same <= {"it reads like a form letter: …", "urgent"}, same
    for why in (*AWARDS, *DRY):
        assert told("dry", why, language=language).why != why, why


# -- how it reads ----------------------------------------------------------------------------------------------------


def test_names_words_and_reasons_are_told() -> None:
    assert told("claim", LINE) == Told("Anna Berg", "wants it", LINE)
    tie = "unresolved for two working days: drawn, the tie drawn from the request's Message-ID"
    assert told("taken by Anna Berg", tie, "router", "sv") == Told(
        "routern",
        "tagen av Anna Berg",
        "inte klart i tid: lotten fick avgöra, lika lottat ur förfrågans Message-ID",
    )
    assert told("undone: throw", "no", language="de") == Told("Anna Berg", "rückgängig: „absagen“", "no")
    assert told("refused: claim", "not-possible", language="es").what == "no fue posible: «mío»"
    assert told("“throw” noted", "throw", "operator, as bo", "nl") == Told(
        "beheer, voor Bo Ek", "‘afwijzen’ genoteerd", "throw"
    )


def test_what_people_wrote_stays_as_it_is() -> None:
    """Also where somebody's own words are, letter for letter, a code or a sentence of ours."""
    for what in ("note", "writes", "wrote to the client", "“throw” noted", "undone: throw"):
        for line in ("lost", "no", "from Anna to all of us", "left the roster"):
            assert told(what, line, language="de").why == line


def test_what_no_table_knows_is_shown_as_it_was_recorded() -> None:
    assert told("sings", "because", "somebody", "fr") == Told("somebody", "sings", "because")
    assert told("asks … to join").what == "asks … to join", "a name that is our sign for what varies"


def test_every_verb_has_a_word_that_people_know() -> None:
    for language in LANGUAGES:
        said = templates().words(f"{language}/_words")["say"]
        for verb in VERBS:
            assert said[verb] in told(f"undone: {verb}", language=language).what


def test_a_language_without_tables_is_told_in_english() -> None:
    assert isinstance(tongue_of(templates(), "ja"), Tongue)
    assert told("eaten", language="ja") == told("eaten")
