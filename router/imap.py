"""IMAP connections: imapclient with what it lacks, and what its faults mean.

Job: open a connection that is safe to send a secret over, log in, idle, and turn every fault into `InboxError`. Shell;
the only module that imports imapclient; imports no other room. `inbox.py` does the mailbox's work over it.

Invariants
- Whatever fails leaves as `InboxError`: one sentence for people, with nothing in it but our words and the server's.
  Only what `Account.secret` raises passes.
- A secret goes over TLS, or to this very machine.
- Where an answer did not come, or was no IMAP, the connection is closed: what follows could be the rest of that answer.

Leaves out: back-off and trying again (the daemon's), where access tokens come from (oauth.py).
"""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import re
import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from imapclient import DELETED, IMAPClient, SocketTimeout
from imapclient.exceptions import (
    CapabilityError,
    IMAPClientAbortError,
    IMAPClientError,
    IMAPClientReadOnlyError,
    ProtocolError,
)
from imapclient.imap_utf7 import decode as decode_utf7

Kind = Literal["login", "unreachable", "tls", "dropped", "folder", "quota", "refused"]
Security = Literal["tls", "starttls", "plain"]

LOGOUT_SECONDS = 2.0

# imapclient writes whole mails to its debug log; nobody's mail belongs there, whatever the daemon's level is.
logging.getLogger("imapclient").setLevel(logging.WARNING)


class InboxError(Exception):
    """The mailbox cannot be used. `reason`: one sentence for people. `retry`: may pass without anybody's help.

    kind: "login" (not let in), "unreachable" (no connection), "tls" (no safe connection), "dropped" (the connection is
    gone), "folder" (missing, or not ours to write), "quota" (full), "refused" (the server said no to a command).
    """

    def __init__(self, kind: Kind, reason: str, *, retry: bool = True) -> None:
        super().__init__(reason)
        self.kind: Kind = kind
        self.reason = reason
        self.retry = retry


@dataclass(frozen=True, slots=True)
class Account:
    """Where the mailbox is and who we are there. `secret` is called at each login: a password, or an access token."""

    host: str
    port: int
    security: Security
    user: str
    secret: Callable[[], str] = field(repr=False)
    oauth: bool = False
    ca_file: Path | None = None
    connect_timeout: float = 10.0
    read_timeout: float = 60.0

    @property
    def where(self) -> str:
        return f"the mail server {self.host}:{self.port}"


def connect(account: Account) -> Connection:
    """A connection that is safe and logged in. Raises InboxError."""
    context = None if account.security == "plain" else _context(account.ca_file)
    try:
        connection = Connection(account, context)
    except _FAULTS as error:
        kind, reason = read_fault(error)
        if kind == "tls":
            raise InboxError(kind, f"{account.where} {reason}") from None
        raise InboxError("unreachable", f"{account.where} {reason}: check host, port and security in [imap]") from None
    try:
        connection.make_safe(account.security, context)
        connection.log_in(account.user, account.secret(), oauth=account.oauth)
    except BaseException:
        connection.hang_up()
        raise
    return connection


def _context(ca_file: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
    except OSError:
        raise InboxError("tls", f"the trusted certificates in {ca_file} cannot be read", retry=False) from None


class Connection(IMAPClient):  # type: ignore[misc]
    """imapclient, patched where ARCHITECTURE names a trap; the only code that leans on its insides and on imaplib's.

    tests/live/test_inbox.py holds the contract with both.
    """

    def __init__(self, account: Account, context: ssl.SSLContext | None) -> None:
        self.where = account.where
        self.alive = False
        timeout = SocketTimeout(account.connect_timeout, account.read_timeout)
        direct = account.security == "tls"
        super().__init__(account.host, account.port, ssl=direct, ssl_context=context, timeout=timeout)
        self._imap.debug = 0  # imapclient has imaplib format every line and literal for a log that nobody reads
        self.normalise_times = False
        # imapclient sends a command and its line end apart; Nagle's algorithm makes 40 ms of that
        self.socket().setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.alive = True

    @contextlib.contextmanager
    def exchange(self, doing: str) -> Iterator[Connection]:
        """Say something to the server and hear its answer; what fails in here leaves as InboxError."""
        if not self.alive:
            raise InboxError("dropped", f"there is no connection to {self.where}")
        try:
            yield self
        except _FAULTS as error:
            kind, reason = read_fault(error)
            if kind in ("dropped", "tls"):
                self.hang_up()
            raise InboxError(kind, f"{self.where} {reason} ({doing})") from None

    def hang_up(self) -> None:
        """Close without a word. Never raises."""
        self.alive = False
        with contextlib.suppress(Exception):
            self.shutdown()

    def leave(self) -> None:
        """Log out where the line still stands, and close. Never raises."""
        if self.alive:
            with contextlib.suppress(Exception):
                self.socket().settimeout(LOGOUT_SECONDS)
                self.logout()
        self.hang_up()

    # Getting in -------------------------------------------------------------------------------------------------------

    def make_safe(self, security: Security, context: ssl.SSLContext | None) -> None:
        """TLS where it is asked for; without it a secret never leaves this machine."""
        with self.exchange("STARTTLS" if security == "starttls" else "connecting"):
            if security == "starttls":
                try:
                    self.starttls(context)
                except CapabilityError:
                    raise InboxError("tls", f"{self.where} offers no STARTTLS, so no password was sent") from None
            elif security == "plain" and not _is_loopback(self.socket().getpeername()[0]):
                reason = f"{self.where} is another machine, where a password must not go without TLS"
                raise InboxError("tls", reason, retry=False)

    def log_in(self, user: str, secret: str, *, oauth: bool) -> None:
        with self.exchange("login"):
            try:
                self._authenticate(user, secret, oauth=oauth)
            except IMAPClientError as error:
                raise self._not_let_in(error, user, "access token" if oauth else "password") from None
            self.words()

    def _not_let_in(self, error: Exception, user: str, secret: str) -> InboxError:
        """Only AUTHENTICATIONFAILED (RFC 5530) says that user or secret are wrong; any other no may pass."""
        # imapclient makes a LoginError of a connection that was lost during the login, too
        if isinstance(error, IMAPClientAbortError) or isinstance(error.__context__, IMAPClientAbortError):
            self.hang_up()
            return InboxError("dropped", f"{self.where} ended the connection: {_said(error)} (login)")
        if "AUTHENTICATIONFAILED" in str(error):
            return InboxError("login", f"{self.where} says that user {user} or the {secret} is wrong", retry=False)
        return InboxError("login", f"{self.where} does not let {user} in: {_said(error)}")

    def _authenticate(self, user: str, secret: str, *, oauth: bool) -> None:
        """AUTHENTICATE with what is on offer, else LOGIN, which cannot carry every password."""
        offered = self.words()
        if oauth:
            mechanism = "OAUTHBEARER" if "AUTH=OAUTHBEARER" in offered and "AUTH=XOAUTH2" not in offered else "XOAUTH2"
            self.sasl_login(mechanism, _bearer(mechanism, user, secret))
        elif "AUTH=PLAIN" in offered:
            self.plain_login(user, secret)
        elif "LOGINDISABLED" in offered:
            raise IMAPClientError("it offers no way to log in with a password")
        elif not (user + secret).isascii() or re.search(r"[\r\n\0]", user + secret):
            raise IMAPClientError("it cannot take a user or password with such letters")
        else:
            self.login(user, secret)

    def words(self) -> frozenset[str]:
        """What the server can do, in capitals: "IDLE", "MOVE", "AUTH=PLAIN"."""
        return frozenset(word.decode("ascii", "replace").upper() for word in self.capabilities())

    # Waiting ----------------------------------------------------------------------------------------------------------

    def idle(self) -> None:
        """Begin IDLE; unlike imapclient's own, this allows for news that come before the server says that it idles."""
        self._idle_tag = self._imap._command("IDLE")
        while self._imap._get_response() is not None:  # None is the continuation
            if self._imap.tagged_commands.get(self._idle_tag):
                _, data = self._imap.tagged_commands.pop(self._idle_tag)
                raise IMAPClientError(f"idle failed: {data[0]!r}")

    def has_unread(self) -> bool:
        """Whether bytes were taken from the socket, or by TLS, that nobody has read yet: poll() cannot see them."""
        if (unread := getattr(self._imap, "_readbuf", None)) is not None:  # Python 3.14 on
            return any(unread) or bool(getattr(self.socket(), "pending", int)())
        self.socket().setblocking(False)
        try:
            return bool(self._imap.file.peek(1))
        except (BlockingIOError, ssl.SSLWantReadError):
            return False
        finally:
            self._set_read_timeout()

    # Commands ---------------------------------------------------------------------------------------------------------

    def search_after(self, after_uid: int, since: datetime | None) -> list[int]:
        """UIDs above `after_uid`, in order, received on or after the day before `since`.

        `n:*` names the last mail too, however low its UID (RFC 3501, 6.4.8); SINCE knows days only, in a zone of the
        server's own.
        """
        criteria: list[Any] = ["UID", f"{after_uid + 1}:*"]
        if since:
            criteria += ["SINCE", (since.astimezone(UTC) - timedelta(days=1)).date()]
        return sorted(uid for uid in self.search(criteria) if uid > after_uid)

    def fetch_present(self, uids: Sequence[int], items: Sequence[str]) -> dict[int, dict[bytes, Any]]:
        """FETCH; one by one where the server says no to all since one has vanished (RFC 5530, EXPUNGEISSUED)."""
        try:
            return dict(self.fetch(uids, items))
        except (IMAPClientAbortError, ProtocolError):
            raise
        except IMAPClientError:
            if len(uids) == 1:
                return {}
            return {uid: said for one in uids for uid, said in self.fetch_present([one], items).items()}

    def structure(self, uid: int) -> Any:
        """A mail's BODYSTRUCTURE; None where there is none or imapclient cannot read it.

        It follows the mail's parts, so its sender shaped it; a connection is not to end over it, again and again.
        """
        try:
            return self.fetch_present([uid], ["BODYSTRUCTURE"]).get(uid, {}).get(b"BODYSTRUCTURE")
        except _UNREADABLE:
            return None

    def listing(self) -> list[tuple[tuple[bytes, ...], bytes | None, str]]:
        """(attributes, separator, name) of each folder; a name in no known encoding ("R&D") spoils no other."""
        self.folder_encode = False
        try:
            return [(flags, separator, _decoded(name)) for flags, separator, name in self.list_folders()]
        finally:
            self.folder_encode = True

    def create(self, name: str) -> None:
        """Create a folder, unless somebody just has, and subscribe to it so that people's clients show it."""
        try:
            self.create_folder(name)
        except IMAPClientError as error:
            if isinstance(error, IMAPClientAbortError) or "EXISTS" not in str(error).upper():
                raise
        with contextlib.suppress(IMAPClientError):
            self.subscribe_folder(name)

    def transfer(self, uids: Sequence[int], name: str) -> None:
        """MOVE, or what comes nearest to it."""
        if "MOVE" in self.words():
            self.move(uids, name)
        else:
            self.copy(uids, name)
            self.erase(uids)

    def erase(self, uids: Sequence[int]) -> None:
        """Delete these and no others: without UIDPLUS they are only marked, as an EXPUNGE would take everybody's."""
        self.add_flags(uids, [DELETED], silent=True)
        if "UIDPLUS" in self.words():
            self.uid_expunge(uids)


# Faults ---------------------------------------------------------------------------------------------------------------

# what imapclient raises: its own, the socket's, and on an answer that is no IMAP whatever its parser stumbled over
_UNREADABLE = (ProtocolError, ValueError, TypeError, LookupError, AssertionError, RecursionError)
_FAULTS = (IMAPClientError, OSError, *_UNREADABLE)
_QUOTA = ("OVERQUOTA", "OVER QUOTA", "QUOTA EXCEEDED")
_NO_FOLDER = ("TRYCREATE", "NONEXISTENT", "DOESN'T EXIST", "DOES NOT EXIST", "UNKNOWN MAILBOX", "NO SUCH MAILBOX")


def read_fault(error: Exception) -> tuple[Kind, str]:
    """What a fault of imapclient's means, and a reason that goes on from "the mail server …"."""
    match error:
        case ssl.SSLCertVerificationError():
            return "tls", f"shows a certificate that does not verify: {error.verify_message}"
        case ssl.SSLError():
            return "tls", f"cannot be spoken to over TLS: {error.reason or 'the handshake failed'}"
        case TimeoutError():
            return "dropped", "did not answer in time"
        case IMAPClientReadOnlyError():
            return "folder", "lets us only read this folder"
        case IMAPClientAbortError():
            return "dropped", f"ended the connection: {_said(error)}"
        case OSError():
            return "dropped", f"cannot be reached ({error.strerror or type(error).__name__})"
    text = str(error).upper()
    if isinstance(error, _UNREADABLE) or "GOT MORE THAN" in text:  # imaplib's word for a line of over a million bytes
        return "dropped", f"answered with something that cannot be read: {type(error).__name__}"
    if any(sign in text for sign in _QUOTA):
        return "quota", f"says that the mailbox is full: {_said(error)}"
    if any(sign in text for sign in _NO_FOLDER):
        return "folder", f"has no such folder: {_said(error)}"
    return "refused", f"said no: {_said(error)}"


def _said(error: Exception) -> str:
    """The server's words as one short line, without what imaplib and imapclient put around them."""
    text = re.sub(r"^(command: \w+ => )?(\w+ failed: )?", "", str(error))
    return " ".join(re.sub(r"^b['\"](.*)['\"]$", r"\1", text).split())[:200]


def _decoded(name: bytes | str) -> str:
    try:
        return str(decode_utf7(name))
    except UnicodeDecodeError:
        return bytes(name).decode("latin-1")  # type: ignore[arg-type]


def _is_loopback(address: str) -> bool:
    found = ipaddress.ip_address(address.partition("%")[0])
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return (mapped or found).is_loopback


def _bearer(mechanism: str, user: str, token: str) -> Callable[[bytes], bytes]:
    """XOAUTH2 (Google, Microsoft) or OAUTHBEARER (RFC 7628): the token, then the end of the server's complaint."""
    start = f"user={user}" if mechanism == "XOAUTH2" else f"n,a={user.replace('=', '=3D').replace(',', '=2C')},"
    answers = iter([f"{start}\1auth=Bearer {token}\1\1".encode(), b"" if mechanism == "XOAUTH2" else b"\1"])
    return lambda challenge: next(answers, b"")
