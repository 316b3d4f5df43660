"""What a failed send means: the table, the back-off, what a dialogue comes to."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from router.delivery import (
    BACK_OFF,
    CUT,
    GIVE_UP,
    LATER,
    NEVER,
    SILENCE,
    Accepted,
    Dialogue,
    Later,
    Mail,
    Never,
    Outcome,
    Paused,
    Reply,
    Scope,
    Stage,
    later,
    may_be_stale,
    pause,
    read_dialogue,
    read_trouble,
    settle,
)

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
MAIL = Mail(1, 42, "buns@example.org", ("bo@example.org",), b"Subject: x\r\n\r\n", "<1@example.org>", 0, NOW)
OK, GO_ON = Reply(250, "2.0.0 ok"), Reply(354, "go on")


def dialogue(*recipients: Reply, sender: Reply = OK, data: Reply | None = GO_ON, end: Reply | None = OK) -> Dialogue:
    return Dialogue(sender, tuple((f"{n}@example.org", each) for n, each in enumerate(recipients)), data, end)


def outcome(said: Dialogue, mail: Mail = MAIL, now: datetime = NOW) -> Outcome:
    return settle(mail, said, read_dialogue(said), now)


@pytest.mark.parametrize(
    ("stage", "reply", "scope", "again"),
    [
        # the session: no mail pays for it
        (Stage.GREETING, Reply(421, "4.3.2 too many connections"), Scope.SESSION, LATER),
        (Stage.GREETING, Reply(554, "5.7.1 go away"), Scope.SESSION, NEVER),
        (Stage.GREETING, CUT, Scope.SESSION, LATER),
        (Stage.GREETING, SILENCE, Scope.SESSION, LATER),
        (Stage.EHLO, Reply(451, "4.3.0 not now"), Scope.SESSION, LATER),
        (Stage.EHLO, Reply(550, "5.7.1 bad name"), Scope.SESSION, NEVER),
        (Stage.TLS, Reply(454, "4.7.0 TLS not available"), Scope.SESSION, LATER),
        (Stage.TLS, Reply(502, "5.5.1 no such command"), Scope.SESSION, NEVER),
        (Stage.AUTH, Reply(535, "5.7.8 bad credentials"), Scope.SESSION, NEVER),
        (Stage.AUTH, Reply(454, "4.7.0 temporary authentication failure"), Scope.SESSION, LATER),
        (Stage.AUTH, Reply(432, "4.3.2 concurrent connections limit exceeded"), Scope.SESSION, LATER),
        (Stage.MAIL, Reply(530, "5.7.0 must log in first"), Scope.SESSION, NEVER),
        (Stage.MAIL, Reply(550, "5.7.8 log in"), Scope.SESSION, NEVER),
        # perhaps the session: the mail waits, several in a row pause the queue
        (Stage.MAIL, Reply(553, "5.7.1 sender not owned by user"), Scope.DOUBT, LATER),
        (Stage.MAIL, Reply(452, "4.3.1 no space"), Scope.DOUBT, LATER),
        (Stage.MAIL, Reply(421, "4.7.0 closing"), Scope.DOUBT, LATER),
        (Stage.RCPT, Reply(421, "4.7.0 closing"), Scope.DOUBT, LATER),
        (Stage.RCPT, CUT, Scope.DOUBT, LATER),
        (Stage.DATA, SILENCE, Scope.DOUBT, LATER),
        (Stage.END, CUT, Scope.DOUBT, LATER),
        (Stage.END, SILENCE, Scope.DOUBT, LATER),
        (Stage.END, Reply(421, "4.3.2 shutting down"), Scope.DOUBT, LATER),
        (Stage.MAIL, Reply(550, "5.4.5 daily sending quota exceeded"), Scope.DOUBT, LATER),
        (Stage.END, Reply(550, "5.4.5 daily sending quota exceeded"), Scope.DOUBT, LATER),
        (Stage.RCPT, Reply(554, "5.1.90 your message can't be sent: daily recipient limit"), Scope.DOUBT, LATER),
        (Stage.DATA, Reply(250, "what?"), Scope.DOUBT, LATER),
        # this mail
        (Stage.MAIL, Reply(552, "message size exceeds fixed limit"), Scope.MESSAGE, NEVER),
        (Stage.MAIL, Reply(554, "5.3.4 too big"), Scope.MESSAGE, NEVER),
        (Stage.END, Reply(552, "5.3.4 too big"), Scope.MESSAGE, NEVER),
        (Stage.MAIL, Reply(553, "5.6.7 needs SMTPUTF8"), Scope.MESSAGE, NEVER),
        (Stage.DATA, Reply(451, "4.3.0 queue file"), Scope.MESSAGE, LATER),
        (Stage.DATA, Reply(554, "5.5.1 no valid recipients"), Scope.MESSAGE, NEVER),
        (Stage.END, Reply(451, "4.7.1 greylisted"), Scope.MESSAGE, LATER),
        (Stage.END, Reply(554, "5.7.1 looks like spam"), Scope.MESSAGE, NEVER),
        # this recipient
        (Stage.RCPT, Reply(450, "4.7.1 greylisted"), Scope.RECIPIENT, LATER),
        (Stage.RCPT, Reply(452, "4.5.3 too many recipients"), Scope.RECIPIENT, LATER),
        (Stage.RCPT, Reply(552, "too many recipients"), Scope.RECIPIENT, LATER),
        (Stage.RCPT, Reply(550, "5.1.1 no such user"), Scope.RECIPIENT, NEVER),
    ],
)
def test_a_reply_means(stage: Stage, reply: Reply, scope: Scope, again: bool) -> None:
    trouble = read_trouble(stage, reply)
    assert (trouble.scope, trouble.again) == (scope, again)
    assert "\n" not in trouble.reason
    assert reply.text in trouble.reason


def test_every_reply_at_every_stage_means_something() -> None:
    for stage in Stage:
        for code in (0, 1, 200, 250, 299, 300, 354, 399, *range(400, 460), *range(500, 560)):
            assert read_trouble(stage, Reply(code, "")).reason


def test_accepted_for_all() -> None:
    assert outcome(dialogue(OK, OK)) == Accepted()


def test_recipients_refused_for_now_live_on_alone_and_the_refused_for_good_do_not() -> None:
    got = outcome(dialogue(OK, Reply(450, "4.2.1 busy"), Reply(550, "5.1.1 unknown")))
    assert isinstance(got, Accepted)
    assert got.refused == (
        ("1@example.org", "450 4.2.1 busy", False),
        ("2@example.org", "550 5.1.1 unknown", True),
    )
    assert got.rest == ("1@example.org",)
    assert got.retry_at == NOW + timedelta(minutes=1)


def test_recipients_refused_for_five_days_are_refused_for_good() -> None:
    old = replace(MAIL, tries=40, first_tried=NOW - GIVE_UP)
    got = outcome(dialogue(OK, Reply(450, "4.2.1 busy")), old)
    assert got == Accepted((("1@example.org", "450 4.2.1 busy", True),), None)  # type: ignore[arg-type]
    assert isinstance(got, Accepted)
    assert got.rest == ()


def test_all_recipients_refused_for_good_is_never_and_names_them() -> None:
    got = outcome(dialogue(Reply(550, "5.1.1 unknown"), Reply(550, "5.1.1 gone"), data=Reply(554, "none"), end=None))
    assert isinstance(got, Never)
    assert "0@example.org: 550 5.1.1 unknown" in got.reason
    assert [each.address for each in got.refused] == ["0@example.org", "1@example.org"]


def test_one_recipient_worth_another_try_keeps_the_mail() -> None:
    got = outcome(dialogue(Reply(550, "5.1.1 unknown"), Reply(450, "4.2.1 busy"), data=None, end=None))
    assert isinstance(got, Later)
    assert got.retry_at == NOW + timedelta(minutes=1)


def test_a_connection_lost_among_the_recipients_says_nothing_about_them() -> None:
    got = outcome(dialogue(OK, CUT, data=CUT, end=None))
    assert isinstance(got, Later)
    assert "closed the connection at RCPT TO" in got.reason


@pytest.mark.parametrize("end", [CUT, SILENCE])
def test_a_mail_whose_fate_nobody_knows_goes_out_again_under_the_same_id(end: Reply) -> None:
    got = outcome(dialogue(OK, end=end))
    assert isinstance(got, Later)
    assert "may have been taken" in got.reason
    assert "same Message-ID" in got.reason


def test_only_what_was_not_yet_sent_is_tried_again_at_once_on_a_new_connection() -> None:
    for said, stale in [
        (dialogue(sender=Reply(421, "4.4.2 idle"), data=None, end=None), True),
        (dialogue(sender=Reply(452, "4.3.2 too many mails here"), data=None, end=None), True),
        (dialogue(sender=CUT, data=None, end=None), True),
        (dialogue(OK, data=CUT, end=None), True),
        (dialogue(sender=Reply(553, "5.7.1 not your address"), data=None, end=None), False),
        (dialogue(OK, end=CUT), False),
        (dialogue(OK, end=Reply(451, "4.3.0 later")), False),
        (dialogue(Reply(450, "4.7.1 greylisted"), data=None, end=None), False),
    ]:
        trouble = read_dialogue(said)
        assert trouble
        assert may_be_stale(said, trouble) is stale, said


def test_a_demanded_login_pauses_and_counts_no_try() -> None:
    assert isinstance(outcome(dialogue(sender=Reply(530, "5.7.0 log in"), data=None, end=None)), Paused)


def test_the_back_off_grows_from_a_minute_to_four_hours_and_ends_after_five_days() -> None:
    mail, now, waits = MAIL, NOW, []
    while isinstance(got := later(mail, "451 later", now), Later):
        waits.append(got.retry_at - now)
        mail = replace(mail, tries=mail.tries + 1, first_tried=mail.first_tried or now)
        now = got.retry_at
    assert waits[: len(BACK_OFF)] == list(BACK_OFF)
    assert set(waits[len(BACK_OFF) : -1]) == {timedelta(hours=4)}
    assert now - NOW == GIVE_UP, "the last try is made when time is up, not before"
    assert got == Never("given up after 5 days: 451 later")


def test_pauses_grow_and_are_long_where_a_person_has_to_mend_something() -> None:
    unreachable = read_trouble(Stage.GREETING, SILENCE)
    refused = read_trouble(Stage.AUTH, Reply(535, "5.7.8 no"))
    assert [pause(unreachable, n).total_seconds() for n in (1, 2, 6, 99)] == [5, 15, 300, 300]
    assert [pause(refused, n).total_seconds() for n in (1, 2, 5, 99)] == [60, 300, 3600, 3600]


def test_a_reply_is_one_printable_line_of_bounded_length() -> None:
    said = str(Reply(550, "no\r\n\tway \x1b[31m" + "x" * 1000))
    assert said.startswith("550 no way [31mxxx")
    assert len(said) <= 304
    assert said.isprintable()
