"""What stops `run` before it begins: each is one clear sentence and a status, never a traceback."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from router import cli, journal_files, journal_lines
from router.check import Checked, run_checks
from router.config import load
from router.journal_files import Disk
from router.store import Store
from tests.house import Running


@pytest.fixture
def house(tmp_path: Path) -> Running:
    house = Running(tmp_path, 1, 1, "nobody", "secret")
    Store(house.store_path).close()
    return house


def run(house: Running, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    """What `bun-router run` says on its way out with status 1."""
    monkeypatch.setenv("BUN_PASSWORD", house.password)
    monkeypatch.setattr(sys, "argv", ["bun-router", "run", "--once", "--config", str(house.config)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    said = capsys.readouterr().err
    assert said.startswith("bun-router: ") and said.count("\n") == 1, said
    return said


def newer(house: Running) -> None:
    for path in house.store_path.parent.glob("buns.json*"):
        path.unlink()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(journal_lines, "FORMAT", journal_lines.FORMAT + 1)
        Store(house.store_path).close()


def damaged(house: Running) -> None:
    store = Store(house.store_path)
    for number in range(3):
        store.set_note("number", number)
        store.flush()
    store.close()
    journal = house.store_path.with_name("buns.json.journal")
    content = bytearray(journal.read_bytes())
    content[len(content) // 2] ^= 1
    journal.write_bytes(content)


def gone(house: Running) -> None:
    house.store_path.with_name("buns.json.journal").unlink()


class ReadOnly(Disk):
    """A file system that was mounted read-only, or somebody else's folder: it refuses root as well."""

    def __init__(self, code: int = errno.EROFS) -> None:
        self.code = code

    def open(self, path: Path, flags: int) -> int:
        if flags & (os.O_WRONLY | os.O_RDWR):
            raise OSError(self.code, os.strerror(self.code))
        return super().open(path, flags)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [(damaged, "store repair"), (gone, "store repair"), (newer, "newer version")],
    ids=["damaged", "journal gone", "newer"],
)
def test_a_store_that_cannot_be_opened_is_one_sentence(
    house: Running,
    spoil: Callable[[Running], None],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    spoil(house)
    assert words in run(house, monkeypatch, capsys)


def test_a_second_daemon_is_told_who_holds_the_store(
    house: Running, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Store(house.store_path)
    assert f"in use by process {os.getpid()}" in run(house, monkeypatch, capsys)
    store.close()


def test_a_read_only_folder_is_one_sentence(
    house: Running, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(journal_files, "disk", ReadOnly())
    assert "mount its disk for writing" in run(house, monkeypatch, capsys)


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        (errno.ENOSPC, "make room on its disk."),
        (errno.EROFS, "has become read-only"),
        (errno.EIO, "look at its health."),
    ],
)
def test_what_cannot_be_written_while_it_runs_says_what_to_do(code: int, advice: str) -> None:
    said = str(journal_files.not_kept(OSError(code, os.strerror(code)), Path("/srv/buns.json")))
    assert os.strerror(code) in said and advice in said


def test_check_finds_a_folder_in_which_nothing_can_be_written(house: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUN_PASSWORD", house.password)

    def store() -> Checked:
        (found,) = (check for check in run_checks(load(house.config)) if check.name == "store")
        return found

    before = sorted(house.store_path.parent.iterdir())
    assert store().fine
    assert sorted(house.store_path.parent.iterdir()) == before, "it leaves nothing behind"
    for code, advice in ((errno.EROFS, "mount its disk for writing"), (errno.EACCES, "the user who owns")):
        monkeypatch.setattr(journal_files, "disk", ReadOnly(code))
        found = store()
        assert not found.fine and os.strerror(code) in found.says and advice in found.says
