"""Real mail servers for tests and benchmarks, on loopback, each stopped by whoever started it.

Job: `RecordingSmtp` (aiosmtpd in a thread; remembers, and fails when told to), `SmtpSink` (Postfix's smtp-sink, fast),
and by way of this module `Dovecot` (a private one with its own configuration) and certificates. Used by tests/, bench/
and the torture harness, so nothing here knows pytest: where a program is missing, `ServerMissing` says which.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import logging
import os
import ssl
import subprocess
import tempfile
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

from tests.dovecot import Dovecot
from tests.loopback import (
    HOST,
    Certificates,
    ServerMissing,
    free_port,
    give_away,
    listens,
    make_certificates,
    program,
    wait_until,
)

__all__ = [
    "DROP",
    "HANG",
    "HOST",
    "TAKE_AND_DROP",
    "TAKE_AND_HANG",
    "Certificates",
    "Dovecot",
    "Recorded",
    "RecordingSmtp",
    "ServerMissing",
    "SmtpSink",
    "free_port",
    "make_certificates",
    "wait_until",
]

logging.getLogger("mail.log").setLevel(logging.ERROR)  # aiosmtpd warns of its own deprecations at each login

DROP = "drop"  # close the connection instead of answering
HANG = "hang"  # never answer
TAKE_AND_DROP = "take and drop"  # "data" only: the mail is ours, the answer never leaves (the ambiguous case)
TAKE_AND_HANG = "take and hang"  # the same, with silence instead of a close

Fail = Callable[[str, str], str | None]


# An SMTP server that remembers ----------------------------------------------------------------------------------------


class Recorded(NamedTuple):
    """A mail that was accepted: envelope sender (`""` for the null sender), envelope recipients, exact bytes."""

    mail_from: str
    rcpts: list[str]
    raw: bytes


class RecordingSmtp:
    """An SMTP server in a thread that records every accepted mail and can be told to fail.

    `fail(stage, address)` is asked at each step and returns None (go on), a reply line ("451 4.3.0 later"), or one of
    DROP, HANG, TAKE_AND_DROP, TAKE_AND_HANG. Stages: connect, ehlo, auth (address: the mechanism), mail (the sender),
    rcpt (the recipient), data-start (the answer to DATA), data (the answer after the last dot), rset, noop, quit; where
    nothing else is said, the address is the first recipient so far or "".

    `tls`: "plain", "starttls" or "tls"; with `certificates`, else some are made. `users`: login -> password or access
    token (AUTH PLAIN, LOGIN, XOAUTH2); None offers no AUTH. Credentials are taken without TLS, so that it is the
    client's care that is tested.
    """

    def __init__(
        self,
        fail: Fail | None = None,
        *,
        tls: Literal["plain", "starttls", "tls"] = "plain",
        certificates: Certificates | None = None,
        users: Mapping[str, str] | None = None,
        size_limit: int = 33_554_432,
        delay: float = 0.0,
    ) -> None:
        self.fail = fail
        self.tls = tls
        self.certificates = certificates
        self.users = users
        self.size_limit = size_limit
        self.delay = delay  # seconds before every answer to MAIL, RCPT and the end of DATA
        self.port = 0
        self.connections = 0
        self.stages: list[tuple[str, str]] = []  # every step asked for, in order
        self._mails: list[Recorded] = []
        self._news = threading.Condition()
        self._started = threading.Event()
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="recording-smtp", daemon=True)

    @property
    def mails(self) -> list[Recorded]:
        """What was accepted so far (a copy)."""
        with self._news:
            return list(self._mails)

    def wait_for(self, count: int, seconds: float = 5.0) -> list[Recorded]:
        """The mails, once there are `count`; TimeoutError otherwise."""
        with self._news:
            if not self._news.wait_for(lambda: len(self._mails) >= count, seconds):
                raise TimeoutError(f"{len(self._mails)} mails after {seconds} s, not {count}")
            return list(self._mails)

    def __enter__(self) -> Self:
        if self.tls != "plain" and self.certificates is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="smtp-tls-")
            self.certificates = make_certificates(Path(self._temporary.name))
        self._thread.start()
        if not self._started.wait(10):
            raise TimeoutError("the SMTP server did not start")
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended already
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(5)
        if self._temporary:
            self._temporary.cleanup()

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        context = self.certificates.context() if self.tls != "plain" and self.certificates else None
        server = await self._loop.create_server(
            lambda: _Session(self, context if self.tls == "starttls" else None),
            HOST,
            self.port,
            ssl=context if self.tls == "tls" else None,
            backlog=500,
        )
        self.port = server.sockets[0].getsockname()[1]
        self._started.set()
        await self._stop.wait()
        server.close()

    def _note(self, stage: str, address: str) -> str | None:
        with self._news:
            self.stages.append((stage, address))
            self.connections += stage == "connect"
        return self.fail(stage, address) if self.fail else None

    def _take(self, mail: Recorded) -> None:
        with self._news:
            self._mails.append(mail)
            self._news.notify_all()


class _Session(SMTP):
    """One connection: asks the owner at every stage before aiosmtpd does what it would do anyway."""

    def __init__(self, owner: RecordingSmtp, context: ssl.SSLContext | None) -> None:
        self._owner = owner
        super().__init__(
            _Hooks(owner),
            hostname="localhost",
            ident="recorder",
            enable_SMTPUTF8=True,
            data_size_limit=owner.size_limit,
            tls_context=context,
            auth_require_tls=False,
            auth_exclude_mechanism=None if owner.users is not None else ["PLAIN", "LOGIN", "XOAUTH2"],
            authenticator=_authenticate(owner.users or {}),
        )

    async def _handle_client(self) -> None:
        if await self.goes_on("connect", ""):
            await super()._handle_client()
        elif self.transport:
            self.transport.close()

    async def smtp_EHLO(self, hostname: str) -> None:
        if await self.goes_on("ehlo", hostname):
            await super().smtp_EHLO(hostname)

    async def smtp_AUTH(self, arg: str) -> None:
        if await self.goes_on("auth", arg.split()[0]):
            await super().smtp_AUTH(arg)

    async def smtp_DATA(self, arg: str) -> None:
        if await self.goes_on("data-start", self._first()):
            await super().smtp_DATA(arg)

    async def smtp_RSET(self, arg: str) -> None:
        if await self.goes_on("rset", self._first()):
            await super().smtp_RSET(arg)

    async def smtp_NOOP(self, arg: str) -> None:
        if await self.goes_on("noop", self._first()):
            await super().smtp_NOOP(arg)

    async def smtp_QUIT(self, arg: str) -> None:
        if await self.goes_on("quit", self._first()):
            await super().smtp_QUIT(arg)

    async def goes_on(self, stage: str, address: str) -> bool:
        """Whether this stage proceeds; if not, its failure has been acted out."""
        answer = self._owner._note(stage, address)
        if answer is None:
            return True
        await self.act_out(answer)
        return False

    async def act_out(self, answer: str) -> None:
        if answer in (DROP, TAKE_AND_DROP):
            if self.transport:
                self.transport.close()
        elif answer in (HANG, TAKE_AND_HANG):
            await asyncio.Event().wait()
        else:
            await self.push(answer)
            if answer.startswith("421") and self.transport:
                self.transport.close()

    def _first(self) -> str:
        return self.envelope.rcpt_tos[0] if self.envelope and self.envelope.rcpt_tos else ""


class _Hooks:
    """aiosmtpd's hooks: envelope and data."""

    def __init__(self, owner: RecordingSmtp) -> None:
        self._owner = owner

    async def handle_MAIL(self, server: _Session, _: Any, envelope: Any, address: str, options: list[str]) -> str:
        await asyncio.sleep(self._owner.delay)
        sender = "" if address == "<>" else address
        if answer := self._owner._note("mail", sender):
            return await _refuse(server, answer)
        envelope.mail_from = sender or "<>"  # aiosmtpd demands a true value before RCPT
        envelope.mail_options.extend(options)
        return "250 2.1.0 sender taken"

    async def handle_RCPT(self, server: _Session, _: Any, envelope: Any, address: str, options: list[str]) -> str:
        await asyncio.sleep(self._owner.delay)
        if answer := self._owner._note("rcpt", address):
            return await _refuse(server, answer)
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 recipient taken"

    async def handle_DATA(self, server: _Session, _: Any, envelope: Any) -> str:
        await asyncio.sleep(self._owner.delay)
        answer = self._owner._note("data", envelope.rcpt_tos[0])
        if answer in (None, TAKE_AND_DROP, TAKE_AND_HANG):
            sender = "" if envelope.mail_from == "<>" else envelope.mail_from
            self._owner._take(Recorded(sender, list(envelope.rcpt_tos), envelope.content))
        return "250 2.0.0 mail taken" if answer is None else await _refuse(server, answer)

    async def auth_XOAUTH2(self, server: _Session, words: list[str]) -> AuthResult:
        """`user=<login>^Aauth=Bearer <token>^A^A`, in the command or after an empty challenge."""
        given: Any = base64.b64decode(words[1]) if len(words) > 1 else await server.challenge_auth("")
        user, bearer = str(given, "utf-8").strip("\x01").split("\x01")
        login, token = user.removeprefix("user="), bearer.removeprefix("auth=Bearer ")
        if (self._owner.users or {}).get(login) == token:
            return AuthResult(success=True)
        await server.challenge_auth('{"status":"401"}')
        return AuthResult(success=False, handled=False)


async def _refuse(server: _Session, answer: str) -> str:
    """The reply line that aiosmtpd is to send; a close or a silence is acted out here."""
    if answer in (DROP, HANG, TAKE_AND_DROP, TAKE_AND_HANG):
        await server.act_out(answer)
        await asyncio.Event().wait()  # closing cancels this task
    return answer


def _authenticate(users: Mapping[str, str]) -> Callable[..., AuthResult]:
    def check(_: Any, __: Any, ___: Any, ____: str, data: LoginPassword) -> AuthResult:
        return AuthResult(success=users.get(data.login.decode()) == data.password.decode(), handled=False)

    return check


# Postfix's smtp-sink: fast, for floods and benches --------------------------------------------------------------------


class SmtpSink:
    """smtp-sink on loopback. With `folder` every mail is kept there, a file each, with X-Mail-Args and X-Rcpt-Args."""

    def __init__(self, folder: Path | None = None, *, options: tuple[str, ...] = ()) -> None:
        self.folder = folder
        self.options = options
        self.port = 0

    def __enter__(self) -> Self:
        path = program("smtp-sink", "postfix")
        self.port = free_port()
        command = [path, *self.options, *(["-u", "nobody"] if os.getuid() == 0 else [])]
        if self.folder:
            self.folder.mkdir(parents=True, exist_ok=True)
            give_away(self.folder)
            command += ["-d", f"{self.folder}/%s."]
        self._process = subprocess.Popen([*command, f"{HOST}:{self.port}", "500"], cwd=self.folder or "/")
        wait_until(lambda: listens(self.port), 10, "smtp-sink")
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(10)

    def mails(self) -> list[bytes]:
        """What was accepted, in no order; needs `folder`."""
        return [path.read_bytes() for path in sorted(self.folder.iterdir())] if self.folder else []
