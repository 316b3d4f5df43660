"""The daemon on a disk that is full or breaks: every call by which the store and its neighbours touch it fails in turn.

It stops taking mail and says so, loses nothing, never syncs a file again whose fsync has failed, and goes on when there
is room; where nobody can know whether a record was kept it stops, and goes on when it is started again.
"""

from __future__ import annotations

import errno
import fcntl
import itertools
import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from router import journal_files
from router.journal import StoreError
from tests.faultyfs import FastDisk
from tests.house import LIST, sent_to, wait_for
from tests.open_house import OpenHouse, alerts, opened
from tests.servers import Dovecot, RecordingSmtp

pytestmark = [pytest.mark.live, pytest.mark.dovecot]
_users = itertools.count(1)
BLOCK = 4096  # bytes


class Failing(FastDisk):
    """From call `begin` on (from 1 at `arm`), calls fail with `number`, until `mend`; remembers failed fsyncs."""

    def __init__(self) -> None:
        self.begin, self.number, self.calls, self.failed = 0, 0, 0, 0
        self.tainted: set[int] = set()  # inodes whose fsync has failed
        self.retried: list[str] = []

    def arm(self, begin: int, number: int) -> None:
        self.begin, self.number, self.calls, self.failed = begin, number, 0, 0

    def mend(self) -> None:
        self.begin = 0

    def _perhaps(self) -> None:
        self.calls += 1
        if self.begin and self.calls >= self.begin:
            self.failed += 1
            raise OSError(self.number, os.strerror(self.number))

    def open(self, path: Path, flags: int) -> int:
        if not flags & os.O_CREAT:
            return super().open(path, flags)
        self._perhaps()
        fd = super().open(path, flags)
        self.tainted.discard(os.fstat(fd).st_ino)  # a new file in the place of one that is gone
        return fd

    def write(self, fd: int, data: bytes) -> int:
        try:
            self._perhaps()
        except OSError:
            if self.number == errno.ENOSPC and len(data) > 1:
                return super().write(fd, data[: len(data) // 2])  # as real ones do
            raise
        return super().write(fd, data)

    def _sync(self, fd: int) -> None:
        found = os.fstat(fd).st_ino
        if found in self.tainted:
            self.retried.append(str(Path(f"/proc/self/fd/{fd}").readlink()))
        try:
            self._perhaps()
        except OSError:
            self.tainted.add(found)
            raise

    def fsync(self, fd: int) -> None:
        self._sync(fd)

    def datasync(self, fd: int) -> None:
        self._sync(fd)

    def truncate(self, fd: int, size: int) -> None:
        self._perhaps()
        super().truncate(fd, size)

    def rename(self, source: Path, target: Path) -> None:
        self._perhaps()
        super().rename(source, target)

    def sync_folder(self, folder: Path) -> None:
        self._perhaps()


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Failing:
    disk = Failing()
    monkeypatch.setattr(journal_files, "disk", disk)
    return disk


@pytest.fixture
def house(tmp_path: Path, dovecot: Dovecot, smtp: RecordingSmtp, disk: Failing) -> Iterator[OpenHouse]:
    more = "[restraint]\nper_address = 10000\ntotal = 100000\n"
    user = f"disk{next(_users)}"
    with opened(tmp_path, dovecot.plain_port, smtp.port, user, dovecot.PASSWORD, more=more) as house:
        house.look_around()
        yield house


def attached(house: OpenHouse, number: int) -> bytes:
    """A request with a file, so that more than the journal is written."""
    client = f"c{number}@client{number}.example"
    raw = house.mail(client, f"Request {number}", f"Can one of you help us with matter {number} in May?").decode()
    raw = raw.replace("Content-Type: text/plain; charset=utf-8", 'Content-Type: multipart/mixed; boundary="b"', 1)
    head, _, body = raw.partition("\r\n\r\n")
    file = (
        f"--b\r\nContent-Type: text/csv\r\nContent-Disposition: attachment; filename=a.csv\r\n\r\n{number};1\r\n--b--"
    )
    return f"{head}\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\n{body}\r\n--b\r\n{file}\r\n".encode()


def survive(
    house: OpenHouse, dovecot: Dovecot, smtp: RecordingSmtp, disk: Failing, begin: int, number: int, count: int
) -> float | None:
    """Fail from call `begin` on while request `count` comes in; seconds from then to its answer, None: unhurt."""
    client = f"c{count}@client{count}.example"
    disk.arm(begin, number)
    dovecot.deliver(house.user, attached(house, count), received=house.clock())

    def is_hurt() -> bool:
        return disk.failed > 0 or not house.runs or is_done()

    def is_done() -> bool:
        return bool(sent_to(smtp.mails, client)) and house.daemon.store.count_unsent() == 0

    wait_for(is_hurt, 60, "a fault, or the end")
    hurt = disk.failed > 0
    if hurt and house.runs:
        wait_for(lambda: house.daemon.fault or not house.runs or is_done(), 30, "trouble")
        house.look_around()
    disk.mend()
    began = house.clock()

    def is_well() -> bool:
        house.look_around()
        if not house.runs:  # nobody could know whether the last record was kept: systemd starts it again
            assert isinstance(house.ended, StoreError), house.ended
            house.close()
            house.open()
        return is_done() and house.daemon.fault == ""

    wait_for(is_well, 60, f"request {count} after errno {number} at call {begin}")
    return (house.clock() - began).total_seconds() if hurt else None


def check(house: OpenHouse, smtp: RecordingSmtp, count: int) -> int:
    """Every request one lead, one acknowledgement and one offer; how many mails went out twice."""
    house.until(lambda: not house.store().count_unsent() and not house.store().unfiled(), why="at rest")
    assert house.subjects() == sorted(f"Request {n}" for n in range(1, count + 1))
    for lead in house.store().leads():
        assert len(lead.carried) == 1
        assert (house.store_path.with_name("buns.json.mail") / lead.carried[0].sha256).exists()
    sent: Counter[tuple[str, str]] = Counter()
    for mail in smtp.mails:
        for address in mail.rcpts:
            sent[address, sent_to([mail], address)[0].message_id] += 1
    for number in range(1, count + 1):
        assert len([key for key in sent if key[0] == f"c{number}@client{number}.example"]) == 1
    assert len([key for key in sent if key[0] == LIST]) == count
    return sum(sent.values()) - len(sent)


def run(
    house: OpenHouse, dovecot: Dovecot, smtp: RecordingSmtp, disk: Failing, calls: range, fault: Callable[..., None]
) -> None:
    count = 0
    for number, begin in itertools.product((errno.ENOSPC, errno.EIO), calls):
        count += 1
        took = survive(house, dovecot, smtp, disk, begin, number, count)
        if took is not None:
            fault(f"disk, while it runs: {errno.errorcode[number]}", recovered=took)
    assert disk.retried == [], "a failed fsync is never tried again on that file"
    again = check(house, smtp, count)
    fault("disk, while it runs: EIO", tries=0, doubled=again)


@pytest.mark.short
def test_a_disk_that_fails_costs_nothing_and_it_goes_on_when_there_is_room(
    house: OpenHouse, dovecot: Dovecot, smtp: RecordingSmtp, disk: Failing, fault: Callable[..., None]
) -> None:
    run(house, dovecot, smtp, disk, range(1, 12, 5), fault)


@pytest.mark.torture
def test_every_call_of_the_disk_may_fail_and_it_costs_nothing(
    house: OpenHouse, dovecot: Dovecot, smtp: RecordingSmtp, disk: Failing, fault: Callable[..., None]
) -> None:
    run(house, dovecot, smtp, disk, range(1, 31), fault)


class NoRoom(FastDisk):
    """A full disk as it is: no new block is to be had, but the rest of a file's last one can be written to."""

    full = False

    def write(self, fd: int, data: bytes) -> int:
        size = os.fstat(fd).st_size
        at = size if fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_APPEND else os.lseek(fd, 0, os.SEEK_CUR)
        if self.full and at + len(data) > -(-size // BLOCK) * BLOCK:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(fd, data)


def test_a_full_disk_is_said_in_the_health_file_and_to_the_operator_when_it_is_over(
    tmp_path: Path,
    dovecot: Dovecot,
    smtp: RecordingSmtp,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    fault: Callable[..., None],
) -> None:
    """For an hour nothing can be stored: no mail is taken, the log says it once, and `health` answers 1."""
    disk = NoRoom()
    monkeypatch.setattr(journal_files, "disk", disk)
    user = f"disk{next(_users)}"
    with opened(tmp_path, dovecot.plain_port, smtp.port, user, dovecot.PASSWORD) as house:
        house.until(lambda: house.health().get("imap") == "ok", why="a health file")
        house.until(lambda: not house.store().count_unsent(), why="at rest")
        disk.full = True
        sent = len(smtp.mails)
        dovecot.deliver(user, attached(house, 1), received=house.clock())
        house.until(lambda: house.daemon.troubles.disk, why="trouble")
        dovecot.deliver(user, attached(house, 2), received=house.clock())
        for _ in range(20):
            house.look_around()
        assert "make room" in house.health()["disk"]
        assert house.call("health", status=1).startswith("disk: ")
        assert len([line for line in caplog.messages if line.startswith("nothing can be stored")]) == 1
        assert len(smtp.mails) == sent and len(dovecot.mails(user)) == 2
        disk.full = False
        took = house.took(lambda: len(house.subjects()) == 2, "both are taken", step=5)
        house.until(lambda: alerts(smtp.mails), why="the all-clear")
        assert alerts(smtp.mails) == ["disk-back"]
        fault("disk, while it runs: full for long", doubled=check(house, smtp, 2), recovered=took, clock="house")
