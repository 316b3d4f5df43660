"""What people write, and what it must be taken for. The lists per language stand in tests/phrases."""

from __future__ import annotations

import tomllib
from datetime import date
from pathlib import Path

import pytest

from router.commands import Command, Reading, read_command
from router.phrases import LANGUAGES

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


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("alone", [True, False], ids=["alone", "among all"])
def test_each_reply_is_taken_for_what_it_says(language: str, alone: bool) -> None:
    spoken = (language,) if alone else ()
    faults = [fault(kind, reply, spoken) for kind, lines in replies(language).items() for reply in lines]
    assert not [each for each in faults if each]
