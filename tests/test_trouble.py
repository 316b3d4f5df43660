"""Trouble: when it is tried again, and what the operator hears of it, on a clock that is set by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from router.trouble import ALERT_AFTER, BACK_OFF, LONG_BACK_OFF, Troubles

NONE = timedelta(0)


class Watch:
    """Troubles with their clock and what was said."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
        self.said: list[str] = []
        self.mails = True
        self.kept: dict[str, Any] = {}
        self.restarts()

    def restarts(self) -> None:
        self.troubles = Troubles(lambda: self.now, self._alert, self)

    def note(self, name: str) -> Any:
        return self.kept.get(name)

    def set_note(self, name: str, value: Any) -> None:
        self.kept[name] = value

    def drop_note(self, name: str) -> None:
        del self.kept[name]

    def _alert(self, what: str, detail: str) -> bool:
        self.said.append(what)
        return self.mails

    def passes(self, span: timedelta) -> None:
        self.now += span
        self.troubles.watch()


@pytest.fixture
def watch() -> Watch:
    return Watch()


def test_pauses_grow_to_five_minutes_and_begin_anew_after_an_all_clear(watch: Watch) -> None:
    for pause in (*BACK_OFF, BACK_OFF[-1]):
        watch.troubles.imap_down("gone", retry=True)
        assert watch.troubles.imap_rests() == pause
        watch.now += pause
        assert watch.troubles.imap_rests() == NONE
    watch.troubles.imap_back()
    watch.troubles.imap_down("gone", retry=True)
    assert watch.troubles.imap_rests() == BACK_OFF[0]


def test_what_a_person_must_mend_is_tried_once_a_minute_at_most(watch: Watch) -> None:
    watch.troubles.imap_down("wrong password", retry=False)
    assert watch.troubles.imap_rests() == LONG_BACK_OFF


def test_a_clock_that_is_set_back_makes_no_pause_longer(watch: Watch) -> None:
    watch.troubles.imap_down("gone", retry=True)
    watch.now -= timedelta(days=1)
    assert watch.troubles.imap_rests() == NONE


def test_one_alert_and_one_all_clear_for_what_lasts_and_none_for_a_hiccup(watch: Watch) -> None:
    watch.troubles.imap_down("gone", retry=True)
    watch.passes(ALERT_AFTER - timedelta(seconds=1))
    watch.troubles.imap_back()
    assert watch.said == []
    watch.troubles.imap_down("gone", retry=True)
    for _ in range(10):
        watch.passes(ALERT_AFTER)
        watch.troubles.imap_down("still gone", retry=True)
    assert watch.said == ["imap-down"]
    assert watch.troubles.fault == "still gone"
    watch.troubles.imap_back()
    watch.troubles.imap_back()
    assert watch.said == ["imap-down", "imap-back"]
    assert watch.troubles.fault == ""


def test_no_all_clear_follows_an_alert_that_was_not_sent(watch: Watch) -> None:
    watch.mails = False
    watch.troubles.imap_down("gone", retry=True)
    watch.passes(ALERT_AFTER)
    watch.passes(ALERT_AFTER)
    watch.troubles.imap_back()
    assert watch.said == ["imap-down"], "said once, and refused"


def test_mail_that_could_not_leave_for_long_is_told_when_it_leaves_again(watch: Watch) -> None:
    watch.troubles.smtp_is("paused: no server")
    watch.passes(ALERT_AFTER)
    assert watch.said == [], "no mail can say that no mail leaves"
    assert watch.troubles.states == {"imap": "ok", "smtp": "paused: no server", "disk": "ok"}
    watch.troubles.smtp_is("ok")
    watch.troubles.smtp_is("ok")
    assert watch.said == ["smtp-back"]


def test_a_full_disk_that_stopped_the_sending_too_has_one_all_clear(watch: Watch) -> None:
    watch.troubles.disk_full("no room")
    watch.troubles.smtp_is("paused: what became of mails cannot be stored")
    watch.passes(2 * ALERT_AFTER)
    watch.troubles.disk_back()
    watch.troubles.smtp_is("ok")
    assert watch.said == ["disk-back"]


def test_the_log_names_a_reason_once_and_again_now_and_then(watch: Watch, caplog: pytest.LogCaptureFixture) -> None:
    for reason in ("refused", "refused", "wrong password", "wrong password"):
        watch.troubles.imap_down(reason, retry=True)
        watch.troubles.smtp_is(f"paused: {reason}")
    said = [record.getMessage() for record in caplog.records]
    assert [each.rpartition(": ")[2] for each in said] == ["refused", "refused", "wrong password", "wrong password"]
    caplog.clear()
    for _ in range(30):
        watch.passes(timedelta(minutes=5))
        watch.troubles.imap_down("wrong password", retry=True)
    assert len(caplog.records) == 2, "once an hour while it lasts"


def test_a_restart_means_neither_a_second_alert_nor_a_missing_all_clear(watch: Watch) -> None:
    watch.troubles.imap_down("gone", retry=True)
    watch.passes(ALERT_AFTER)
    assert watch.said == ["imap-down"]
    watch.restarts()
    assert watch.troubles.fault, "nothing has been read yet"
    assert watch.troubles.imap_rests() == NONE
    watch.troubles.imap_down("still gone", retry=True)
    watch.passes(2 * ALERT_AFTER)
    assert watch.said == ["imap-down"]
    watch.restarts()
    watch.troubles.imap_back()
    assert watch.said == ["imap-down", "imap-back"]
    watch.restarts()
    assert not watch.troubles.fault
    watch.troubles.imap_back()
    assert watch.said == ["imap-down", "imap-back"]
