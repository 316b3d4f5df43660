"""`explain` over many files in one call: an answer for each, in order, with the reason and the line it rests on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from router.cli import app
from tests.test_config import MINIMAL

TESTS = Path(__file__).parent
MAILS = sorted(map(str, [*TESTS.glob("mail/*.eml"), *TESTS.glob("weird/*.eml")]))
KINDS = frozenset({
    "own", "duplicate", "bounce", "auto-reply", "reply", "forward", "post", "general", "forged", "bulk", "form",
    "follow-up", "request", "unreadable",
})  # fmt: skip
MOST = 200  # files of one call


def explain(folder: Path, *words: str, typed: str = "", status: int = 0) -> list[dict[str, Any]]:
    config = folder / "config.toml"
    config.write_text(MINIMAL)
    done = CliRunner().invoke(app, ["explain", "--json", "--config", str(config), *words], input=typed)
    assert done.exit_code == status, done.output
    return [json.loads(line) for line in done.stdout.strip().split("\n")]


@pytest.mark.parametrize("typed", [False, True], ids=["as words", "on standard input"])
def test_hundreds_of_files_are_answered_in_one_call_each_with_a_reason(tmp_path: Path, typed: bool) -> None:
    files = [MAILS[at % len(MAILS)] for at in range(MOST if typed else MOST // 2)]
    answers = explain(tmp_path, "-", typed="\n".join(files)) if typed else explain(tmp_path, *files)
    assert [answer["file"] for answer in answers] == files
    assert all(answer["kind"] in KINDS and answer["reason"] for answer in answers)


def test_the_reason_of_a_reply_names_the_words_and_the_line_of_the_cut(tmp_path: Path) -> None:
    mail = tmp_path / "reply.eml"
    mail.write_text(
        "From: Anna <anna@oven.example>\nTo: hello@oven.example\nSubject: Re: x\n\n"
        "Mine!\n\nOn 3 May 2025 10:00, Bo <b@example.org> wrote:\n> hello\n"
    )
    (answer,) = explain(tmp_path, "--in-reply-to-offer", str(mail))
    assert answer["text"] == "Mine!"
    assert "new text: attribution in line 3" in answer["reason"]


def test_files_that_are_no_mails_are_answered_too(tmp_path: Path) -> None:
    (tmp_path / "empty.eml").write_bytes(b"")
    files = (str(tmp_path / "none.eml"), str(tmp_path), str(tmp_path / "empty.eml"), MAILS[0])
    answers = explain(tmp_path, *files, status=1)
    assert [answer["kind"] for answer in answers[:3]] == ["unreadable"] * 3
    assert all("\n" not in answer["reason"] for answer in answers)
    assert answers[3]["kind"] != "unreadable"
