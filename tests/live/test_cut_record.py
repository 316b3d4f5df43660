"""A last record that was torn: it may have been acknowledged and its mail filed, so it is found on the mail server."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.house import sent_to
from tests.open_house import alerts, opened
from tests.servers import Dovecot, RecordingSmtp

pytestmark = [pytest.mark.live, pytest.mark.dovecot]
_users = itertools.count(1)


@pytest.mark.parametrize("handled", ["move", "keep"])
def test_what_a_cut_record_held_is_searched_for_back_to_the_last_snapshot(
    tmp_path: Path, dovecot: Dovecot, smtp: RecordingSmtp, handled: str, fault: Callable[..., None]
) -> None:
    """The record of the second request is torn in its middle, after its mails had left; nothing of it is lost."""
    user = f"cut{next(_users)}"
    more = f'handled = "{handled}"\n'
    with opened(tmp_path, dovecot.plain_port, smtp.port, user, dovecot.PASSWORD, imap_more=more) as house:
        journal = house.store_path.with_name("buns.json.journal")
        for number in (1, 2):
            before = journal.stat().st_size
            client = f"c{number}@client{number}.example"
            raw = house.mail(client, f"Request {number}", f"Can you help us with matter {number} in May?")
            dovecot.deliver(user, raw, received=house.clock())
            house.until(lambda client=client: sent_to(smtp.mails, client), why="the acknowledgement")
            house.until(lambda: not house.daemon.store.count_unsent() and not house.daemon.store.unfiled(), why="rest")
            house.look_around()
        house.close()
        first = {mail.message_id for mail in sent_to(smtp.mails, "c2@client2.example")}
        content = journal.read_bytes()
        journal.write_bytes(content[: before + (content.index(b"\n", before) - before) // 2])
        assert house.subjects() == ["Request 1"], "the record is gone"
        house.open()
        took = house.took(lambda: house.subjects() == ["Request 1", "Request 2"], "found on the server", step=1)
        house.until(lambda: alerts(smtp.mails), why="the operator hears")
        assert alerts(smtp.mails) == ["store-cut"]
        house.until(lambda: not house.store().count_unsent(), why="all sent")
        again = sent_to(smtp.mails, "c2@client2.example")
        assert {mail.message_id for mail in again} == first, "the same acknowledgement, under the same Message-ID"
        note = "sent again under the same Message-ID"
        fault("store: last record cut", doubled=len(again) - 1, recovered=took, clock="house", note=note)
