"""An SMTP server that does what a script says, for the faults that a real one shows once a year.

`script(connection, line)` is asked for every line: the connection's number from 1, and "" for the greeting, the command
as it came, or "." for the end of a mail. It returns None (go on as a good server does), a reply ("451 4.3.0 later"),
raw bytes (sent as they are: halves of lines, garbage; a list of them: piece by piece), DROP, HANG, or WAIT (answer
well, but not before `go_on`).
Offers what `extensions` say and, with `tls`, STARTTLS; answers pipelined commands one by one, in order.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Callable, Sequence
from typing import NamedTuple, Self

DROP = "drop"  # close instead of answering
HANG = "hang"  # never answer
WAIT = "wait"  # answer after `go_on`
CLOSE_AFTER = "close after "  # + a reply: answer, then close

Script = Callable[[int, str], str | bytes | list[bytes] | None]
EXTENSIONS = ("PIPELINING", "8BITMIME", "SIZE 1000000", "SMTPUTF8", "ENHANCEDSTATUSCODES")


class Taken(NamedTuple):
    """A mail that the server has said yes to."""

    connection: int
    sender: str
    recipients: tuple[str, ...]
    raw: bytes


class ScriptedSmtp:
    """Runs in a thread on loopback from `with` to its end."""

    def __init__(
        self,
        script: Script = lambda connection, line: None,
        *,
        extensions: Sequence[str] = EXTENSIONS,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.script = script
        self.extensions = extensions
        self.tls = tls
        self.port = 0
        self.connections = 0
        self.open = 0
        self.most_open = 0
        self.lines: list[tuple[int, str]] = []  # every command, with its connection
        self.segments: list[bytes] = []  # what came in one piece: pipelined commands stand together
        self.mails: list[Taken] = []
        self._started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="scripted-smtp", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._started.wait(10), "the scripted server did not start"
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(5)

    def go_on(self) -> None:
        """Let all that WAITs, now or later, be answered."""
        self._loop.call_soon_threadsafe(self.going.set)

    def hold(self) -> None:
        """Let what WAITs from now on wait again."""
        self._loop.call_soon_threadsafe(self.going.clear)

    def drop_all(self) -> None:
        """Close every connection, as a server does that is restarted."""
        self._loop.call_soon_threadsafe(lambda: [writer.close() for writer in self._writers])

    def tell_all(self, data: bytes) -> None:
        """Say something that nobody has asked for."""
        self._loop.call_soon_threadsafe(lambda: [writer.write(data) for writer in self._writers])

    def said(self, verb: str) -> list[str]:
        """The commands that began with `verb`."""
        return [line for _, line in self.lines if line.upper().startswith(verb)]

    async def _serve(self) -> None:
        self._loop, self._stop, self.going = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()
        self._writers: set[asyncio.StreamWriter] = set()
        server = await asyncio.start_server(self._client, "127.0.0.1", 0, limit=2**20)
        self.port = server.sockets[0].getsockname()[1]
        self._started.set()
        await self._stop.wait()
        server.close()

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        self._writers.add(writer)
        try:
            await _Client(self, self.connections, reader, writer).serve()
        except (ConnectionError, ssl.SSLError, asyncio.CancelledError, _Leave):
            pass  # cancelled: the server ends
        finally:
            self.open -= 1
            self._writers.discard(writer)
            writer.close()
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()


class _Leave(Exception):
    """The connection ends here."""


class _Client:
    def __init__(
        self, owner: ScriptedSmtp, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.owner, self.number, self.reader, self.writer = owner, number, reader, writer
        self.encrypted = False
        self.buffer = b""
        self.forget()

    def forget(self) -> None:
        self.sender: str | None = None
        self.recipients: list[str] = []

    async def serve(self) -> None:
        await self.answer("", "220 scripted ESMTP")
        while True:
            line = (await self.line()).decode(errors="replace")
            self.owner.lines.append((self.number, line))
            verb = line.split(maxsplit=1)[0].upper() if line.strip() else ""
            handler = getattr(self, f"do_{verb.lower()}", None)
            if handler is None:
                await self.answer(line, "500 5.5.2 no such command")
            else:
                await handler(line)

    async def line(self) -> bytes:
        while b"\n" not in self.buffer:
            piece = await self.reader.read(2**18)
            if not piece:
                raise _Leave
            self.owner.segments.append(piece)
            self.buffer += piece
        line, _, self.buffer = self.buffer.partition(b"\n")
        return line.removesuffix(b"\r")

    async def answer(self, line: str, usual: str) -> bool:
        """Say what the script wants, else `usual`; True when that was a yes."""
        wish = self.owner.script(self.number, line)
        if wish is None:
            wish = usual
        elif wish == WAIT:
            await self.owner.going.wait()
            wish = usual
        if wish == DROP:
            raise _Leave
        if wish == HANG:
            await asyncio.Event().wait()
        close = isinstance(wish, str) and wish.startswith(CLOSE_AFTER)
        if isinstance(wish, str):
            wish = wish.removeprefix(CLOSE_AFTER).encode() + b"\r\n"
        first, *more = wish if isinstance(wish, list) else [wish]
        self.writer.write(first)
        for piece in more:
            await asyncio.sleep(0.001)  # long enough for each to be read on its own, mostly
            self.writer.write(piece)
        await self.writer.drain()
        if close:
            raise _Leave
        return first[:1] in b"23"

    async def do_ehlo(self, line: str) -> None:
        offers = [*self.owner.extensions]
        if self.owner.tls and not self.encrypted:
            offers.append("STARTTLS")
        said = [f"250-{each}" for each in ("scripted", *offers[:-1])]
        await self.answer(line, "\r\n".join([*said, f"250 {offers[-1]}"]))

    async def do_helo(self, line: str) -> None:
        await self.answer(line, "250 scripted")

    async def do_starttls(self, line: str) -> None:
        if not await self.answer(line, "220 2.0.0 go ahead") or not self.owner.tls:
            return
        await self.writer.start_tls(self.owner.tls)
        self.encrypted, self.buffer = True, b""

    async def do_auth(self, line: str) -> None:
        await self.answer(line, "235 2.7.0 welcome")

    async def do_mail(self, line: str) -> None:
        if self.sender is not None:
            await self.answer(line, "503 5.5.1 nested MAIL")
        elif await self.answer(line, "250 2.1.0 yes"):
            self.sender = _between(line)

    async def do_rcpt(self, line: str) -> None:
        if self.sender is None:
            await self.answer(line, "503 5.5.1 MAIL first")
        elif await self.answer(line, "250 2.1.5 yes"):
            self.recipients.append(_between(line))

    async def do_data(self, line: str) -> None:
        if not self.recipients:
            go = await self.answer(line, "554 5.5.1 no valid recipients")
        else:
            go = await self.answer(line, "354 go on")
        if not go:
            return
        raw = []
        while (each := await self.line()) != b".":
            raw.append(each.removeprefix(b".") + b"\r\n")
        usual = "250 2.0.0 taken" if self.recipients else "554 5.5.1 no valid recipients"
        if await self.answer(".", usual):
            self.owner.mails.append(Taken(self.number, self.sender or "", tuple(self.recipients), b"".join(raw)))
        self.forget()

    async def do_rset(self, line: str) -> None:
        self.forget()
        await self.answer(line, "250 2.0.0 forgotten")

    async def do_quit(self, line: str) -> None:
        await self.answer(line, CLOSE_AFTER + "221 2.0.0 bye")
        raise _Leave


def _between(line: str) -> str:
    return line[line.index("<") + 1 : line.index(">")]
