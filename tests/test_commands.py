"""What people write, and what it must be taken for. The lists per language stand in tests/phrases."""

from __future__ import annotations

import gc
import tomllib
import unicodedata
from datetime import date
from pathlib import Path
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.commands import VERBS, Command, Reading, check_extra, read_command
from router.phrases import LANGUAGES, table
from router.phrases.book import book
from router.phrases.grammar import Grammar

LISTS = Path(__file__).with_name("phrases")
NAMES = (("anna", "Anna Svensson"), ("bo", "Bo Berg"), ("cy", "Cy Young"), ("mia", "Mia Meier"))
WEDNESDAY = date(2026, 3, 4)


def read(text: str, languages: tuple[str, ...] = ()) -> Reading:
    return read_command(text.replace("⏎", "\n"), names=NAMES, today=WEDNESDAY, languages=languages)


def replies(language: str, folder: Path = LISTS) -> dict[str, list[str]]:
    """The replies of a list by what they must be taken for: a verb, `unclear` or `chat`."""
    data = tomllib.loads((folder / f"{language}.toml").read_text("utf-8"))
    verbs = data.pop("verbs", {})
    return {kind: text.strip().splitlines() for kind, text in {**data, **verbs}.items()}


def fault(kind: str, reply: str, languages: tuple[str, ...]) -> str:
    """What is wrong with the reading of `reply`; "" when nothing is."""
    text, _, wanted = reply.partition(" => ")
    reading = read(text, languages)
    command = reading.command
    if kind in ("unclear", "chat"):
        if command:
            return f"{text!r}: {kind}, read as {command.verb}"
        return "" if kind == "chat" or reading.half else f"{text!r}: its sender is not asked ({reading.why})"
    if command is None or command.verb != kind:
        return f"{text!r}: {kind}, read as {command.verb if command else 'nothing'} ({reading.why})"
    return "" if not wanted or found(command) == wanted.replace("⏎", "\n") else f"{text!r}: found {found(command)!r}"


def found(command: Command) -> str:
    """What came with a command, in the notation of the lists."""
    if command.verb in ("warm", "throw", "note", "send") and not command.until:
        return f'"{command.text}"'
    if command.until:
        return command.until.isoformat()
    return " ".join(command.who) or (f"?{command.unknown}" if command.unknown else "") or ";".join(command.skills)


@pytest.mark.parametrize("folder", [LISTS, LISTS / "held"], ids=["written with the tables", "written apart"])
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("alone", [True, False], ids=["alone", "among all"])
def test_each_reply_is_taken_for_what_it_says(folder: Path, language: str, alone: bool) -> None:
    spoken = (language,) if alone else ()
    faults = [fault(kind, reply, spoken) for kind, lines in replies(language, folder).items() for reply in lines]
    assert not [each for each in faults if each]


def test_each_language_has_lists_of_a_useful_size() -> None:
    for language in LANGUAGES:
        lists, held = replies(language), replies(language, LISTS / "held")
        assert len(lists["claim"]) >= 60 and len(lists["pass"]) >= 30
        assert len(lists["unclear"]) + len(lists["chat"]) >= 40
        assert len(held["claim"]) >= 60


def test_every_phrase_of_every_table_is_in_the_notation() -> None:
    for language in LANGUAGES:
        source = table(language)
        Grammar(language, source.phrases, source.sets).compile()


def test_every_verb_is_in_the_english_list() -> None:
    assert set(replies("en")) >= set(VERBS)


@pytest.mark.parametrize("text", ["", "   \n\n", "---", "\u200b\ufeff", "> mine", "> mine\n> pass", "...", "\x00"])
def test_nothing_new_is_no_command(text: str) -> None:
    reading = read(text)
    assert reading.command is None and not reading.half


@pytest.mark.parametrize(
    "text", ["mi\u200bne", "\ufeffmine", "\u202dmine\u202c", "mine\u00a0!", "\u00admine", "𝐦𝐢𝐧𝐞", "MINE"]
)
def test_what_nobody_sees_is_no_obstacle(text: str) -> None:
    command = read(text).command
    assert command is not None and command.verb == "claim"


def test_the_command_is_in_the_first_line_that_is_no_greeting() -> None:
    assert read("Hello\n\nBo here.\n\nmine").command is None
    command = read("Hello\n\nmine\npass").command
    assert command is not None and command.verb == "claim" and command.line == "mine"


def test_a_command_in_the_second_line_is_asked_about() -> None:
    reading = read("This looks like fun.\nI'll take it.")
    assert reading.command is None and reading.half


@pytest.mark.parametrize(
    "text",
    [
        "Mine.\n\nBut only if they pay.",
        "Jag tar den!\n\nMvh\nBo\n\nPS bara om det är på distans",
        "Mine\n\nP.S. only if remote",
        "I'll take it\n\nOr does Anna want it?",
        "Je prends.\n\nSauf si Anna le veut",
        "Mine.\nOk with Anna?",
    ],
)
def test_a_second_thought_below_a_claim_is_asked_about(text: str) -> None:
    reading = read(text)
    assert reading.command is None and reading.half


@pytest.mark.parametrize("text", ["Mine!\n\nNo rush.", "Mine!\n\nWhen do they want to start?", "Mine\n\nThanks!\nBo"])
def test_other_words_below_a_claim_leave_it(text: str) -> None:
    command = read(text).command
    assert command is not None and command.verb == "claim"


@pytest.mark.parametrize(
    "text",
    [
        "Mine! Have done two such migrations with Volvo.",  # names and words of one's work are known
        "I'll take it, I know their zookeeper",  # who says that he takes it has said so, whatever else he tells
        "Mine! I met their zookeeper once.",  # so has who begins a sentence about himself
        "Jag har tid så tar jag den",
        "Ik ben beschikbaar en neem hem graag",  # no order: it has its subject
        "Ja, ik ben beschikbaar en wil hem graag nemen.",
        "Pass, but thanks for thinking of me",  # "of" is a condition in Dutch, which this is not
        "Meins! Viele Grüße, Bo, Bäckerei-Consulting",  # what follows a closing is not read
    ],
)
def test_talk_of_ones_work_leaves_a_command_clear(text: str) -> None:
    assert read(text).command is not None


@pytest.mark.parametrize("text", ["Been there, done that - I'll take it!", "Aloitan heti, otan tämän", "Wow, mine"])
def test_a_plain_statement_may_precede_a_claim(text: str) -> None:
    command = read(text).command
    assert command is not None and command.verb == "claim"


@pytest.mark.parametrize(
    "text",
    [
        "Zahlen sie gut, nehme ich es",  # the inverted verb makes the first half a condition
        "Kan det vänta, tar jag den",
        "For 1000 a day, mine",
        "Next time, I'll take it",
        "In May, I'll take it",
        "A condición de que paguen, lo tomo",
        "Give me a day, I'll take it",
        "They pay well, I take it.",
        "Skriv bara, jag tar den",
        "I'll take it, once the budget is clear",
        "Take it, Anna!",
        "puedo tenerlo",
        "De sa den er min",
        "min - bare tull",
        "I'll take it, the old zebra",  # a noun that follows says what
        "One zebra left, I'll take it",
        "Neem hem dan, Anna",
        "Alle vil have den her",  # without a comma, who is called is who wants it
        "Guys will take it",
        "Klient chce to",  # without its accent the third person is written as the first
        "Si me lo quedo yo",  # and "yes" as "if"
        "Y si me lo quedo yo",
        "Jag sa min",  # and "so" as "said"
        "Later i take the train and i claim this bun",  # "i" is "and" in Polish
        "La prossima volta sono disponibile e lo prendo volentieri",
        "Mine, right",  # at the end of a line these ask
        "Esse é meu, certo",
        "Van mij, hè",
        "moje, mam nadzieję",
        "Biorę to zapytanie albo Anna",  # no adjective: "albo" is "or"
        "Je prends la demande hier",
        "Ich nehme, was übrig bleibt",  # a clause that says of what
        "Biorę to, jak leci",
        "Jag gör det nu, rapporten alltså",  # what one does may be anything, and here it is
        "Gør det",  # an order as well
        "Tocca a me questa settimana",  # whose turn it is says nothing of the bun
        "Betalar de bra så tar jag den",  # where the verb comes second, what begins with it is a condition
        "Stimmt der Preis, dann nehme ich es",
        "Gaan ze akkoord, dan neem ik hem",
        "Går de med på det, er den min",
        "Har de råd, tar jag den",
        "Har jag tid, min",
        "Har de råd, så tar jag den",
        "Är Anna klar så jag tar den",
        "Hab ich Zeit, meins",
        "C'est pour moi, je paie",  # the round of drinks, not the bun
        "Jeg giver en omgang, den er min",
        "Posso ficar com ele",  # only a question mark would tell it from a question
        "Mine, the umbrella",
        "It's mine, the zebra on the photograph",  # nobody knows what is said of a word that is in no table
        "The zebra was here first, mine",
    ],
)
def test_what_precedes_or_follows_can_take_a_claim_away(text: str) -> None:
    assert read(text).command is None


def test_an_accent_may_be_written_apart_and_an_i_be_turkish() -> None:
    for text in (unicodedata.normalize("NFD", "Räkna med mig"), unicodedata.normalize("NFD", "mío"), "MİNE", "mıne"):
        command = read(text).command
        assert command is not None and command.verb == "claim", text


@pytest.mark.parametrize(
    "text",
    [
        "I'd love to, but I have no time",
        "Bel progetto, ma devo passare",
        "Before June no capacity here until September",  # times may stand on both sides of a pass
        "Vor Mai keine Kapazität",
    ],
)
def test_a_pass_may_follow_kind_words_and_times(text: str) -> None:
    command = read(text).command
    assert command is not None and command.verb == "pass"


@pytest.mark.parametrize(
    "text", ["I'll take it, but not before May", "Bo said he'd love to, but I can't", "In May, mine"]
)
def test_a_pass_is_not_made_of_half_a_claim_or_of_what_others_say(text: str) -> None:
    assert read(text).command is None


def test_a_claim_outweighs_the_coming_back_that_leads_to_it() -> None:
    for text in ("I'm back, I'll take it", "Yes, I am free and would like to take it"):
        command = read(text).command
        assert command is not None and command.verb == "claim", text


def test_a_condition_in_the_next_line_belongs_to_the_claim() -> None:
    assert read("I'll take it\nbut only if it is remote").command is None
    wrapped = "I would be happy to take this one, it is exactly what I do,\nif the client can wait until June"
    assert read(wrapped).command is None


def test_names_match_whole_words_whatever_case_and_accents() -> None:
    names = [("soren", "Søren Ångström"), ("ana", "Ana María López")]
    for text, key in [
        ("award soren", "soren"),
        ("award ÅNGSTRÖM", "soren"),
        ("award angstrom", "soren"),
        ("award Ana Maria", "ana"),
    ]:
        command = read_command(text, names=names).command
        assert command is not None and command.who == (key,), text
    command = read_command("award Anabel", names=names).command
    assert command is not None and command.who == () and command.unknown == "Anabel"


def test_a_first_name_of_two_people_is_nobody_we_know() -> None:
    names = [("a1", "Anna Alm"), ("a2", "Anna Berg")]
    command = read_command("award Anna", names=names).command
    assert command is not None and command.who == () and command.unknown == "Anna"
    command = read_command("award Anna Berg", names=names).command
    assert command is not None and command.who == ("a2",)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("Jätän tämän Annalle", "anna"),
        ("Annan tämän Pekalle", "pekka"),
        ("Jätän tämän Virtaselle", "pekka"),
        ("Haluaisin Bon mukaan", "bo"),
        ("Oddaję to Annie", "anna"),
        ("Oddaję to Markowi Kowalskiemu", "marek"),
        ("Chcę to zrobić z Anną", "anna"),
        ("Lo lascio ad Anna", "anna"),
    ],
)
def test_a_name_is_known_in_the_cases_of_its_language(text: str, key: str) -> None:
    names = [*NAMES, ("pekka", "Pekka Virtanen"), ("marek", "Marek Kowalski")]
    command = read_command(text, names=names).command
    assert command is not None and command.who == (key,)


def test_the_case_of_one_language_is_another_persons_name_in_the_next() -> None:
    for text in ("award Annie", "yours Annie"):
        command = read(text).command
        assert command is not None and command.who == () and command.unknown == "Annie", text


def test_a_case_form_of_two_people_is_nobody_we_know() -> None:
    names = [("a1", "Anna Alm"), ("a2", "Anna Berg")]
    command = read_command("Jätän tämän Annalle", names=names).command
    assert command is not None and command.who == () and command.unknown == "Annalle"


def test_a_name_alone_is_no_command_even_if_it_means_mine_somewhere() -> None:
    assert read("Mia").command is None
    command = read_command("Mia").command
    assert command is not None and command.verb == "claim"


def test_a_word_of_two_languages_is_asked_about_unless_only_one_is_spoken() -> None:
    assert read("moi").command is None and read("moi").half
    command = read("moi", ("fr",)).command
    assert command is not None and command.verb == "claim"
    command = read("Moi!\n\nOtan tämän").command
    assert command is not None and command.verb == "claim"


def test_an_accent_may_be_missing_but_not_added() -> None:
    command = read("mio", ("es",)).command
    assert command is not None and command.verb == "claim"
    assert read("pasó", ("es",)).command is None


def test_phrases_of_the_operator_work_at_once() -> None:
    extra = {"claim": ["banzai", "(ship|send) it my way"], "dough": ["deg"], "throw": ["kompost"]}
    for text, verb in [("Banzai!", "claim"), ("send it my way", "claim"), ("deg", "dough"), ("kompost", "throw")]:
        command = read_command(text, extra=extra, languages=["en"]).command
        assert command is not None and command.verb == verb, text
    assert read_command("banzai if it can wait", extra=extra).command is None
    assert read_command("a banzai attack", extra=extra).command is None


def test_faults_in_phrases_of_the_operator_are_all_named() -> None:
    assert check_extra({"claim": ["banzai"]}) == ()
    faults = check_extra({"claim": ["(open", "closed)", "[all]", "{nothing}"], "grab": ["x"]})
    assert len(faults) == 5 and all(faults)


def test_the_word_of_the_collective_is_what_it_takes() -> None:
    for text in ("I'll take the muffin", "I take this muffin", "jag tar muffinen"):
        assert read_command(text).command is None, text
        command = read_command(text, things=["muffin"]).command
        assert command is not None and command.verb == "claim", text


def test_the_text_behind_a_command_is_kept_as_written() -> None:
    command = read('warm: Dear Åsa,\n\nWe are ON it \u2013 "soon".\n\nBest, Bo').command
    assert command is not None and command.text == 'Dear Åsa,\n\nWe are ON it \u2013 "soon".\n\nBest, Bo'
    command = read("warm: Dear Åsa,\n\nsoon.\n\n----------\n").command
    assert command is not None and command.text == "Dear Åsa,\n\nsoon."  # a rule below it is no word to a client


def test_a_claim_that_could_be_a_yes_to_a_colleague_says_so() -> None:
    glad, mine = read("Ja, ich helfe gern").command, read("mine").command
    assert glad is not None and glad.joins and glad.verb == "claim"
    assert mine is not None and not mine.joins


@pytest.mark.parametrize("text", ["I'll take it and", "I'm in and", "Ich nehme das und", "jag är med och", "mine and"])
def test_a_line_may_end_with_and(text: str) -> None:
    assert read(text).line == text


def test_a_claim_can_name_whom_it_takes_along() -> None:
    command = read("I'll take it with Bo").command
    assert command is not None and command.verb == "claim" and command.who == ("bo",)


def test_what_the_operator_and_people_are_told_is_never_empty() -> None:
    for text in ("mine", "mine?", "who takes it?", ""):
        assert read(text).why


HOSTILE = [
    "z" * 200_000,
    "mine " * 40_000,
    "a, " * 60_000,
    "(" * 100_000,
    "On " * 20_000,
    ">" * 50_000 + "mine",
    "\n" * 100_000 + "mine",
    "Anna, " * 20_000,
    "I'll take " + "the " * 50_000 + "bun",
    "'" * 100_000,
    "hi " * 30_000 + "mine",
    "m\u0301" * 50_000,
    "if mine " * 20_000,
    "a " * 300,  # fillers that may be parted in many ways
    "no " * 200,  # leads, each of which may go on with the next
    "saa " * 150,
]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: repr(text[:12]))
def test_a_hostile_text_costs_no_more_than_a_long_one(text: str) -> None:
    """The bound is wide of what is measured (a twentieth of a second), so that a busy machine does not fail it."""
    took = []
    for _ in range(3):  # the first may write the book
        started = process_time()
        read_command(text, names=NAMES, today=WEDNESDAY)
        took.append(process_time() - started)
    assert min(took) < 0.5


SAID = "mine if it pass the bun not Anna jag tar den om min är 3 Feb until away , . ! ? :"
WORDS = [*SAID.split(), "I'll take"]


@given(st.text(max_size=400))
def test_any_text_is_read_without_an_exception(text: str) -> None:
    reading = read_command(text, names=NAMES, today=WEDNESDAY)
    assert reading.command is None or reading.command.verb in VERBS


@given(st.lists(st.sampled_from(WORDS), max_size=12))
def test_words_of_commands_in_any_order_are_read_without_an_exception(words: list[str]) -> None:
    assert read_command(" ".join(words), names=NAMES, today=WEDNESDAY).why


@pytest.mark.parametrize("text", ["someone@else.example", "<mine@pass.example>", "mailto:pass@work.example."])
def test_an_address_alone_is_no_command(text: str) -> None:
    """It corrects whom a forwarded mail came from; its words are nobody's."""
    assert read_command(text, names=NAMES, today=WEDNESDAY).command is None


def test_the_garbage_collector_goes_on_after_phrases_were_compiled() -> None:
    book.cache_clear()
    read_command("I'll take it, jag tar den", languages=("en", "sv"))
    assert gc.isenabled() and gc.get_freeze_count() > 1000
    gc.disable()
    try:
        book.cache_clear()
        read_command("I'll take it", languages=("en",))
        assert not gc.isenabled()  # whoever has stopped it starts it again
    finally:
        gc.enable()


@pytest.mark.parametrize(
    ("reply", "number", "wanted"),
    [
        ("I'll take #42", 42, "claim"),
        ("I'll take #42", 0, "claim"),
        ("I'll take #43", 42, ""),
        ("I'll take 43", 42, ""),
        ("Mine, #42", 42, "claim"),
        ("Mine, #43", 42, ""),
        ("Mine #43", 42, ""),
        ("#42 mine", 42, "claim"),
        ("#43 mine", 42, ""),
        ("Bun 43: mine", 42, ""),
        ("Pass on #42", 42, "pass"),
        ("Pass on #43", 42, ""),
        ("Jag tar bun nr. 42", 42, "claim"),
        ("Je prends le 12", 12, "claim"),
        ("Je prends le 12", 0, ""),
        ("Je prends le 120", 0, "claim"),
        ("Die 42 nehme ich", 42, "claim"),
        ("Die 43 nehme ich", 42, ""),
        ("Fico com o nº 42", 42, "claim"),
        ("Jeg tager nr. 42", 42, "claim"),
        ("I'll take " + "9" * 300, 42, ""),
        ("I'll take #²", 42, ""),
        ("Mine, I have 43 free hours", 42, "claim"),
        ("Die 43 nimmt Anna", 42, ""),
        ("Die 43 nehme ich nicht", 42, ""),
        ("throw #43", 42, ""),
        ("42: mine", 42, "claim"),
        ("#42 Me lo quedo solo con Ana.", 42, ""),
        ("I'll take 50%", 42, ""),
        ("I'll take 3/4", 42, ""),
        ("I'll take $42", 42, ""),
        ("Den 14. nehme ich", 14, ""),
        ("Mine! #43", 42, ""),
        ("I'll take it, bun 43", 42, ""),
        ("I'll take it (#42)", 42, "claim"),
        ("I'll take #0000000421", 42, ""),
        ("I know the client, 10 years ago I worked there, I'll take it", 42, "claim"),
        ("Great project! 3 years of Java here, I'll take it", 42, "claim"),
        ("I have no 2 days free, pass", 42, "pass"),
        ("takin this 1", 42, "claim"),
        ("I'm in 100%", 42, "claim"),
        ("Mine. 10 years of Rust", 42, "claim"),
        ("throw: Sorry, not before 12.", 42, "throw"),
        ("+1, je le prends", 42, "claim"),
    ],
)
def test_the_number_of_this_bun_is_read_and_another_is_asked_about(reply: str, number: int, wanted: str) -> None:
    reading = read_command(reply, names=NAMES, today=WEDNESDAY, number=number)
    assert (reading.command.verb if reading.command else "") == wanted
    assert wanted or reading.half, reading.why


@pytest.mark.parametrize(
    ("reply", "wanted"),
    [
        ("I'll take it, in June", False),
        ("I'll take it, on Monday", True),
        ("I'll take it, June", True),  # so June signs
        ("Otan tämän, kesäkuussa", False),
        ("Sono pronta, lo prendo a giugno", False),
        ("Bitte an mich weiterleiten, ich übernehme sie", True),  # no month, though it is one in Polish
        ("I'll take it: I live nearby", False),
        ("I'll take it: the blue one", False),
        ("Mine: I live nearby", False),
        ("Nobody else? Then I'll take it", True),
        ("Nobody? Me?", False),
        ("Anna? Then I'll take it", False),
        ("@Anna I'll take it", True),
        ("@Anna mine", True),
        ("I'll take it, in two weeks", True),
        ("I'll take it. In June.", False),
    ],
)
def test_what_stands_beside_a_claim_decides_whether_it_is_one(reply: str, wanted: bool) -> None:
    reading = read(reply)
    assert (reading.command is not None and reading.command.verb == "claim") is wanted, reading.why
    assert wanted or reading.half


@pytest.mark.parametrize(
    "reply",
    [
        "@Anna take it",
        "@Anna ringer och tar den",
        "@Anna vill ta den",
        "@Anna har tid och tar den",
        "@Anna will es",
        "@Anna wil hem graag",
        "@Anna would love to take it",
        "@Anna querría cogerlo",
        "Nobody, mine or yours",
        "mysql> I'll take it",
        "julia> I have time. I'll take it.",
        "43 is mine",
        "43: mine",
        "10 doesn't work for me",
        "#42 C'est juste pour moi.",
        "I'll take it: I must check my calendar",
    ],
)
def test_what_is_said_of_others_or_shown_is_no_claim(reply: str) -> None:
    reading = read(reply)
    assert reading.command is None, reading.why


@pytest.mark.parametrize("digit", ["፩", "𐩀", "²", "①", "٤"])
def test_a_digit_that_is_no_decimal_one_ends_in_no_error(digit: str) -> None:
    for reply in (f"I'll take it, {digit} June", f"Away until {digit}", f"I'll take #{digit}", f"{digit} is mine"):
        read(reply)
