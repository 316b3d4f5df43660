"""SMTP: one connection to the mail server, made ready for mail, for one mail after the other.

Job: `open_session` (greeting, EHLO, TLS, login; each failure one sentence), `Session.send` (one mail transaction as a
`Dialogue`), `check_server` (the trial of it). What a reply means is read in `delivery.py`; when to send, `outbox.py`
knows.
Shell: may import delivery and oauth; the only module that imports aiosmtplib.

Invariants
- Credentials never leave without TLS, except to loopback. With "starttls" nothing is sent unless it succeeded.
- No password, token or mail text in a log, an exception or a repr.
- Nothing is said after a lost, silent or leaving (421) server: the connection is closed, so that replies cannot be
  taken for those of the next mail.

aiosmtplib makes the connection. It reads one reply at a time and drops what comes early, so for the mails `_Wire` takes
its transport over: where the server offers PIPELINING a mail costs two round trips instead of four, and every failure
is a `Reply` like any other. aiosmtplib's defaults are not ours: it would take STARTTLS or leave it, log in without TLS,
and try a wrong password once per mechanism.

Leaves out: DSN and CHUNKING, a choice among several servers, MX lookup (the configured server does that).
"""

from __future__ import annotations

import asyncio
import base64
import ipaddress
import os
import re
import socket
import ssl
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, NoReturn

import aiosmtplib

from router.delivery import CUT, LATER, NEVER, SILENCE, Dialogue, Mail, Reply, Scope, Stage, Trouble, read_trouble
from router.oauth import AccessTokens, SecretError

LONGEST_REPLY = 32_768  # bytes, all its lines together
SLOWEST = 50_000  # bytes a second that a line must carry
GARBLED = Reply(0, "the server said what is no SMTP reply")

# -- the server ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. `end` is long (RFC 5321 4.5.3.2.6): a mail given up too early after its last dot is sent twice."""

    connect: float = 30.0  # for each step until the login is done
    command: float = 120.0  # for each reply to MAIL, RCPT, DATA
    end: float = 600.0  # for the reply to the whole mail
    quit: float = 2.0
    idle: float = 30.0  # how long a connection is kept for the next mail


@dataclass(frozen=True, slots=True)
class Server:
    """Where mail is handed in. Raises ValueError for credentials that would travel in clear text.

    `password` is called at each login (a file or command may have changed since); `tokens` instead means XOAUTH2.
    """

    host: str
    port: int
    security: Literal["tls", "starttls", "plain"] = "tls"
    user: str = ""
    password: Callable[[], str] | None = field(default=None, repr=False)
    tokens: AccessTokens | None = field(default=None, repr=False)
    ca_file: Path | None = None
    name: str = ""  # ours, in EHLO; "" takes the machine's
    connections: int = 2
    timeouts: Timeouts = Timeouts()

    def __post_init__(self) -> None:
        if self.user and self.security == "plain" and not _is_loopback(self.host):
            raise ValueError(f'{self} would carry the login in clear text: set security to "tls" or "starttls"')

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def _is_loopback(host: str) -> bool:
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"


class NoSession(Exception):
    """No connection could be made ready for mail; `trouble` says what that means."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.reason)
        self.trouble = trouble


def _give_up(reason: str, *, again: bool) -> NoReturn:
    raise NoSession(Trouble(Scope.SESSION, again, reason)) from None


def check_server(server: Server) -> str:
    """Connect, log in and leave. "" when that works, else one sentence saying what happened and what to do."""

    async def attempt() -> None:
        session = await open_session(server, tls_context(server))
        await session.quit()

    try:
        asyncio.run(attempt())
    except NoSession as failed:
        return failed.trouble.reason
    return ""


def tls_context(server: Server) -> ssl.SSLContext | None:
    """What the server's certificate is checked with. Raises NoSession when those to trust cannot be read."""
    if server.security == "plain":
        return None
    try:
        return ssl.create_default_context(cafile=server.ca_file)
    except (OSError, ssl.SSLError):
        _give_up(f"{server.ca_file}: no certificates can be read from it; correct ca_file", again=NEVER)


async def open_session(server: Server, context: ssl.SSLContext | None) -> Session:
    """A connection that is ready for mail. Raises NoSession."""
    client = aiosmtplib.SMTP(
        hostname=server.host,
        port=server.port,
        use_tls=server.security == "tls",
        start_tls=False,
        tls_context=context,
        local_hostname=server.name or _own_name(),
        timeout=server.timeouts.connect,
    )
    try:
        await _prepare(client, server)
        if not isinstance(client.transport, asyncio.Transport):  # gone since its last reply
            _give_up(f"{server}: {CUT}", again=LATER)
        return Session(client.transport, client.esmtp_extensions, server.timeouts)
    except BaseException:
        client.close()
        raise


async def _prepare(client: aiosmtplib.SMTP, server: Server) -> None:
    """Greeting, EHLO, TLS, login: each failure becomes a sentence, without the secrets that were in play."""
    stage, secrets = Stage.GREETING, list[str]()
    try:
        await client.connect()
        stage = Stage.EHLO
        await _hello(client)
        if server.security == "starttls":
            stage = Stage.TLS
            if not client.supports_extension("starttls"):
                _give_up(
                    f"{server} does not offer STARTTLS, so nothing is sent: something on the way removes it, or "
                    'security must be "tls" with another port',
                    again=NEVER,
                )
            await client.starttls()
            await _hello(client)
        if server.user:
            stage = Stage.AUTH
            await _login(client, server, secrets)
    except NoSession:
        raise
    except SecretError as unknown:
        _give_up(f"no login at {server}: {unknown}", again=NEVER)
    except Exception as failure:  # its text may quote what we sent, its traceback hold it
        if stage is Stage.AUTH and server.tokens and isinstance(failure, aiosmtplib.SMTPAuthenticationError):
            server.tokens.forget()
        _explain(server, stage, failure, secrets)


async def _hello(client: aiosmtplib.SMTP) -> None:
    try:
        await client.ehlo()
    except aiosmtplib.SMTPHeloError:
        if not client.is_connected:
            raise
        await client.helo()


async def _login(client: aiosmtplib.SMTP, server: Server, secrets: list[str]) -> None:
    """One mechanism, once: a server may lock the account after a few wrong passwords."""
    offered = client.server_auth_methods
    if server.tokens:
        if "xoauth2" not in offered:
            _give_up(f"{server} does not offer XOAUTH2; use a password, or another server", again=NEVER)
        secrets.append(await asyncio.to_thread(server.tokens))
        await client.auth_xoauth2(server.user, secrets[0])
        return
    secrets.append(await asyncio.to_thread(server.password) if server.password else "")
    secrets.append(f"\0{server.user}\0{secrets[0]}")
    if "plain" in offered:
        await client.auth_plain(server.user, secrets[0])
    elif "login" in offered:
        await client.auth_login(server.user, secrets[0])
    elif "cram-md5" in offered:
        await client.auth_crammd5(server.user, secrets[0])
    else:
        _give_up(f"{server} offers no login that we know; leave user empty, or use another port", again=NEVER)


def _explain(server: Server, stage: Stage, failure: Exception, secrets: Sequence[str]) -> NoReturn:
    cause: BaseException | None = failure if isinstance(failure, ssl.SSLError) else failure.__cause__
    if isinstance(cause, ssl.SSLCertVerificationError):
        _give_up(
            f"the certificate of {server} does not verify ({cause.verify_message}): correct host, or name the "
            "authority that signed it in ca_file",
            again=NEVER,
        )
    if isinstance(cause, ssl.SSLError):
        _give_up(f"{server} fails at TLS ({cause.reason or 'closed'}); is security right for that port?", again=NEVER)
    if isinstance(failure, aiosmtplib.SMTPResponseException):
        trouble = read_trouble(stage, Reply(failure.code, _without(secrets, failure.message)))
    elif isinstance(failure, TimeoutError):
        trouble = read_trouble(stage, SILENCE)
    elif isinstance(failure, aiosmtplib.SMTPConnectError):
        why = f"cannot be reached ({_plainly(cause)}): check host, port and security in [smtp]"
        _give_up(f"the mail server {server} {why}", again=LATER)
    elif isinstance(failure, ConnectionError):
        trouble = read_trouble(stage, CUT)
    else:
        trouble = Trouble(Scope.SESSION, LATER, f"the mail server cannot be used ({type(failure).__name__})")
    _give_up(f"{server}: {trouble.reason}", again=trouble.again)


def _plainly(cause: BaseException | None) -> str:
    """asyncio says "Connect call failed" with an address, and lists all addresses of a host when all of them fail."""
    if isinstance(cause, socket.gaierror):
        return cause.strerror or "no such host"
    numbers = re.findall(r"\[Errno (\d+)\]", str(cause))
    return os.strerror(int(numbers[0])) if numbers else "it closes the connection"


def _without(secrets: Sequence[str], text: str) -> str:
    """A server's text without our secrets: some quote the line that they did not like."""
    forms = [form for each in secrets for form in (each, base64.b64encode(each.encode()).decode().rstrip("="))]
    for form in sorted(filter(None, forms), key=len, reverse=True):
        text = text.replace(form, "…")
    return text


def _own_name() -> str:
    """The name for EHLO: this machine's where it is a full one, else an address literal, as smtplib does."""
    name = socket.gethostname()
    return name if "." in name and re.fullmatch(r"[A-Za-z0-9.-]+", name) else "[127.0.0.1]"


# -- one connection -----------------------------------------------------------------------------------------------

_REPLY_LINE = re.compile(rb"([2-5]\d\d)(?:([ -])(.*))?", re.DOTALL)


class _Wire(asyncio.Protocol):
    """Commands out, replies in, in order; several commands may be under way at once."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._buffer = b""
        self._lines: list[bytes] = []
        self._replies: deque[Reply] = deque()
        self._expected = 0
        self._news: asyncio.Future[bool] | None = None  # True: something was heard; False: time is up
        self.is_open = not transport.is_closing()
        transport.set_protocol(self)

    async def ask(self, commands: bytes, count: int, seconds: float) -> list[Reply]:
        """Write `commands` and wait for `count` replies, up to `seconds` for each.

        CUT or SILENCE stands for each that did not come; after either, and after 421, the connection is closed.
        """
        self._expected += count
        if self.is_open:
            self._transport.write(commands)
        got: list[Reply] = []
        missing = CUT
        while len(got) < count:
            if self._replies:
                got.append(self._replies.popleft())
                if not got[-1].ends_session:
                    continue
                self.close()
            if not self.is_open:
                break
            if not await self._wait(seconds):
                self.close()
                missing = SILENCE
        return got + [missing] * (count - len(got))

    async def _wait(self, seconds: float) -> bool:
        loop = asyncio.get_running_loop()
        self._news = loop.create_future()
        patience = loop.call_later(seconds, self._tell, False)
        try:
            return await self._news
        finally:
            patience.cancel()

    def close(self) -> None:
        self.is_open = False
        self._transport.abort()  # a server that has stopped reading would keep a mere close waiting for ever

    def data_received(self, data: bytes) -> None:
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            if self.is_open:
                self._read_line(line)
        if len(self._buffer) + sum(map(len, self._lines)) > LONGEST_REPLY:
            self.close()
        self._tell()

    def _read_line(self, line: bytes) -> None:
        match = _REPLY_LINE.fullmatch(line.removesuffix(b"\r"))
        if match is None:
            self._replies.append(GARBLED)
            self.close()
            return
        self._lines.append(match[3] or b"")
        if match[2] == b"-":
            return
        self._expected -= 1
        if self._expected < 0:  # said while we were silent: only a goodbye
            self.close()
        else:
            self._replies.append(Reply(int(match[1]), b" ".join(self._lines).decode("utf-8", "replace")))
        self._lines.clear()

    def connection_lost(self, _: Exception | None) -> None:
        self.is_open = False
        self._tell()

    def _tell(self, heard: bool = True) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(heard)


class Session:
    """A connection after its login, for one mail after the other."""

    def __init__(self, transport: asyncio.Transport, extensions: Mapping[str, str], timeouts: Timeouts) -> None:
        self._wire = _Wire(transport)
        self._timeouts = timeouts
        self._extensions = frozenset(extensions)
        self._pipelining = "pipelining" in self._extensions
        limit = extensions.get("size", "").strip()
        self._size_limit = int(limit) if limit.isdecimal() else 0
        self._dirty = False  # a transaction of before may not have ended: RSET first
        self.idle_since = 0.0

    @property
    def is_open(self) -> bool:
        return self._wire.is_open

    def close(self) -> None:
        self._wire.close()

    async def quit(self) -> None:
        if self.is_open:
            await self._wire.ask(b"QUIT\r\n", 1, self._timeouts.quit)
        self.close()

    async def send(self, mail: Mail, step: Callable[[str], None] = lambda _: None) -> Dialogue:
        """One mail transaction, as far as the server goes with it. `step` is told what comes next."""
        utf8 = "smtputf8" in self._extensions
        sender = _mailbox(mail.sender, utf8)
        written = [(address, _mailbox(address, utf8)) for address in mail.recipients]
        asked = [(address, box) for address, box in written if isinstance(box, bytes)]
        refused = tuple((address, box) for address, box in written if isinstance(box, Reply))
        if isinstance(sender, Reply):
            return Dialogue(sender)
        if not asked:
            return Dialogue(Reply(250, ""), refused)
        if self._size_limit and len(mail.raw) > self._size_limit:
            return Dialogue(Reply(552, f"5.3.4 it takes {self._size_limit} bytes, the mail has {len(mail.raw)}"))
        step("smtp-mail")
        boxes = [box for _, box in asked]
        dialogue = await self._envelope(self._mail_command(mail, sender, boxes), boxes)
        named = tuple((address, reply) for (address, _), (_, reply) in zip(asked, dialogue.recipients, strict=True))
        dialogue = replace(dialogue, recipients=named + refused)
        if dialogue.data and dialogue.data.code == 354:
            return await self._content(mail, dialogue, step)
        if dialogue.data and dialogue.data.is_good:  # no reply to DATA: who knows what it waits for now
            self.close()
        return dialogue

    async def _envelope(self, sender: bytes, boxes: Sequence[bytes]) -> Dialogue:
        """The replies to MAIL, to each RCPT, and to DATA where it could be said."""
        commands = [sender, *(b"RCPT TO:<%b>" % box for box in boxes)]
        if self._dirty:
            commands.insert(0, b"RSET")
        replies = await self._ask_all([*commands, b"DATA"] if self._pipelining else commands)
        data = replies.pop() if self._pipelining else None
        told, each = replies[-len(boxes) - 1], replies[-len(boxes) :]
        if not self._pipelining and told.is_good and any(reply.is_good for reply in each):
            (data,) = await self._ask_all([b"DATA"])
        self._dirty = True
        return Dialogue(told, tuple(("", reply) for reply in each), data)

    async def _ask_all(self, commands: Sequence[bytes]) -> list[Reply]:
        """RFC 2920: commands in one go, DATA the last; else each after the reply to the one before."""
        lines, seconds = [command + b"\r\n" for command in commands], self._timeouts.command
        if self._pipelining:
            return await self._wire.ask(b"".join(lines), len(lines), seconds)
        return [reply for line in lines for reply in await self._wire.ask(line, 1, seconds)]

    async def _content(self, mail: Mail, dialogue: Dialogue, step: Callable[[str], None]) -> Dialogue:
        if not (dialogue.sender.is_good and dialogue.taken):  # RFC 2920 3.1: DATA was under way already; send nothing
            await self._wire.ask(b".\r\n", 1, self._timeouts.command)
            return dialogue
        step("smtp-data")
        seconds = self._timeouts.end + len(mail.raw) / SLOWEST
        (end,) = await self._wire.ask(_dotted(mail.raw), 1, seconds)
        if end.is_good:
            self._dirty = False
            step("smtp-accepted")
        return replace(dialogue, end=end)

    def _mail_command(self, mail: Mail, sender: bytes, boxes: Sequence[bytes]) -> bytes:
        command = b"MAIL FROM:<%b>" % sender
        if "size" in self._extensions:
            command += b" SIZE=%d" % len(mail.raw)
        if not mail.raw.isascii() and "8bitmime" in self._extensions:
            command += b" BODY=8BITMIME"
        if not (sender.isascii() and all(box.isascii() for box in boxes)):
            command += b" SMTPUTF8"
        return command


_MAILBOX = re.compile(r'(?:"(?:[^"\\\x00-\x1f\x7f]|\\[ -~])*"|[^\x00-\x20\x7f<>"\\]+)@[^\x00-\x20\x7f<>"\\@]+')


def _mailbox(address: str, utf8: bool) -> bytes | Reply:
    """The address as SMTP writes it between angle brackets, or why it cannot be. "" is the null sender."""
    if not address:
        return b""
    if not _MAILBOX.fullmatch(address):
        return Reply(553, "5.1.3 this is no address that can be written to")
    local, _, domain = address.rpartition("@")
    if not local.isascii():
        return address.encode() if utf8 else Reply(553, "5.6.7 the mail server takes no such address (SMTPUTF8)")
    try:
        return local.encode() + b"@" + (domain.encode() if domain.isascii() else domain.encode("idna"))
    except UnicodeError:
        return Reply(553, "5.1.3 this is no address that can be written to")


def _dotted(raw: bytes) -> bytes:
    """The mail as DATA carries it: CRLF line ends, dots doubled at the start of lines, a dot at the end."""
    crlf = raw.count(b"\r\n")
    if raw.count(b"\n") != crlf or raw.count(b"\r") != crlf:
        raw = re.sub(rb"\r\n|\r|\n", b"\r\n", raw)
    if not raw.endswith(b"\r\n"):
        raw += b"\r\n"
    if raw.startswith(b"."):
        raw = b"." + raw
    return raw.replace(b"\r\n.", b"\r\n..") + b".\r\n"
