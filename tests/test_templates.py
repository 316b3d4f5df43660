"""Every mail in every language: none missing, each complete on its own, each word that it teaches understood."""

from __future__ import annotations

import email
import email.header
import email.policy
import quopri
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import cycle
from pathlib import Path

import pytest

from router.commands import VERBS, read_command
from router.compose import KINDS, LANGUAGES, TO_CLIENT, TO_PERSON, compose
from router.lead import Carried, Letter
from router.protocol import ROWS
from router.reply import MARKERS, cut_text
from router.triage import GENERAL_VERBS
from router.turn import Mail
from tests.every_mail import (
    ALERTS,
    AWARDS,
    CASES,
    DRY,
    FOLDER,
    NOW,
    RECEIPTS,
    REFUSALS,
    UNKNOWN_REASON,
    Case,
    bun,
    house,
    in_language,
    send,
    templates,
    world,
)
from tests.markup import check_mail, contrast, mailto_of

ROUTER = Path(__file__).parent.parent / "router"
PAGES = ("digest", "report")  # their words and facts are tested in test_digest.py
SHARED = ("_words", "_pages", "_history", "_layout")
NAMES = (("anna", "Anna Berg"), ("bo", "Bo Ek"), ("cy", "Cy Dahl"), ("kim", "Kim Lund"))
THINGS = ("bun", "dough")


@dataclass(frozen=True, slots=True)
class Seen:
    """A mail as it arrived: what it was made for, and what its reader finds in it."""

    case: Case
    language: str
    raw: bytes
    subject: str
    text: str
    html: str

    @property
    def name(self) -> str:
        return f"{self.language}: {self.case.name}"


@cache
def mails(language: str) -> tuple[Seen, ...]:
    """Every case in that language, composed and decoded again."""
    return tuple(_seen(case, language, send(case, language).raw) for case in CASES)


def _seen(case: Case, language: str, raw: bytes) -> Seen:
    """What a reader sees. Taken apart by hand: the standard library takes longer for it than everything else here."""
    head, _, rest = raw.partition(b"\r\n\r\n")
    boundary = re.search(rb'boundary="([^"]+)"', head)
    subject = re.search(rb"^Subject: ([^\r]*(?:\r\n [^\r]*)*)", head, re.M)
    assert boundary and subject
    _, plain, html, _ = rest.split(b"--" + boundary[1])
    unfolded = subject[1].decode("ascii").replace("\r\n", "")
    shown = str(email.header.make_header(email.header.decode_header(unfolded)))
    return Seen(case, language, raw, shown, _body_of(plain), _body_of(html))


def _body_of(part: bytes) -> str:
    head, _, body = part.strip(b"\r\n").partition(b"\r\n\r\n")
    decoded = quopri.decodestring(body) if b"quoted-printable" in head else body
    return decoded.decode("utf-8").replace("\r\n", "\n").rstrip("\n") + "\n"


def html_of(raw: bytes) -> str:
    """The HTML of a mail as it arrived."""
    boundary = re.search(rb'boundary="([^"]+)"', raw)
    assert boundary
    return _body_of(raw.split(b"--" + boundary[1])[2])


def all_mails() -> tuple[Seen, ...]:
    return tuple(seen for language in LANGUAGES for seen in mails(language))


def around(cases: Iterable[Case]) -> Iterator[tuple[Case, str]]:
    """Each case in one language, the languages taking turns: for what no language can change."""
    return zip(cases, cycle(LANGUAGES), strict=False)


def one_of_each_kind(language: str) -> tuple[Seen, ...]:
    return tuple({seen.case.kind: seen for seen in mails(language)}.values())


# -- none is missing -------------------------------------------------------------------------------------------------


def test_every_kind_is_there_in_every_language_and_nothing_else() -> None:
    sources = {name for name in templates().sources if name.partition("/")[2] not in SHARED}
    assert sources == {f"{language}/{kind}" for language in LANGUAGES for kind in KINDS}


def test_no_language_borrows_from_another() -> None:
    for name, text in templates().sources.items():
        language, _, kind = name.partition("/")
        if kind not in PAGES:
            borrowed = set(re.findall(r'{%-? (?:import|include|extends|from) "([^"]*)"', text))
            assert borrowed <= {f"{language}/_words"}, name


def test_every_kind_has_a_case_here() -> None:
    """A kind without one is a kind that nobody has looked at."""
    assert {case.kind for case in CASES} == set(KINDS) - set(PAGES)


def test_languages_do_not_share_sentences() -> None:
    """A template copied and forgotten: two languages with the same sentence of five words or more."""
    said: dict[str, str] = {}
    for seen in all_mails():
        for line in seen.text.splitlines():
            given = line in str(seen.case.facts.get("text")) or seen.case.facts.get("why") == UNKNOWN_REASON
            if given or line.startswith(">") or seen.case.kind in ("aside", "alert") or len(line.split()) < 5:
                continue
            other = said.setdefault(line, seen.language)
            assert other == seen.language or "Rust reviewer wanted" in line, f"{line!r} in {other} and {seen.name}"


# -- what the protocol can say, the templates can say ----------------------------------------------------------------


def _codes(pattern: str, *files: str) -> set[str]:
    texts = [path.read_text("utf-8") for name in files for path in sorted(ROUTER.glob(name))]
    return {code for text in texts for code in re.findall(pattern, text)}


def test_every_receipt_of_the_protocol_has_a_case() -> None:
    given = _codes(r'\.receipt\(\s*"([\w-]+)"', "protocol/*.py") | _codes(r'"what": "(away|back|skills)"', "general.py")
    waiting = {"warm", "send", "throw", "eaten", "lost", "withdrawn", "cookie"}  # wait_for_undo names its own verb
    assert given | waiting == set(RECEIPTS)


def test_every_refusal_of_the_protocol_has_a_case() -> None:
    assert _codes(r'\.refuse\(\s*"([\w-]+)"', "protocol/*.py") == set(REFUSALS)


def test_every_alert_of_the_shell_has_a_case() -> None:
    codes = _codes(r'alert\(\s*"([\w-]+)"', "*.py") | _codes(r'"alert",[^\n]*"what": "([\w-]+)"', "*.py")
    assert codes <= set(ALERTS)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("kind", "fact", "codes"),
    [
        ("receipt", "what", tuple(RECEIPTS)),
        ("refused", "why", tuple(REFUSALS)),
        ("alert", "what", tuple(ALERTS)),
        ("outcome", "what", ("taken", "thrown", "dough", "answered", "withdrawn")),
        ("reheat", "because", ("contested", "released", "window")),
        ("draft", "about", ("ack", "reheat", "no")),
    ],
)
def test_every_code_has_words_of_its_own(language: str, kind: str, fact: str, codes: tuple[str, ...]) -> None:
    """An unknown code gets a sentence that is true of anything; a known one never does."""
    for seen in mails(language):
        if seen.case.kind != kind or seen.case.facts[fact] not in codes:
            continue
        if kind == "draft":  # the draft's text follows from its code: only the subject's label is looked at
            assert seen.subject != _other_label(seen)
            continue
        unknown = Case(kind, seen.case.lead, seen.case.to, {**seen.case.facts, fact: "nonsense"})
        assert _seen(unknown, language, send(unknown, language).raw).text != seen.text, seen.name


def _other_label(seen: Seen) -> str:
    subjects = {each.subject for each in mails(seen.language) if each.case.kind == "draft"}
    assert len(subjects) == 3
    return ""


@pytest.mark.parametrize("language", [language for language in LANGUAGES if language != "en"])
def test_reasons_are_told_in_the_readers_language(language: str) -> None:
    parts = {part for why in (*AWARDS, *DRY) for part in re.split(r": |, the tie", why)}
    for seen in mails(language):
        if seen.case.kind in ("outcome", "decide"):
            told = seen.text.lower()
            assert not any(len(part) > 8 and part.lower() in told for part in parts), seen.name
    unknown = [seen for seen in mails(language) if seen.case.facts.get("why") == UNKNOWN_REASON]
    assert all(UNKNOWN_REASON in seen.text for seen in unknown), "a reason without a translation is shown as it came"


def test_text_holds_nothing_half_done() -> None:
    """No empty sentence, no "None", no doubled full stop or quote left open, no blank subject."""
    for seen in all_mails():
        own = "\n".join(line for line in seen.text.splitlines() if not line.startswith(">"))
        assert seen.subject.strip(" :"), seen.name
        assert not re.search(r"\bNone\b|\bnone\b:|\{\{|\{%|\.\.(?!\.)|  \.| ,|\(\)|“”|„“|«»|‘’|: *$\Z", own), (
            seen.name,
            own,
        )
        assert not re.search(r"None|\[\]|: *:|^\s*$", seen.subject), (seen.name, seen.subject)


def test_what_is_held_back_is_explained_right_below_the_words_that_it_is_missing_from() -> None:
    """Whoever reads "You reach me at […]" in an offer is told who gets to see it, before any other line."""
    explained = 0
    for seen in all_mails():
        lines = [line for line in seen.text.splitlines() if line.strip()]
        quoted = [at for at, line in enumerate(lines) if line.startswith(">") and "[…]" in line]
        own = [at for at, line in enumerate(lines) if not line.startswith(">") and "[…]" in line]
        if not quoted:
            assert not own, seen.name
            continue
        below = next(at for at in range(quoted[0], len(lines)) if not lines[at].startswith(">"))
        later = bool(own and seen.case.lead and seen.case.lead.letters)  # below the last of what the client wrote
        assert below in own or later, seen.name
        explained += 1
    assert explained > len(LANGUAGES) * 10


def test_files_are_promised_to_whoever_takes_the_bun_until_somebody_has() -> None:
    for language in LANGUAGES:
        offer, mine = (next(s for s in mails(language) if s.case.kind == kind) for kind in ("offer", "handover-owner"))
        (promised,), (there,) = (re.findall(r"architecture\.pdf(.*)", seen.text) for seen in (offer, mine))
        assert re.fullmatch(r" \(\w.*\)", promised) and not there, (language, promised, there)


def test_a_mail_to_a_colleague_begins_with_the_bun_that_it_is_about() -> None:
    """Right below the marker: what a picture, a print or a preview of the mail shows of its subject."""
    for seen in all_mails():
        lead, kind = seen.case.lead, KINDS[seen.case.kind]
        if lead is None or not kind.marker or seen.case.kind in ("one-of-us", "confirm"):
            continue
        if seen.case.facts.get("what") in ("away", "back", "skills"):
            continue
        below = [line for line in seen.text.splitlines()[1:6] if line]
        assert re.match(r"\[(BUN|DOU) 42\]", below[0]), seen.name
        assert "Rust reviewer wanted" in " ".join(below), seen.name


@pytest.mark.parametrize("language", ["en", "fr"])
def test_apostrophes_are_those_of_print_and_french_keeps_its_spaces(language: str) -> None:
    for seen in mails(language):
        if seen.case.facts.get("why") == UNKNOWN_REASON or "text" in seen.case.facts:
            continue
        own = "\n".join(line for line in (seen.subject, *seen.text.splitlines()) if not line.startswith((">", "--")))
        assert not re.search(r"\w'\w", own), (seen.name, own)
        if language == "fr":
            assert not re.search(r"\w [:;?!»]|« \w", own), (seen.name, own)


# -- words -----------------------------------------------------------------------------------------------------------

WITH_MORE = {"offer": "Bo", "award": "Anna Berg", "with": "Bo", "skills": "Rust, SQL"}
DATES = {"en": "3 May", "sv": "3 maj", "de": "3. Mai", "fr": "3 mai", "es": "3 de mayo", "nl": "3 mei"}


def _say(language: str) -> dict[str, str]:
    module = templates()._environment.get_template(f"{language}/_words").module
    said: dict[str, str] = module.say  # type: ignore[attr-defined]
    return said


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_word_taught_is_read_as_its_verb(language: str) -> None:
    """Alone in that language, and among all languages, as the router reads."""
    said = _say(language)
    assert set(said) == set(VERBS), "each verb has a word"
    for verb, word in said.items():
        more = DATES[language] if verb == "away" else WITH_MORE.get(verb, "")
        for spoken in ((language,), ()):
            for text in (f"{word} {more}".strip(), f"{word} {more}".strip().capitalize()):
                reading = read_command(text, names=NAMES, languages=spoken, today=NOW.date(), things=THINGS)
                assert reading.command is not None, (language, spoken, text, reading)
                assert reading.command.verb == verb, (language, spoken, text, reading)


@pytest.mark.parametrize("language", LANGUAGES)
def test_words_below_a_word_are_read_as_its_text(language: str) -> None:
    """“Warm” and “throw” carry a person's own words to the client, written below them."""
    for verb in ("warm", "throw"):
        text = f"{_say(language)[verb]}\n\nMaria, we are full until June.\n"
        reading = read_command(text, names=NAMES, today=NOW.date(), things=THINGS)
        assert reading.command is not None
        assert (reading.command.verb, reading.command.text) == (verb, "Maria, we are full until June.")


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_number_of_a_mail_set_aside_is_understood(language: str) -> None:
    (seen, *_) = (seen for seen in mails(language) if seen.case.kind == "aside" and seen.case.facts["items"])
    example = "bun: 0"
    assert example in seen.text
    reading = read_command(example, things=THINGS)
    assert reading.command is not None
    assert (reading.command.verb, reading.command.line) == ("bun", example)


@pytest.mark.parametrize("language", LANGUAGES)
def test_warm_until_a_date_is_understood_as_the_nudge_teaches_it(language: str) -> None:
    (seen,) = (seen for seen in mails(language) if seen.case.kind == "nudge")
    (example,) = re.findall(rf"[“”„«‘]\s*({_say(language)['warm']} [^“”»]+?)\s*[“”»’](?![a-z])", seen.text)
    command = read_command(example, today=NOW.date(), things=THINGS).command
    assert command is not None
    assert (command.verb, str(command.until)) == ("warm", "2027-05-03")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_button_writes_a_mail_that_is_understood_and_may_be_said(language: str) -> None:
    """What a button's mail says is read as a command, and the protocol has a row for it in that lead's status."""
    for seen in mails(language):
        if seen.case.kind == "happiness":
            assert [_body(link) for link in _links(seen)] == ["1", "2", "3", "4", "5"]
            continue
        for link in _links(seen):
            command = read_command(_body(link), names=NAMES, today=NOW.date(), things=THINGS).command
            assert command is not None, (seen.name, _body(link))
            lead = seen.case.lead
            if lead is None or command.verb in GENERAL_VERBS or command.verb in ("undo", "yes"):
                continue
            assert any(lead.status in row.statuses and command.verb in row.cues for row in ROWS), (
                seen.name,
                command.verb,
            )


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_mail_teaches_a_word_that_its_reader_would_be_refused(language: str) -> None:
    """The list is no keeper; who withdrew has said no; an ended bun is not kept warm."""
    said = _say(language)
    for seen in mails(language):
        case, taught = seen.case, {_body(link).lower() for link in _links(seen)}
        if case.to == "list" and KINDS[case.kind].audience == TO_PERSON:
            assert taught <= {said["claim"], said["help"]}, seen.name
        if case.lead is not None and case.lead.ended_as == "withdrawn" and case.kind in ("reopen", "unclear"):
            assert said["claim"] not in taught, seen.name
        if case.lead is not None and case.lead.status == "thrown" and case.kind in ("unreachable", "not-seen"):
            assert not taught & {said["warm"], said["withdrawn"]}, seen.name


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_mail_announces_a_no_that_only_a_person_may_say(language: str) -> None:
    base = in_language(language, house())
    person = replace(base, terms=replace(base.terms, no_by="person"))
    cases = [case for case in CASES if case.kind in ("decide", "last-call") and case.facts.get("because") != DRY[4]]
    changed = 0
    for case in cases:
        lead = replace(case.lead, language=language) if case.lead else None
        (mail,) = compose(Mail(case.kind, case.to, case.facts), lead, world(person), person, templates(), True)
        changed += _seen(case, language, mail.raw).text != _seen(case, language, send(case, language).raw).text
    assert changed == len([case for case in cases if case.to != "list" and case.facts.get("because") != DRY[3]]) + 1


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_collectives_own_words_are_taught_where_they_are_understood(language: str) -> None:
    said = _say(language)
    for own, taught in ((said["bun"], said["bun"]), ("bun", "bun"), ("muffin", said["bun"])):
        of = house(words={**house().words, "bun": own})
        case = next(case for case in CASES if case.kind == "bun-or-cookie")
        seen = _seen(case, language, send(case, language, of).raw)
        assert [_body(link) for link in _links(seen)] == [taught, "cookie", said["throw"]]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", ["offer", "second-call", "last-call", "back", "personal-offer"])
def test_an_offer_teaches_the_same_three_words_first(language: str, kind: str) -> None:
    said = _say(language)
    for seen in mails(language):
        if seen.case.kind == kind:
            assert [_body(link) for link in _links(seen)][:3] == [said["claim"], said["pass"], said["help"]]
            assert all(f"\n  {said[verb]} – " in seen.text for verb in ("claim", "pass", "help"))


def _links(seen: Seen) -> list[str]:
    return re.findall(r'href="([^"]*)"', seen.html)


def _body(link: str) -> str:
    return mailto_of(link)[2]


# -- HTML ------------------------------------------------------------------------------------------------------------


def test_html_is_well_formed_and_shows_what_the_text_says() -> None:
    for seen in all_mails():
        shown = check_mail(seen.html).words
        assert f'<html lang="{seen.language}">' in seen.html
        marks = (">", "–", "")  # the last is what a colon of its own leaves
        missing = {word.strip(":") for word in seen.text.split()} - {word.strip(":") for word in shown} - set(marks)
        words_as_buttons = {word.lower() for word in shown}
        assert not {word for word in missing if word.lower() not in words_as_buttons | {"award"}} - _with_names(seen), (
            seen.name,
            missing,
        )


def _with_names(seen: Seen) -> set[str]:
    """Words that a button says in its mail and shows by a shorter label: "award Anna" is shown as "Anna"."""
    return {word for link in _links(seen) for word in re.split(r"[\s]+", _body(link))} | {
        word for link in _links(seen) for word in _body(link).split(",")[0].split()
    }


_GROUNDS = ("#ffffff", "#121212", "#000000")  # where mail programs put our words, in light and in dark


def test_every_colour_of_a_mail_can_be_read_on_white_and_on_black() -> None:
    """Text takes the reader's own colour, or white on a button; what a colour marks stands out 3 to 1 everywhere."""
    pages = [path.read_text("utf-8") for path in FOLDER.glob("*.html") if path.stem in ("digest", "report")]
    mails_of = "".join(seen.html for seen in one_of_each_kind("en"))
    assert {"inherit", "#ffffff"} == set(re.findall(r"[\"; ]color:([^;\"]+)", mails_of))
    assert contrast("#ffffff", "#8f4a0e") >= 4.5, "the button"
    for page in pages:
        assert not re.findall(r"[\"; ]color:(?!inherit)", page)
        for colour in set(re.findall(r"#[0-9a-f]{6}", page)) - {"#d29a4a"}:  # the line beside a quote is decoration
            assert all(contrast(colour, ground) >= 3 for ground in _GROUNDS), colour
    faint = 0.7  # of black on white, and of white on black: what "opacity" leaves of the reader's own colour
    grey = f"#{round(255 * (1 - faint)):02x}" + f"{round(255 * (1 - faint)):02x}" * 2
    assert contrast(grey, "#ffffff") >= 4.5
    light = f"#{round(255 * faint):02x}" + f"{round(255 * faint):02x}" * 2
    assert contrast(light, "#000000") >= 4.5


# -- clients ---------------------------------------------------------------------------------------------------------

_MACHINERY = {
    "": "bun buns bulle bullar brötchen brioche bollo broodje dough deg teig pâte masa deeg router ticket bot cookie "
    "muffin batter [bun [dou noreply no-reply message-id",
    "en": "lead claim claimed window keeper awarded automatic automatically system list colleague offered team queue",
    "sv": "lead anmälan fönster jour ägare ägs automatisk automatiskt system listan erbjuds väntelista kaka",
    "de": "lead fenster dienst automatisch system liste angebot meldung keks",
    "fr": "lead fenêtre permanence automatique automatiquement système liste biscuit",
    "es": "lead plazo guardia automático automáticamente sistema lista galleta",
    "nl": "lead venster dienst automatisch systeem lijst melding koekje",
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_client_reads_no_word_of_the_protocol(language: str) -> None:
    forbidden = set(f"{_MACHINERY['']} {_MACHINERY[language]}".split())
    for seen in mails(language):
        if KINDS[seen.case.kind].audience != TO_CLIENT:
            continue
        words = set(re.findall(r"[\w\[-]+", f"{seen.subject} {seen.text}".lower()))
        assert not words & forbidden, (seen.name, words & forbidden)
        assert "router" not in seen.html.lower()
        assert "href" not in seen.html
        assert seen.subject == "Re: Rust reviewer wanted"
        assert "42" not in f"{seen.subject}{seen.text}", "no number of ours"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_client_reads_a_name_a_time_and_who_we_are(language: str) -> None:
    for seen in mails(language):
        if seen.case.kind in ("ack", "reheat", "handover") and seen.case.lead and seen.case.lead.owner != "gone":
            assert re.match(
                r"\S+ Maria Ek," if language == "de" else r"\S+ Maria[,:]", seen.text.replace("Guten ", "")
            ), seen.text
            assert "Crisp Collective" in seen.text
            if seen.case.kind != "handover":
                assert re.search(r"\b11.30\b", seen.text), "the time by which they hear from us"
            named = re.search(r"Kim Lund|Anna Berg", seen.text)
            assert named or seen.case.facts.get("because") in ("contested", "window"), seen.name


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_persons_own_text_gets_a_greeting_and_a_name_only_where_they_are_missing(language: str) -> None:
    bare, complete = (s for s in mails(language) if s.case.kind == "word")
    assert complete.text == "Hej Maria,\n\njag ringer.\n\n/Anna\n"
    assert re.fullmatch(
        r"\S.*Maria( Ek)?[,:]\n\nI will call you tomorrow at ten\.\n\n.+\nAnna Berg\nCrisp Collective\n", bare.text
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_contest_names_those_to_whom_one_would_leave_it(language: str) -> None:
    said = _say(language)["yield"]
    for seen in mails(language):
        if seen.case.kind == "contest":
            (leaves,) = re.findall(rf"^  {said} – (.*)$", seen.text, re.M)
            assert "Bo Ek" in leaves and "Anna" not in leaves, (seen.name, leaves)
            assert re.search(rf"[“”„«‘]\s?{said}\s?[“”»’]", seen.text), "who takes it is told that the others say so"


# -- colleagues ------------------------------------------------------------------------------------------------------

# These say nothing of an owner: a question about a person, or words that hold anywhere.
_NO_OWNER = frozenset({"confirm", "one-of-us", "help", "gathered", "aside", "rota", "happiness"})
_OWNING = {
    "en": r"\byou answer for it|\bit is yours|yours to|yours only",
    "sv": r"\bdu ansvarar|den är (redan )?din|din fortfarande|är du med|du är med",
    "de": r"bei dir|gehört dir|du bist dabei|deiner anfrage",
    "fr": r"c’est toi qui|à toi\b|tu participes",
    "es": r"llevas tú|a tu cargo|es tuya|formas parte|tu solicitud",
    "nl": r"bij jou|van jou|je doet mee|jouw aanvraag",
}  # fmt: skip


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_mail_about_an_open_bun_says_who_owns_it(language: str) -> None:
    at = world(house())
    for seen in mails(language):
        case = seen.case
        if (
            case.lead is None
            or KINDS[case.kind].audience == TO_CLIENT
            or case.kind in _NO_OWNER
            or not case.lead.is_open
        ):
            continue
        if case.facts.get("what") in ("away", "back", "skills"):
            continue
        owner = at.name(case.lead.owner)
        told = f"{seen.subject}\n{seen.text}".replace("\xa0", " ")
        assert owner in told or re.search(_OWNING[language], told, re.I), (seen.name, told)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_receipt_quotes_the_line_it_was_read_from(language: str) -> None:
    for seen in mails(language):
        if seen.case.kind in ("receipt", "refused"):
            assert "> I'll take this one\n" in seen.text, seen.name


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_can_be_undone_says_so(language: str) -> None:
    undo = f"  {_say(language)['undo']} – "
    for seen in mails(language):
        if seen.case.kind == "receipt" and "effect" in seen.case.facts:
            assert undo in seen.text, seen.name
            assert re.search(r"\b11.30\b", seen.text), "until when"


def test_a_colleagues_subject_names_the_bun_and_no_subject_repeats_its_number() -> None:
    for seen in all_mails():
        kind = KINDS[seen.case.kind]
        if seen.case.lead and kind.audience != TO_CLIENT:
            assert len(re.findall(r"\[(BUN|DOU) 42\]", seen.subject)) == 1, seen.subject


def test_an_urgent_offer_says_so_in_its_subject() -> None:
    urgent = [s.subject for s in all_mails() if s.case.kind == "offer" and s.case.lead and s.case.lead.urgent]
    assert urgent == [
        "[BUN 42] URGENT: Rust reviewer wanted",
        "[BUN 42] BRÅDSKANDE: Rust reviewer wanted",
        "[BUN 42] DRINGEND: Rust reviewer wanted",
        "[BUN 42] URGENT\xa0: Rust reviewer wanted",
        "[BUN 42] URGENTE: Rust reviewer wanted",
        "[BUN 42] DRINGEND: Rust reviewer wanted",
    ]


def test_the_collectives_own_words_are_used() -> None:
    words = {"bun": "muffin", "dough": "batter", "cookie": "crumb", "BUN": "MUFFIN", "DOU": "BATTER"}
    of = house(words=words)
    cases = [case for case in CASES if case.lead and KINDS[case.kind].audience != TO_CLIENT]
    for case, language in around(cases):
        seen = _seen(case, language, send(case, language, of).raw)
        assert re.search(r"\[(MUFFIN|BATTER) 42\]", seen.subject)
        told = re.sub(
            r"-- bun router.*--|[“”„«‘]\s?[\w ]+\s?[“”»’]|^  [\w ]+ – |^[\w ]+( …)?\s?: ", "", seen.text, flags=re.M
        )
        assert not re.search(r"\b(buns?|dough|bullen?|brötchen|bollo|broodje|brioche)\b", told, re.I), (seen.name, told)


# -- what comes back -------------------------------------------------------------------------------------------------


def test_the_marker_stands_first_and_an_answer_above_it_is_all_that_is_read() -> None:
    for seen in (seen for language in LANGUAGES for seen in one_of_each_kind(language)):
        if not KINDS[seen.case.kind].marker:
            assert not any(marker in seen.text for marker in MARKERS.values()), seen.name
            continue
        assert seen.text.startswith(MARKERS[seen.language] + "\n"), seen.name
        assert check_mail(seen.html).words[:3] == ["--", "bun", "router:"]
        for answer in ("mine\n\n", ""):
            assert cut_text(answer + seen.text)[0].strip() == answer.strip(), seen.name


# -- hostile facts ---------------------------------------------------------------------------------------------------

_EVIL = (
    "<script>alert(1)</script><img src=http://evil.example/x> {{ lead.client }} {% raw %} "
    "\r\nBcc: x@evil.example\r\n\r\n"
    "\x01quote\x02fact\x04x\x03button\x05t\x06s\x07r\x00\x1b[31m \u202eltr \u2066iso\u2029 \x85 '\"&amp; [BUN 7] "
    "-- bun router: please reply above this line --"
)
_LONG_NAME = "Örjan <b>" + "x" * 10_000


def _hostile(case: Case) -> Case:
    lead = case.lead
    if lead is not None:
        lead = replace(
            lead,
            subject=_EVIL,
            text=f"{_EVIL}\n{_EVIL * 40}",
            client=lead.client and "maria@acme.example",
            client_name=_LONG_NAME,
            letters=(Letter(NOW, "client", _EVIL),),
            carried=(Carried(_EVIL, "text/plain", 1, "0" * 64),),
            skills=(_EVIL,),
        )
    codes = {"what", "because", "about", "fallback", "verb", "status", "html", "facts"}
    facts = {
        name: _EVIL if isinstance(value, str) and name not in codes and value else value
        for name, value in case.facts.items()
    }
    if "people" in facts and case.kind not in ("contest", "mediate"):
        facts["people"] = (_EVIL, _LONG_NAME)
    if isinstance(facts.get("why"), str) and case.kind == "refused":
        facts["why"] = case.facts["why"]
    return Case(case.kind, lead, case.to, facts)


def test_hostile_facts_come_out_as_text_and_as_nothing_else() -> None:
    names = {"anna": _EVIL, "bo": _LONG_NAME}
    of = house()
    of = replace(of, members={k: replace(m, name=names.get(k, m.name)) for k, m in of.members.items()})
    for case, language in around(CASES):
        raw = send(_hostile(case), language, of).raw
        seen = _seen(case, language, raw)
        check_mail(seen.html)
        assert "<script" not in seen.html and "<img" not in seen.html, seen.name
        assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]", seen.text)
        assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]", seen.html)
        head = raw.split(b"\r\n\r\n")[0]
        assert b"\nBcc:" not in head and b"\nbcc" not in head.lower(), seen.name
        assert len(seen.subject) <= 400
        for link in _links(seen):
            address, *said = mailto_of(link)
            assert address.endswith("@crisp.example") and "\n" not in "".join(said), link


def test_the_standard_library_reads_back_what_was_written() -> None:
    """`email.policy.default` as the oracle, on one mail of each kind and on a hostile one."""
    for case, language in around({case.kind: case for case in CASES}.values()):
        for each in (case, _hostile(case)):
            outgoing = send(each, language)
            message = email.message_from_bytes(outgoing.raw, policy=email.policy.default)
            seen = _seen(each, language, outgoing.raw)
            assert not message.defects, (seen.name, message.defects)
            assert message["subject"] == seen.subject and "\n" not in message["subject"]
            people = [a.addr_spec for name in ("to", "cc") for h in message.get_all(name, []) for a in h.addresses]
            assert tuple(people) == outgoing.recipients
            plain, html = message.get_body(("plain",)), message.get_body(("html",))
            assert plain is not None and html is not None
            assert plain.get_content().replace("\r\n", "\n") == seen.text
            assert max(map(len, outgoing.raw.split(b"\r\n"))) <= 998
            assert outgoing.raw.isascii()


def test_what_a_client_wrote_is_shown_letter_for_letter() -> None:
    words = "5 < 6 & {{ 7 }} > {% 8 %} “ä” – 漢字\n\n\tindented"
    seen = _seen(CASES[0], "en", send(Case("offer", bun(text=words), "list", {"closes": None})).raw)
    assert "> 5 < 6 & {{ 7 }} > {% 8 %} “ä” – 漢字\n>\n> \tindented" in seen.text
    assert "5 &lt; 6 &amp; {{ 7 }} &gt; {% 8 %} &#8220;&#228;&#8221; &#8211; &#28450;&#23383;" in seen.html
