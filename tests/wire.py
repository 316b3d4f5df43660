"""A line between the daemon and a real server, which the test can cut, silence or bend.

`state` says what happens to connections from now on, and to those that stand:
PASSES; CUT (closed at once, and standing ones with it); HOLE (taken, and never answered; standing ones fall silent);
BYE (the server says `* BYE`, or 421, and hangs up); NO_LOGIN (closed when the client says who it is).
"""

from __future__ import annotations

import re
import select
import socket
import threading
from contextlib import suppress
from typing import Self

from tests.loopback import HOST

PASSES, CUT, HOLE, BYE, NO_LOGIN = "passes", "cut", "hole", "bye", "no login"
_LOGIN = re.compile(rb"\b(LOGIN|AUTHENTICATE|AUTH)\b", re.IGNORECASE)


class Wire:
    """A TCP proxy on loopback to `target`; a context manager."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.knocks = 0  # connections that were asked for
        self._state = PASSES
        self._listener = socket.create_server((HOST, 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept, daemon=True)

    @property
    def state(self) -> str:
        return self._state

    @state.setter
    def state(self, state: str) -> None:
        self._state = state
        if state in (CUT, BYE, NO_LOGIN):
            self._hang_up(b"* BYE the server is going down\r\n" if state == BYE else b"")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._hang_up()
        self._thread.join(5)

    def _hang_up(self, goodbye: bytes = b"") -> None:
        for sock in self._open:
            with suppress(OSError):
                if goodbye:
                    sock.sendall(goodbye)
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
        self._open = []

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client = self._listener.accept()[0]
                self.knocks += 1
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError, ValueError), client:
            self._open.append(client)
            if self._state == CUT:
                return
            if self._state == BYE:
                client.sendall(b"* BYE the server is going down\r\n")
                return
            if self._state == HOLE:
                client.recv(1)
                self._fall_silent(client)
            with socket.create_connection((HOST, self.target)) as server:
                self._carry(client, server)

    def _carry(self, client: socket.socket, server: socket.socket) -> None:
        while True:
            for sock in select.select([client, server], [], [])[0]:
                data = sock.recv(1 << 16)
                if not data or (sock is client and self._state == NO_LOGIN and _LOGIN.search(data)):
                    return
                if self._state == HOLE:
                    self._fall_silent(client)
                    return
                (server if sock is client else client).sendall(data)

    @staticmethod
    def _fall_silent(client: socket.socket) -> None:
        while client.recv(1 << 16):
            pass
