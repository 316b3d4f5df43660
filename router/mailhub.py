"""An embedded mail server: real SMTP in, real IMAP out, on loopback, in one thread.

Job: give the demo and the tests a mailbox for each member of a small cast, mailing lists, and an outside world that
takes everything, so that the daemon runs against the protocols it will meet. Everything is in memory and gone at the
end, but for the .eml files of `folder`. Shell; the only module that imports pymap and aiosmtpd (extra "demo"); imports
no other room, and nothing but the demo and the tests imports it.

Invariants
- It listens on 127.0.0.1 alone and connects to nobody.
- An accepted mail is in every mailbox it was for, and in `mails`, before SMTP says 250.
- Each method may be called from any thread.

Leaves out: STARTTLS, XOAUTH2, quotas, spam; a real Dovecot and a scripted server cover those in the tests.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
import ssl
import subprocess
import tempfile
import threading
import time
from argparse import Namespace
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self, TypeVar

from aiosmtpd.smtp import SMTP, AuthResult
from proxyprotocol.sock import SocketInfo
from pymap.backend.dict import Config, Login
from pymap.backend.dict.filter import FilterSet
from pymap.backend.dict.mailbox import MailboxData, MailboxSet
from pymap.concurrent import Subsystem
from pymap.context import connection_exit
from pymap.imap import IMAPConnection
from pymap.imap.state import ConnectionState
from pymap.parsing.message import AppendMessage
from pymap.parsing.response import Response
from pymap.parsing.specials import ObjectId
from pymap.parsing.specials.flag import Flag, Wildcard
from pymap.user import UserMetadata
from pysasl.hashing import Cleartext

HOST = "127.0.0.1"
STAGES = ("connect", "mail", "rcpt", "data")
DROP = "drop"
SIZE_LIMIT = 50_000_000

T = TypeVar("T")
logger = logging.getLogger(__name__)
logging.getLogger("mail.log").setLevel(logging.ERROR)  # aiosmtpd warns of its own deprecations at each login


@dataclass(frozen=True, slots=True)
class Delivered:
    """A mail as SMTP accepted it: the envelope (`""` is the null sender), its exact bytes, and when, in UTC."""

    mail_from: str
    rcpt_tos: tuple[str, ...]
    raw: bytes
    at: datetime


class MailHub:
    """Mailboxes, lists and an outside world; a context manager.

    `users`: login -> password. `addresses`: address -> login; `buns+42.x@…` is delivered where `buns@…` is. `lists`:
    list address -> members' addresses (a member may be a list); a list adds List-Id, List-Post and Precedence: list and
    rewrites nothing. Any other recipient is accepted and kept in `outside`. `folder`: every accepted mail is kept there
    as 0001.eml, 0002.eml, … `tls`: both ports speak TLS from the start, with a certificate that `ca_file` verifies.
    `authserv_id`: where given, each mail gets an Authentication-Results header of that name on delivery, saying whether
    its sender had logged in (RFC 8601).
    """

    def __init__(
        self,
        users: Mapping[str, str],
        addresses: Mapping[str, str],
        lists: Mapping[str, Sequence[str]] | None = None,
        folder: Path | None = None,
        tls: bool = False,
        authserv_id: str = "",
    ) -> None:
        self.users = dict(users)
        self.addresses = {address.lower(): login for address, login in addresses.items()}
        self.lists = {address.lower(): tuple(members) for address, members in (lists or {}).items()}
        self.folder = folder
        self.authserv_id = authserv_id
        self.imap_port = self.smtp_port = 0
        self.ca_file: Path | None = None
        self._tls = tls
        self._mails: list[Delivered] = []
        self._outside: list[Delivered] = []
        self._news = threading.Condition()
        self._refusals: list[_Refusal] = []
        self._boxes: dict[str, _Mailboxes] = {}
        self._imap_clients: dict[asyncio.Task[None] | None, asyncio.StreamWriter] = {}
        self._smtp_sessions: set[_SmtpSession] = set()
        self._imap_refused = False
        self._started = threading.Event()
        self._failure: BaseException | None = None
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self._thread = threading.Thread(target=self._run, name="mailhub", daemon=True)

    # The cast's side --------------------------------------------------------------------------------------------------

    @property
    def mails(self) -> list[Delivered]:
        """Everything that SMTP accepted so far (a copy)."""
        with self._news:
            return list(self._mails)

    @property
    def outside(self) -> list[Delivered]:
        """What went to addresses that are nobody's here, one entry for each recipient (a copy)."""
        with self._news:
            return list(self._outside)

    def wait_for(self, predicate: Callable[[Delivered], bool], seconds: float) -> Delivered:
        """The first accepted mail, past or to come, that fits. Raises TimeoutError after `seconds`."""
        deadline = time.monotonic() + seconds
        with self._news:
            seen = 0
            while True:
                for mail in self._mails[seen:]:
                    if predicate(mail):
                        return mail
                seen = len(self._mails)
                if not self._news.wait(deadline - time.monotonic()):
                    raise TimeoutError(f"no such mail within {seconds} s; {seen} mails were accepted")

    def deliver(self, address: str, raw: bytes, *, folder: str = "INBOX", received: datetime | None = None) -> None:
        """Put a mail where `address` is delivered, without SMTP and as it is; it does not appear in `mails`.

        Raises KeyError for an address that is nobody's here, and for a folder that is not there.
        """
        when = received or datetime.now(UTC)
        for member, copy in self._routes(address, raw):
            self._call(self._boxes[self.addresses[_base(member)]].put(copy, when, folder))

    # Faults on request ------------------------------------------------------------------------------------------------

    def refuse(self, what: str, code: int | str, times: int | None = 1) -> None:
        """Have SMTP refuse a recipient or a stage (connect, mail, rcpt, data), `times` times; None is for ever.

        `code`: 451, or a whole reply ("550 5.1.1 nobody here"), or "drop" to close the connection.
        """
        reply = code if isinstance(code, str) else f"{code} refused on request"
        self._refusals.append(_Refusal(what.lower(), reply, times))

    def accept_again(self) -> None:
        """Forget all that is to be refused."""
        self._refusals.clear()

    def drop_connections(self) -> None:
        """Cut every connection, IMAP and SMTP, without a word."""
        self._call(self._drop())

    def pause_imap(self, *, refuse: bool = False) -> None:
        """IMAP falls silent: connections stand, nothing is answered. `refuse`: they are cut, and new ones too."""
        self._call(self._pause(refuse))

    def resume(self) -> None:
        """IMAP answers again, first what it was asked meanwhile."""
        self._call(self._resume())

    async def _drop(self) -> None:
        for writer in list(self._imap_clients.values()):
            writer.transport.abort()
        for session in list(self._smtp_sessions):
            if session.transport:
                session.transport.abort()  # type: ignore[attr-defined]

    async def _pause(self, refuse: bool) -> None:
        self._imap_refused = refuse
        self._imap_open.clear()
        if refuse:
            for writer in list(self._imap_clients.values()):
                writer.transport.abort()

    async def _resume(self) -> None:
        self._imap_refused = False
        self._imap_open.set()

    # Running ----------------------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        if self.folder:
            self.folder.mkdir(parents=True, exist_ok=True)
        self._thread.start()
        self._started.wait(30)
        if self._failure:
            raise RuntimeError("the mail server did not start") from self._failure
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended already
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)
        if self._temporary:
            self._temporary.cleanup()

    def _call(self, job: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(job, self._loop).result(30)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            self._failure = error
            raise
        finally:
            self._started.set()

    async def _serve(self) -> None:
        self._loop, self._stop, self._imap_open = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()
        self._imap_open.set()
        context = self._certificate() if self._tls else None
        self._config = _Config()
        self._config.apply_context()
        self._login = Login(self._config)
        for login, password in self.users.items():
            await self._add_user(login, password)
        imap = await asyncio.start_server(self._imap_client, HOST, 0, ssl=context)
        smtp = await self._loop.create_server(lambda: _SmtpSession(self), HOST, 0, ssl=context)
        self.imap_port, self.smtp_port = (server.sockets[0].getsockname()[1] for server in (imap, smtp))
        self._started.set()
        await self._stop.wait()
        imap.close()
        smtp.close()
        self._imap_open.set()  # nobody is to wait for a gate that stays shut
        await self._drop()

    async def _add_user(self, login: str, password: str) -> None:
        self._login.users_dict[login] = UserMetadata(self._config, login, password=password)
        self._boxes[login] = boxes = _Mailboxes()
        self._config.set_cache[login] = (boxes, FilterSet())
        for name in ("Sent", "Junk"):
            await boxes.add_mailbox(name)

    def _certificate(self) -> ssl.SSLContext:
        self._temporary = tempfile.TemporaryDirectory(prefix="mailhub-")
        self.ca_file, key = Path(self._temporary.name, "ca.pem"), Path(self._temporary.name, "key.pem")
        names = "subjectAltName=DNS:localhost,IP:127.0.0.1"
        make = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
        command = [shutil.which("openssl") or "openssl", *make, "-subj", "/CN=localhost", "-addext", names]
        subprocess.run([*command, "-keyout", key, "-out", self.ca_file], check=True, capture_output=True)  # noqa: S603
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.ca_file, key)
        return context

    async def _imap_client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One IMAP connection, as pymap's own IMAPServer runs it; held here, since Python 3.13 would collect it."""
        if self._imap_refused:
            writer.transport.abort()
            return
        me = asyncio.current_task()
        self._imap_clients[me] = writer
        connection = _ImapConnection(self._config, reader, writer, self._imap_open)
        try:
            async with AsyncExitStack() as stack:
                connection_exit.set(stack)
                stack.enter_context(closing(connection))
                await connection.run(ConnectionState(self._login, self._config))
        except (ConnectionError, EOFError):
            pass
        except Exception:
            logger.debug("an IMAP connection ended", exc_info=True)
        finally:
            self._imap_clients.pop(me, None)

    # Delivery ---------------------------------------------------------------------------------------------------------

    def _refusal(self, stage: str, address: str = "") -> str | None:
        """The reply with which this step is refused, if it is."""
        names = (stage, address.lower(), _base(address)) if stage == "rcpt" else (stage,)
        for refusal in self._refusals:
            if refusal.what in names and refusal.times != 0:
                refusal.times = None if refusal.times is None else refusal.times - 1
                return refusal.reply
        return None

    async def _take(self, mail: Delivered, login: str) -> None:
        """Keep and deliver a mail that SMTP accepts; `login`: who sent it, "" where nobody had logged in."""
        if self.folder:
            (self.folder / f"{len(self._mails) + 1:04}.eml").write_bytes(mail.raw)
        strangers = []
        for address, raw in (route for to in mail.rcpt_tos for route in self._routes(to, mail.raw)):
            if owner := self.addresses.get(_base(address)):
                await self._boxes[owner].put(self._trace(mail, address, login) + raw, mail.at)
            else:
                strangers.append(Delivered(mail.mail_from, (address,), raw, mail.at))
        with self._news:
            self._mails.append(mail)
            self._outside += strangers
            self._news.notify_all()

    def _routes(self, address: str, raw: bytes, above: tuple[str, ...] = ()) -> Iterator[tuple[str, bytes]]:
        """Where a mail to `address` ends: itself, or the members of the list that it is."""
        name = _base(address)
        if name not in self.lists:
            yield address, raw
        elif name not in above:
            for member in self.lists[name]:
                yield from self._routes(member, _list_headers(name) + raw, (*above, name))

    def _trace(self, mail: Delivered, address: str, login: str) -> bytes:
        """What a server writes above a mail that it delivers."""
        lines = [f"Return-Path: <{mail.mail_from}>", f"Delivered-To: {address}"]
        if self.authserv_id:
            result = f"auth=pass smtp.auth={login}" if login else "none"
            lines.append(f"Authentication-Results: {self.authserv_id}; {result}")
        return "".join(f"{line}\r\n" for line in lines).encode()


@dataclass(slots=True)
class _Refusal:
    what: str
    reply: str
    times: int | None


def _base(address: str) -> str:
    """The address without its plus part, in lower case."""
    local, _, domain = address.lower().rpartition("@")
    return f"{local.partition('+')[0]}@{domain}"


def _list_headers(address: str) -> bytes:
    """RFC 2919 and 2369."""
    name = address.replace("@", ".")
    return f"List-Id: <{name}>\r\nList-Post: <mailto:{address}>\r\nPrecedence: list\r\n".encode()


# IMAP: pymap, bent in the places where it has to be -------------------------------------------------------------------


class _Config(Config):
    """pymap's in-memory backend: no demo data, no DNS, no threads, and passwords that cost nothing to compare."""

    def __init__(self) -> None:
        super().__init__(
            Namespace(proxy_protocol=None),
            host=HOST,
            port=0,
            demo_data=False,
            demo_user="",
            demo_password="",
            tls_enabled=False,
            hash_context=Cleartext(),
            cpu_subsystem=Subsystem.for_asyncio(),
            invalid_user_sleep=0,
            reject_dnsbl=False,
            max_append_len=SIZE_LIMIT,
        )

    @property
    def greeting(self) -> bytes:
        return b"mailhub ready"  # pymap asks the DNS for a name


class _Mailbox(MailboxData):
    """A folder that keeps keywords; pymap's drops all that are not system flags."""

    @property
    def permanent_flags(self) -> frozenset[Flag]:
        return super().permanent_flags | {Wildcard}


class _Mailboxes(MailboxSet):
    """A user's folders, each a _Mailbox."""

    def __init__(self) -> None:
        super().__init__()
        self._inbox = _Mailbox(self._content_cache, self._thread_cache)

    async def add_mailbox(self, name: str) -> ObjectId:
        await super().add_mailbox(name)
        self._set[name] = made = _Mailbox(self._content_cache, self._thread_cache)
        return made.mailbox_id

    async def put(self, raw: bytes, received: datetime, folder: str = "INBOX") -> None:
        box = await self.get_mailbox(folder)
        await box.append(AppendMessage(raw, received), recent=True)


class _ImapConnection(IMAPConnection):
    """A connection whose every answer waits while IMAP is paused."""

    def __init__(
        self, config: Config, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, is_open: asyncio.Event
    ) -> None:
        super().__init__(config.commands, config, reader, writer, SocketInfo.get(writer, None))
        self._is_open = is_open

    async def write_response(self, resp: Response) -> None:
        await self._is_open.wait()
        await super().write_response(resp)


# SMTP: aiosmtpd -------------------------------------------------------------------------------------------------------


class _SmtpSession(SMTP):
    """One SMTP connection; its own hooks, so that each step can be refused."""

    def __init__(self, hub: MailHub) -> None:
        self.hub = hub
        self.user = ""
        super().__init__(
            _SmtpHooks(hub),
            hostname="localhost",
            ident="mailhub",
            enable_SMTPUTF8=True,
            data_size_limit=SIZE_LIMIT,
            auth_require_tls=False,
            authenticator=_authenticate,
        )

    async def _handle_client(self) -> None:
        self.hub._smtp_sessions.add(self)
        try:
            if reply := self.hub._refusal("connect"):
                await self.refuse(reply)
            else:
                await super()._handle_client()
        finally:
            self.hub._smtp_sessions.discard(self)
            if self.transport:
                self.transport.close()

    async def refuse(self, reply: str) -> None:
        if reply != DROP:
            await self.push(reply)


class _SmtpHooks:
    """The steps of a mail."""

    def __init__(self, hub: MailHub) -> None:
        self._hub = hub

    async def handle_MAIL(self, server: _SmtpSession, _: Any, envelope: Any, address: str, __: list[str]) -> str:
        envelope.mail_from = address  # "<>" for the null sender; aiosmtpd demands a true value before RCPT
        return await self._answer(server, "mail", address, "250 sender ok")

    async def handle_RCPT(self, server: _SmtpSession, _: Any, envelope: Any, address: str, __: list[str]) -> str:
        answer = await self._answer(server, "rcpt", address, "250 recipient ok")
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: _SmtpSession, _: Any, envelope: Any) -> str:
        answer = await self._answer(server, "data", "", "250 mail accepted")
        if answer.startswith("250"):
            sender = "" if envelope.mail_from == "<>" else envelope.mail_from
            mail = Delivered(sender, tuple(envelope.rcpt_tos), envelope.content, datetime.now(UTC))
            await self._hub._take(mail, server.user)
        return answer

    async def _answer(self, server: _SmtpSession, stage: str, address: str, welcome: str) -> str:
        reply = self._hub._refusal(stage, address)
        if reply == DROP and server.transport:
            server.transport.close()
            await asyncio.Event().wait()  # closing cancels this task
        return reply or welcome


def _authenticate(server: Any, _: Any, __: Any, ___: str, given: Any) -> AuthResult:
    login, password = given.login.decode(), given.password.decode()
    if server.hub.users.get(login) != password:
        return AuthResult(success=False, handled=False)
    server.user = login
    return AuthResult(success=True)
