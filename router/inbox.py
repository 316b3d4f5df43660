"""The inbox: the shared mailbox as the mail thread sees it.

Job: wait for news, search, fetch, and file what has been handled, over one connection of imap.py. Shell; imports
imap.py alone. Decides nothing about mails and keeps nothing: cursors, and what was handled, are the store's.

Invariants
- Every failure leaves as `InboxError`, with one sentence for people and no secret in it; what `secret` raises passes.
- An object that lost its connection, or met one silence longer than the read timeout, is dead: every later call says
  "dropped". The caller backs off and connects again.
- `\\Seen`, COPYUID and EXISTS are not relied on. Nothing is erased but by `delete` and, where the server cannot MOVE,
  by UID EXPUNGE of what was just copied; a plain EXPUNGE, which erases other people's mail, is never sent.
- Filing and deleting can be repeated: what somebody else has moved meanwhile is reported as missing, not as a fault.
- One command names at most 800 mails; one answer holds about 4 MB, or a single larger mail.

Folder names are the configuration's, with "/" between levels; `_name` turns them into the server's own.

Leaves out: what a mail says, which mails are new to us, back-off, alerts.
"""

from __future__ import annotations

import contextlib
import math
import re
import select
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import getaddresses
from itertools import islice
from pathlib import Path
from typing import Any, Literal, TypeVar

from router import progress
from router.imap import Account, Connection, InboxError, Kind, Security, connect

__all__ = ["Fetched", "Filed", "Found", "Inbox", "InboxError", "Kind", "Met", "Security", "Woken"]

Woken = Literal["mail", "wake", "time"]
T = TypeVar("T")

FETCH_BYTES = 4_000_000  # of bodies in one answer
HEAD_BYTES = 1_000_000  # of the header, and of the first text part, of a mail that is too large
# Mails named in one command: 7-digit UIDs then stay under the 8,000 octets of RFC 2683, 3.2.1.5. Fewer cost more: in a
# Maildir of 20,000 mails Dovecot takes about 0.1 s for a MOVE, whether it names one mail or 800.
BATCH = 800
SLICES = (0.1, 1.0, 30.0)  # seconds of waiting, one after another, after a pass that found something
FILE_TRIES = 5  # while others take the same mails away
SELECT_AGAIN = 600.0  # seconds after which a folder is selected anew: see _select
LIST_AGAIN = 60.0  # seconds for which a folder that was not there is believed to be missing


@dataclass(frozen=True, slots=True)
class Met:
    """A mail as it lies on the server. `received` is INTERNALDATE in UTC; `size` is the server's word, a hint."""

    folder: str
    uidvalidity: int
    uid: int
    received: datetime
    size: int

    def order(self) -> tuple[datetime, str, int]:
        """The sort key over folders: the order in which the server received (ARCHITECTURE, Rooms)."""
        return (self.received, self.folder, self.uid)


@dataclass(frozen=True, slots=True)
class Found:
    """What a search met, in the server's order. `uidnext`: every mail below it has been searched for.

    `older`: how many mails `since` left out; known where the search began at the folder's first mail, else 0.
    """

    uidvalidity: int
    met: tuple[Met, ...]
    uidnext: int
    older: int = 0


@dataclass(frozen=True, slots=True)
class Fetched:
    """A mail's bytes. `partial`: only its header and first text part, since the whole is larger than `max_size`."""

    met: Met
    raw: bytes
    partial: bool


@dataclass(frozen=True, slots=True)
class Filed:
    """UIDs that were filed, and those that were no longer there."""

    done: tuple[int, ...] = ()
    missing: tuple[int, ...] = ()


class Inbox:
    """One connection to one mailbox; see the module's invariants.

    `secret` is called at each login (a password, or with `oauth` an access token). Timeouts, and `poll`, the longest
    wait where the server offers no IDLE, are in seconds. `handled`: "move" files mails into folders, "keep" leaves them
    where they are and gives them the `keyword`. Mails of more than `max_size` bytes are fetched in part.
    """

    def __init__(
        self,
        *,
        host: str,
        port: int,
        security: Security,
        user: str,
        secret: Callable[[], str],
        oauth: bool = False,
        ca_file: Path | None = None,
        connect_timeout: float = 10.0,
        read_timeout: float = 60.0,
        handled: Literal["move", "keep"] = "move",
        keyword: str = "$BunHandled",
        max_size: int = 25_000_000,
        poll: float = 60.0,
    ) -> None:
        self._account = Account(host, port, security, user, secret, oauth, ca_file, connect_timeout, read_timeout)
        self._handled, self._keyword, self._max_size, self._poll = handled, keyword, max_size, poll
        self._connection: Connection | None = None
        self._begin_session()

    def _begin_session(self) -> None:
        self.capabilities: frozenset[str] = frozenset()  # what the server can do, in capitals, as told after the login
        self._folders: dict[str, tuple[bytes, ...]] = {}  # the server's names and their attributes
        self._prefix, self._separator = "", "/"
        self._selected = self._idle_folder = ""
        self._selection: dict[bytes, Any] = {}
        self._selected_at = self._listed_at = -math.inf  # monotonic seconds
        self._covered: dict[str, int] = {}  # folder -> below which UID everything was searched for
        self._calm = 0  # index into SLICES

    def connect(self) -> None:
        """Connect, make the line safe, log in. Raises InboxError; may be called again at any time."""
        self.close()
        self._begin_session()
        self._connection = connect(self._account)
        with self._talking("asking what it can do") as server:
            self.capabilities = server.words()

    def close(self) -> None:
        """Log out where the line still stands, and hang up. Never raises."""
        if self._connection:
            self._connection.leave()
        self._connection = None

    @contextlib.contextmanager
    def _talking(self, doing: str) -> Iterator[Connection]:
        """The connection, for one exchange whose faults leave as InboxError."""
        if self._connection is None:
            raise InboxError("dropped", f"there is no connection to {self._account.where}")
        try:
            with self._connection.exchange(doing) as server:
                yield server
        except InboxError as error:
            if error.kind == "folder":  # what we knew of the folders is out of date
                self._folders, self._listed_at = {}, -math.inf
            raise

    @property
    def has_idle(self) -> bool:
        return "IDLE" in self.capabilities

    @property
    def has_move(self) -> bool:
        return "MOVE" in self.capabilities

    @property
    def has_uidplus(self) -> bool:
        return "UIDPLUS" in self.capabilities

    # Folders ----------------------------------------------------------------------------------------------------------

    def folders(self) -> list[str]:
        """The folders that can be opened, by the server's own names. Raises InboxError."""
        with self._talking("listing the folders") as server:
            listed = server.listing()
            personal = server.namespace().personal if "NAMESPACE" in self.capabilities else None
        self._folders = {name: flags for flags, _, name in listed if not _CLOSED.intersection(flags)}
        self._listed_at = time.monotonic()
        self._separator = next((separator.decode() for _, separator, _ in listed if separator), "/")
        self._prefix = personal[0][0] if personal else ""
        return list(self._folders)

    def has_folder(self, folder: str) -> bool:
        """Whether it is there, by the name that the configuration gives it; within a minute of its making.

        Raises InboxError.
        """
        if not self._is_listed(folder) and time.monotonic() - self._listed_at >= LIST_AGAIN:
            self.folders()
        return self._is_listed(folder)

    def _is_listed(self, folder: str) -> bool:
        name = self._name(folder)
        return name in self._folders or name == "INBOX"

    def ensure_folders(self, names: Iterable[str]) -> list[str]:
        """Create those that are missing; returns them. Raises InboxError (folder, refused) where we are not let."""
        self.folders()
        missing = [name for name in dict.fromkeys(names) if not self._is_listed(name)]
        for name in missing:
            self._create(name)
        return missing

    def _create(self, folder: str) -> None:
        name = self._name(folder)
        with self._talking(f'creating the folder "{name}"') as server:
            server.create(name)
        self.folders()

    def _name(self, folder: str) -> str:
        """The server's name: the same where there is one, else "/" levels in the server's way, else by its use."""
        if folder.upper() == "INBOX":
            return "INBOX"
        if not self._folders:
            self.folders()
        native = folder.replace("/", self._separator)
        native = native if native.startswith(self._prefix) else self._prefix + native
        if folder in self._folders or native in self._folders:
            return folder if folder in self._folders else native
        use = _SPECIAL_USE.get(folder)
        return next((name for name, flags in self._folders.items() if use in flags), native)

    def _select(self, folder: str) -> None:
        """Make `folder` the current one, and see what is new in it.

        One that is selected already is only asked for news, but anew from time to time: UIDVALIDITY is told at a SELECT
        alone, and imaplib keeps every line that the server says unasked until the next one.
        """
        name = self._name(folder)
        with self._talking(f'opening the folder "{folder}"') as server:
            if folder == self._selected and time.monotonic() - self._selected_at < SELECT_AGAIN:
                server.noop()
                return
            self._selected = ""
            self._selection = server.select_folder(name)
        self._selected, self._selected_at = folder, time.monotonic()
        self._idle_folder = self._idle_folder or folder

    def keeps_keyword(self, folder: str) -> bool:
        """Whether the server would keep our keyword there, as `handled = "keep"` needs. Raises InboxError."""
        self._select(folder)
        kept = {flag.lower() for flag in self._selection.get(b"PERMANENTFLAGS", ())}
        return rb"\*" in kept or self._keyword.lower().encode() in kept

    # Searching --------------------------------------------------------------------------------------------------------

    def search(self, folder: str, *, after_uid: int = 0, since: datetime | None = None) -> Found:
        """Every mail with a UID above `after_uid` that was received at or after `since`, in the server's order.

        All that had arrived when the call began is found. Costs two commands and one more for each 800 mails met.
        Raises InboxError.
        """
        self._select(folder)
        with self._talking(f'searching "{folder}"') as server:
            uids = server.search_after(after_uid, since)
        batches = progress.walk(f"searching {folder}", _batches(uids, BATCH), -(-len(uids) // BATCH))
        met = [mail for batch in batches for mail in self._meet(folder, batch)]
        met = sorted((mail for mail in met if since is None or mail.received >= since), key=Met.order)
        # the UIDNEXT of a SELECT that may be old: what came since then is met again rather than missed
        uidnext = max([self._selection.get(b"UIDNEXT", 1), after_uid + 1, *(uid + 1 for uid in uids)])
        self._covered[folder] = uidnext
        older = max(0, self._selection[b"EXISTS"] - len(met)) if since and not after_uid else 0
        return Found(self._uidvalidity(), tuple(met), uidnext, older)

    def _meet(self, folder: str, uids: Sequence[int]) -> Iterator[Met]:
        with self._talking(f'searching "{folder}"') as server:
            answers = server.fetch(uids, ["INTERNALDATE", "RFC822.SIZE"])
        for uid, said in answers.items():
            if b"RFC822.SIZE" in said:
                yield Met(folder, self._uidvalidity(), uid, _utc(said.get(b"INTERNALDATE")), said[b"RFC822.SIZE"])

    def _uidvalidity(self) -> int:
        return int(self._selection.get(b"UIDVALIDITY", 0))

    def find_message_ids(self, folder: str, since: datetime) -> Iterator[tuple[Met, str]]:
        """Each mail received at or after `since` with its Message-ID, "" where it has none. Raises InboxError."""
        for batch in _batches(self.search(folder, since=since).met, BATCH):
            headers = self._fetch_headers(folder, [met.uid for met in batch], ("MESSAGE-ID",))
            for met in batch:
                if met.uid in headers:
                    found = _MESSAGE_ID.search(headers[met.uid])
                    yield met, "".join(found[1].decode("latin-1").split()) if found else ""

    def newest_headers(self, folder: str, count: int, names: Sequence[str]) -> list[bytes]:
        """These header fields of the `count` newest mails, newest first. Raises InboxError."""
        self._select(folder)
        with self._talking(f'searching "{folder}"') as server:
            uids = sorted(server.search_after(0, None), reverse=True)[: min(count, BATCH)]
        found = self._fetch_headers(folder, uids, names) if uids else {}
        return [found[uid] for uid in uids if uid in found]

    def search_address(self, folder: str, address: str) -> list[int]:
        """UIDs of the mails that name `address`, and not only one that ends like it, as sender or recipient.

        Raises InboxError.
        """
        if not address or any(ord(letter) < 33 for letter in address):
            return []
        criteria: list[Any] = ["HEADER", _ADDRESS_FIELDS[0], address]
        for name in _ADDRESS_FIELDS[1:]:
            criteria = ["OR", ["HEADER", name, address], criteria]
        self._select(folder)
        with self._talking(f'searching "{folder}"') as server:
            uids = server.search(criteria, None if address.isascii() else "UTF-8")
        batches = progress.walk(f"searching {folder}", _batches(uids, BATCH), -(-len(uids) // BATCH))
        headers = [self._fetch_headers(folder, batch, _ADDRESS_FIELDS) for batch in batches]
        return sorted(uid for found in headers for uid, header in found.items() if _names(header, address))

    def _fetch_headers(self, folder: str, uids: Sequence[int], names: Sequence[str]) -> dict[int, bytes]:
        with self._talking(f'fetching from "{folder}"') as server:
            answers = server.fetch_present(uids, [f"BODY.PEEK[HEADER.FIELDS ({' '.join(names)})]"])
        return {uid: raw or b"" for uid, said in answers.items() for key, raw in said.items() if key[:5] == b"BODY["}

    # Fetching ---------------------------------------------------------------------------------------------------------

    def fetch(self, folder: str, mets: Sequence[Met]) -> Iterator[Fetched]:
        """The bytes of each mail, in the order given; one that has vanished is left out. Nothing is marked as read.

        An iterator that holds one batch at a time. Raises InboxError, also while it is consumed.
        """
        for batch in _by_size(mets, self._max_size):
            if folder != self._selected:
                self._select(folder)
            if batch[0].uidvalidity != self._uidvalidity():
                raise InboxError("dropped", f'{self._account.where} has numbered the mails in "{folder}" anew')
            yield from self._fetch_head(batch[0]) if batch[0].size > self._max_size else self._fetch_whole(batch)

    def _fetch_whole(self, mets: Sequence[Met]) -> list[Fetched]:
        with self._talking(f'fetching from "{self._selected}"') as server:
            answers = server.fetch_present([met.uid for met in mets], ["BODY.PEEK[]"])
        bodies = {uid: said.get(b"BODY[]") for uid, said in answers.items()}
        return [Fetched(met, raw, partial=False) for met in mets if (raw := bodies.get(met.uid))]

    def _fetch_head(self, met: Met) -> list[Fetched]:
        with self._talking(f'fetching from "{self._selected}"') as server:
            number = _first_text(server.structure(met.uid))
            sections = ["HEADER", f"{number}.MIME", number] if number else ["HEADER", "TEXT"]
            items = [f"BODY.PEEK[{section}]<0.{HEAD_BYTES}>" for section in sections]
            said = server.fetch_present([met.uid], items).get(met.uid, {})
        header, *rest = (said.get(f"BODY[{section}]<0>".encode()) or b"" for section in sections)
        return [Fetched(met, _assemble(header, *rest), partial=True)] if header else []

    # Changing ---------------------------------------------------------------------------------------------------------

    def file(self, folder: str, uids: Sequence[int], to: str) -> Filed:
        """File handled mails: into the folder `to`, or under the keyword where they are.

        May be repeated: what is no longer there is `missing`. A missing target is created. Killed between COPY and the
        deletion, on a server without MOVE, a mail may lie in both folders. Raises InboxError (quota, folder, refused).
        """
        done = {uid for batch in _batches(uids, BATCH) for uid in self._file_batch(folder, batch, to)}
        return Filed(tuple(uid for uid in uids if uid in done), tuple(uid for uid in uids if uid not in done))

    def _file_batch(self, folder: str, uids: Sequence[int], to: str) -> list[int]:
        """Those that were there and are filed now; again where the target, or one of them, has just gone."""
        present = self._present(folder, uids)
        for left in reversed(range(FILE_TRIES)):
            try:
                self._file_present(folder, present, to)
                break
            except InboxError as error:
                if not left or (error.kind != "folder" and "EXPUNGEISSUED" not in error.reason):
                    raise
                if error.kind == "folder":
                    self._create(to)
            present = self._present(folder, present)
        return present

    def _present(self, folder: str, uids: Sequence[int]) -> list[int]:
        """Those that still lie in the folder; what is marked as deleted, but not yet erased, does not."""
        self._select(folder)
        with self._talking(f'filing from "{folder}"') as server:
            return list(server.search(["UID", ",".join(map(str, uids)), "UNDELETED"]))

    def _file_present(self, folder: str, uids: Sequence[int], to: str) -> None:
        name = self._name(to) if self._handled == "move" else ""
        with self._talking(f'filing from "{folder}"') as server:
            if uids and name:
                server.transfer(uids, name)
            elif uids:
                server.add_flags(uids, [self._keyword], silent=True)

    def delete(self, folder: str, uids: Sequence[int]) -> None:
        """Erase mails for good; without UIDPLUS they are only marked as deleted. Raises InboxError."""
        for batch in _batches(uids, BATCH):
            self._select(folder)
            with self._talking(f'deleting from "{folder}"') as server:
                server.erase(batch)

    def append(self, folder: str, raw: bytes, received: datetime | None = None) -> None:
        """Put a mail into a folder. Raises InboxError (quota, folder, refused)."""
        name = self._name(folder)
        with self._talking(f'writing to "{folder}"') as server:
            server.append(name, raw, msg_time=received)

    # Waiting ----------------------------------------------------------------------------------------------------------

    def wait(self, seconds: float, wake: int | None = None, *, found_something: bool = False) -> Woken:
        """Wait for mail, for the descriptor `wake` to become readable, or for time to pass; whichever comes first.

        At most `seconds`, and at most a slice: 30 s, but 0.1 s and then 1 s after a pass that `found_something`, since
        mails come together and some servers tell nobody of one that lands between a search and IDLE. Without IDLE the
        longest slice is `poll`. Search after each call, whatever it returned. Raises InboxError.
        """
        self._calm = 0 if found_something else min(self._calm + 1, len(SLICES) - 1)
        idle = self.has_idle and self._idle_folder != ""
        longest = SLICES[-1] if idle else self._poll
        slice_ = SLICES[self._calm] if self._calm < len(SLICES) - 1 else longest
        seconds = max(0.0, min(seconds, slice_, longest))
        if idle:
            return self._wait_idle(seconds, wake)
        with self._talking("waiting") as server:
            return _poll(server.socket(), wake, seconds)

    def _wait_idle(self, seconds: float, wake: int | None) -> Woken:
        if self._selected != self._idle_folder:
            self._select(self._idle_folder)
            if self._selection.get(b"UIDNEXT", 0) > self._covered.get(self._idle_folder, 0):
                return "mail"
        with self._talking("waiting") as server:
            server.idle()
            woken: Woken = "mail" if server.has_unread() else _poll(server.socket(), wake, seconds)
            _, told = server.idle_done()  # raises where the server has gone, which a readable socket may mean too
        return "mail" if told and woken == "time" else woken


# Reading what the server says -----------------------------------------------------------------------------------------

_CLOSED = frozenset((rb"\Noselect", rb"\NonExistent"))
_SPECIAL_USE = {"Sent": rb"\Sent", "Junk": rb"\Junk"}  # RFC 6154, for the configuration's default names
_ADDRESS_FIELDS = ("FROM", "SENDER", "REPLY-TO", "TO", "CC", "BCC")
_MESSAGE_ID = re.compile(rb"^message-id:\s*(<[^>]*>)", re.IGNORECASE | re.MULTILINE)
_BOUNDARY = re.compile(rb'^content-type:(?:[^\r\n]|\r?\n[ \t])*?boundary="?([^"\r\n;]+)', re.IGNORECASE | re.MULTILINE)
_FIELD = re.compile(rb"^[\w-]+:((?:[^\r\n]|\r?\n[ \t])*)", re.MULTILINE)


def _utc(received: datetime | None) -> datetime:
    """INTERNALDATE as aware UTC; a mail whose date cannot be read counts as received now, so that it is not lost."""
    try:
        return received.astimezone(UTC) if received else datetime.now(UTC)
    except OverflowError:
        return datetime.now(UTC)


def _names(header: bytes, address: str) -> bool:
    """Whether one of the addresses is this one: servers look for the letters anywhere, bo@ is found in jumbo@ too."""
    values = [value.decode("utf-8", "replace") for value in _FIELD.findall(header)]
    return address.lower() in {found.lower() for _, found in getaddresses(values)}


def _first_text(structure: Any) -> str:
    """The section of a multipart's first text/plain part, else its first text/html part; "" where there is none."""
    try:
        leaves = list(_leaves(structure, "")) if isinstance(structure[0], list) else []
        kinds = {section: b"%b/%b" % (leaf[0].upper(), leaf[1].upper()) for section, leaf in leaves}
    except (TypeError, AttributeError, LookupError, RecursionError):  # as strange as the mail's sender liked
        return ""
    wanted = (section for text in (b"TEXT/PLAIN", b"TEXT/HTML") for section, kind in kinds.items() if kind == text)
    return next(wanted, "")


def _leaves(structure: Any, above: str) -> Iterator[tuple[str, Any]]:
    for number, part in enumerate(structure[0], start=1):
        if isinstance(part[0], list):
            yield from _leaves(part, f"{above}{number}.")
        else:
            yield f"{above}{number}", part


def _assemble(header: bytes, *rest: bytes) -> bytes:
    """The head of a mail: its header as it is, then its text: a part's header and content, or a plain body."""
    boundary = _BOUNDARY.search(header)
    if len(rest) == 1 or not boundary:
        return header + rest[-1]
    line = b"--" + boundary[1].rstrip()
    return b"".join((header, line, b"\r\n", *rest, b"\r\n", line, b"--\r\n"))


def _poll(sock: Any, wake: int | None, seconds: float) -> Woken:
    """Wait on the socket and the wake descriptor; the latter wins, since it may say that we are to stop."""
    poller = select.poll()
    poller.register(sock, select.POLLIN)
    if wake is not None:
        poller.register(wake, select.POLLIN)
    ready = [descriptor for descriptor, _ in poller.poll(math.ceil(seconds * 1000))]
    if wake in ready:
        return "wake"
    return "mail" if ready else "time"


def _batches(items: Sequence[T], size: int) -> Iterator[list[T]]:
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch


def _by_size(mets: Sequence[Met], max_size: int) -> Iterator[list[Met]]:
    """Batches of at most FETCH_BYTES and BATCH mails; a larger mail alone."""
    batch: list[Met] = []
    total = 0
    for met in mets:
        alone = bool(batch) and max(met.size, batch[0].size) > max_size
        if batch and (alone or total + met.size > FETCH_BYTES or len(batch) == BATCH):
            yield batch
            batch, total = [], 0
        batch.append(met)
        total += met.size
    if batch:
        yield batch
