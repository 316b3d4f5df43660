"""The bell: what wakes the mail thread from its waiting.

Job: one descriptor to wait on, which signals, the sending thread and commands of other processes can ring. Shell.

It is a named pipe in the folder where commands leave their requests, so that they are taken in at once; where none can
be made, a pipe of our own, and requests wait for the next round.
"""

from __future__ import annotations

import os
import select
import stat
from contextlib import suppress
from pathlib import Path

NAME = ".bell"


class Bell:
    def __init__(self, folder: Path) -> None:
        """`folder` is made where it is missing, for ourselves alone."""
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._read = self._write = _open_named(folder / NAME)
        except OSError:
            self._read, self._write = os.pipe()
        for fd in (self._read, self._write):
            os.set_blocking(fd, False)

    def fileno(self) -> int:
        return self._read

    def ring(self) -> None:
        """Safe from signals and other threads."""
        with suppress(OSError):
            os.write(self._write, b"r")

    def wait(self, seconds: float) -> None:
        poller = select.poll()
        poller.register(self._read, select.POLLIN)
        poller.poll(max(0.0, seconds) * 1000)
        self.hush()

    def hush(self) -> None:
        """Until it is rung again."""
        with suppress(BlockingIOError):
            while os.read(self._read, 4096):
                pass


def _open_named(path: Path) -> int:
    with suppress(FileExistsError):
        os.mkfifo(path, 0o600)
    fd = os.open(path, os.O_RDWR | os.O_NONBLOCK)  # both ends, so that it never ends
    if not stat.S_ISFIFO(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(f"{path} is no pipe")
    return fd


def ring(folder: Path) -> None:
    """Ring the bell of the daemon that reads requests there, if one runs."""
    with suppress(OSError):
        fd = os.open(folder / NAME, os.O_WRONLY | os.O_NONBLOCK)
        try:
            if stat.S_ISFIFO(os.fstat(fd).st_mode):
                os.write(fd, b"r")
        finally:
            os.close(fd)
