"""Paragraphs of format=flowed are joined as RFC 3676 says, and nothing else is."""

from __future__ import annotations

import pytest

from router.body import unflow


@pytest.mark.parametrize(
    ("name", "text", "joined"),
    [
        ("a soft break", "We need \nsomebody.\nNow.", "We need somebody.\nNow."),
        ("stuffed spaces are taken off", " From Ann\n > no quote", "From Ann\n> no quote"),
        ("quotes are joined by depth", "> a \n> b\n>> c \n>> d\ne", "> a b\n>> c d\ne"),
        ("a change of depth ends a paragraph", "> a \nb", "> a \nb"),
        ("the signature line is no soft break", "a \n-- \nAnn", "a \n-- \nAnn"),
        ("a quoted signature line neither", "> a\n> -- \n> Ann", "> a\n> -- \n> Ann"),
        ("empty lines stay", "a\n\nb", "a\n\nb"),
        ("a soft break at the end", "a ", "a "),
    ],
)
def test_flowed_text(name: str, text: str, joined: str) -> None:
    assert unflow(text) == joined, name


def test_with_delsp_the_space_of_the_break_goes() -> None:
    assert unflow("依 \n頼 \nです", drops_space=True) == "依頼です"
