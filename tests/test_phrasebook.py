"""Looking for phrases: what is not searched for could not have been found."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from router.language import _words as words_of
from router.phrasebook import Phrases, fold, load_table
from router.triage import fingerprint

_WORDS = st.sampled_from(("i", "am", "out", "of", "the", "office", "ut", "ur", "på", "är", "不在", "の", "a-b", "자동"))
_PIECES = st.sampled_from(("am", "out", "of", "the", "office", "är", "不", "중", "*"))
_PHRASES = st.lists(st.lists(_PIECES, min_size=1, max_size=5))


@given(_PHRASES, st.lists(_WORDS))
def test_the_first_phrase_in_the_text_is_found_whatever_is_left_unsearched(
    phrases: list[list[str]], words: list[str]
) -> None:
    lists = [" ".join(phrase).strip("* ") for phrase in phrases]
    lists = [phrase for phrase in lists if phrase]
    text = fold(" ".join(words))
    one_by_one = [phrase for phrase in lists if Phrases([phrase]).found(text)]
    plain = next((phrase for phrase in lists if "*" not in phrase and phrase in text), "")
    assert Phrases(lists).found(text) == (plain or (Phrases(one_by_one[:1]).found(text)))


def test_each_phrase_of_the_tables_is_found_inside_other_words() -> None:
    for kind in ("subject", "text"):
        for name, phrases in load_table("machines")["auto"][kind].items():
            for phrase in phrases:
                folded = phrase.casefold().replace("*", "xx")
                assert Phrases([phrase]).found(f"well {folded}s, and more"), f"{kind} {name}: {phrase}"
                assert Phrases([phrase]).found(f"so{folded}"), f"{kind} {name}: {phrase}"


@given(st.text(alphabet=st.characters(max_codepoint=127)))
def test_words_of_plain_letters_are_those_that_the_expressions_find(text: str) -> None:
    """Language and fingerprint take a short cut where a text is ASCII."""
    assert words_of(text) == re.findall(r"[^\W\d_]+", text)
    long = f"{text} " + "x" * 60
    assert fingerprint(long) == fingerprint(long.replace(" ", "\N{NO-BREAK SPACE}"))
