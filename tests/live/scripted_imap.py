"""A fake IMAP server for faults that real servers will not show on request.

It behaves: one user, folders of mails in memory, the commands that the router sends. `bend(command, action)` changes
how the next such command is answered; everything else goes on as usual. What it was told stands in `commands`.
"""

from __future__ import annotations

import base64
import re
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Self

from tests.servers import HOST

DROP = "drop"  # close instead of answering
HALF = "half"  # send half of the answer, then close
SILENT = "silent"  # take the command, answer nothing
BYE = "bye"  # "* BYE", then close
SPLIT = "split"  # the answer in pieces of a few bytes
GARBAGE = "garbage"  # an answer that is no IMAP

Action = str | Callable[["Session", str, str], None]  # a word above, a tagged answer ("NO [OVERQUOTA] full"), or code


@dataclass
class Mail:
    uid: int
    raw: bytes
    received: datetime
    flags: set[str] = field(default_factory=set)


@dataclass
class Folder:
    uidvalidity: int = 1000
    uidnext: int = 1
    mails: list[Mail] = field(default_factory=list)

    def put(self, raw: bytes, received: datetime | None = None) -> Mail:
        mail = Mail(self.uidnext, raw, received or datetime.now(UTC))
        self.uidnext += 1
        self.mails.append(mail)
        return mail


class ScriptedImap:
    """The server; a context manager. `capabilities` may be changed before a client connects."""

    def __init__(self, capabilities: str = "IMAP4rev1 IDLE MOVE UIDPLUS UNSELECT AUTH=PLAIN") -> None:
        self.capabilities = capabilities
        self.folders = {"INBOX": Folder()}
        self.secret = "secret"
        self.commands: list[str] = []
        self.sessions: list[Session] = []
        self.port = 0
        self._bends: list[tuple[str, Action]] = []
        self._listener = socket.create_server((HOST, 0))

    @property
    def inbox(self) -> Folder:
        return self.folders["INBOX"]

    def bend(self, command: str, action: Action, times: int = 1) -> None:
        """Answer the next `times` such commands ("GREETING", "FETCH", "IDLE", …) with `action`."""
        self._bends += [(command, action)] * times

    def arrive(self, raw: bytes = b"Subject: news\r\n\r\nnew\r\n", *, tell: bool = True) -> Mail:
        """A mail lands in the inbox; idling clients are told, unless `tell` is False."""
        mail = self.inbox.put(raw)
        for session in self.sessions:
            if tell and session.idling:
                session.send(f"* {len(self.inbox.mails)} EXISTS\r\n".encode())
        return mail

    def said(self, command: str) -> list[str]:
        """The lines of one command, in order, without their tags."""
        return [line for line in self.commands if _verb(line) == command]

    def next_bend(self, command: str) -> Action | None:
        for bend in self._bends:
            if bend[0] == command:
                self._bends.remove(bend)
                return bend[1]
        return None

    def __enter__(self) -> Self:
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for session in self.sessions:
            session.close()
        self._thread.join(5)
        for session in self.sessions:
            session.join(5)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                session = Session(self, self._listener.accept()[0])
                self.sessions.append(session)
                session.start()


class Gone(Exception):
    """The connection is over."""


class Session(threading.Thread):
    """One connection."""

    def __init__(self, server: ScriptedImap, sock: socket.socket) -> None:
        super().__init__(daemon=True)
        self.server = server
        self.idling = False
        self.folder = server.inbox
        self._sock = sock
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = sock.makefile("rb")
        self._held: bytearray | None = None
        self._whole = True
        self.literal = b""  # the last one

    def run(self) -> None:
        with suppress(Gone, OSError, ValueError):
            self._answer("*", "GREETING", "")
            while True:
                tag, _, line = self._read_line().partition(" ")
                self.server.commands.append(line)
                self._answer(tag, _verb(line), line)
        self.close()

    def close(self) -> None:
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()

    def send(self, data: bytes) -> None:
        """To the client; kept back while an answer is being bent."""
        if self._held is not None:
            self._held += data
        else:
            self._sock.sendall(data)

    def read(self) -> str:
        """One more line from the client, who waits for what was said so far."""
        self._let_go()
        line = self._file.readline()
        if not line:
            raise Gone
        return line.rstrip(b"\r\n").decode("latin-1")

    def _read_line(self) -> str:
        line = self.read()
        while found := re.search(r"\{(\d+)(\+?)\}$", line):
            if not found[2]:
                self.send(b"+ go on\r\n")
            self.literal = self._file.read(int(found[1]))
            line = line[: found.start()] + self.literal.decode("latin-1") + self.read()
        return line

    def _answer(self, tag: str, verb: str, line: str) -> None:
        action = self.server.next_bend(verb)
        usual = getattr(self, f"do_{verb.lower()}", self.do_unknown)
        if action is None:
            usual(tag, line)
        elif callable(action):
            action(self, tag, line)
        elif action == DROP:
            raise Gone
        elif action == SILENT:
            self._file.read()  # until the client gives up
            raise Gone
        elif action == BYE:
            self.send(b"* BYE the server is going down\r\n")
            raise Gone
        elif action == GARBAGE:
            self.send(b"HTTP/1.1 400 Bad Request\r\n\r\n<html>\r\n")
        elif action in (HALF, SPLIT):
            self._held, self._whole = bytearray(), action == SPLIT
            usual(tag, line)
            self._let_go()
            self._held = None
        else:
            self.send(f"{tag} {action}\r\n".encode())

    def _let_go(self) -> None:
        """Send what was held back: in pieces, or half of it and then nothing more."""
        if not self._held:
            return
        held, step = bytes(self._held), max(1, len(self._held) // 6)
        self._held.clear()
        if not self._whole:
            self._sock.sendall(held[: len(held) // 2])
            raise Gone
        for start in range(0, len(held), step):
            self._sock.sendall(held[start : start + step])
            time.sleep(0.003)

    # The commands, as a well-behaved server answers them --------------------------------------------------------------

    def ok(self, tag: str, text: str = "done") -> None:
        self.send(f"{tag} OK {text}\r\n".encode())

    def do_greeting(self, tag: str, line: str) -> None:
        self.ok(tag, f"[CAPABILITY {self.server.capabilities}] ready")

    def do_unknown(self, tag: str, line: str) -> None:
        self.send(f"{tag} BAD unknown command\r\n".encode())

    def do_capability(self, tag: str, line: str) -> None:
        self.send(f"* CAPABILITY {self.server.capabilities}\r\n".encode())
        self.ok(tag)

    def do_noop(self, tag: str, line: str) -> None:
        self.send(f"* {len(self.folder.mails)} EXISTS\r\n".encode())
        self.ok(tag)

    def do_login(self, tag: str, line: str) -> None:
        self._let_in(tag, line.endswith(f'"{self.server.secret}"'))

    def do_authenticate(self, tag: str, line: str) -> None:
        self.send(b"+ \r\n")
        given = base64.b64decode(self.read()).decode()
        self.server.commands.append(f"authenticated {given!r}")
        if self.server.secret not in re.split(r"[\0\1 ]", given) and "PLAIN" not in line:
            self.send(b"+ " + base64.b64encode(b'{"status":"401"}') + b"\r\n")
            self.server.commands.append(f"answered {base64.b64decode(self.read())!r}")
        self._let_in(tag, self.server.secret in re.split(r"[\0\1 ]", given))

    def _let_in(self, tag: str, is_right: bool) -> None:
        if is_right:
            self.ok(tag, f"[CAPABILITY {self.server.capabilities}] welcome")
        else:
            self.send(f"{tag} NO [AUTHENTICATIONFAILED] wrong\r\n".encode())

    def do_logout(self, tag: str, line: str) -> None:
        self.send(b"* BYE bye\r\n")
        self.ok(tag)
        raise Gone

    def do_list(self, tag: str, line: str) -> None:
        for name in self.server.folders:
            self.send(f'* LIST () "/" "{name}"\r\n'.encode())
        self.ok(tag)

    def do_create(self, tag: str, line: str) -> None:
        self.server.folders[_quoted(line)] = Folder()
        self.ok(tag)

    do_subscribe = do_check = lambda self, tag, line: self.ok(tag)

    def do_select(self, tag: str, line: str) -> None:
        name = _quoted(line)
        if name not in self.server.folders:
            self.send(f"{tag} NO [NONEXISTENT] no such mailbox\r\n".encode())
            return
        self.folder = self.server.folders[name]
        self.send(b"* FLAGS (\\Seen \\Deleted)\r\n* OK [PERMANENTFLAGS (\\Seen \\Deleted \\*)] yes\r\n* 0 RECENT\r\n")
        self.send(f"* {len(self.folder.mails)} EXISTS\r\n* OK [UIDVALIDITY {self.folder.uidvalidity}] v\r\n".encode())
        self.send(f"* OK [UIDNEXT {self.folder.uidnext}] n\r\n".encode())
        self.ok(tag, "[READ-WRITE] selected")

    def do_search(self, tag: str, line: str) -> None:
        mails = self._named(line.split()[3])
        if since := re.search(r"SINCE (\S+)", line):
            day = datetime.strptime(since[1], "%d-%b-%Y").replace(tzinfo=UTC)
            mails = [mail for mail in mails if mail.received >= day]
        if "UNDELETED" in line:
            mails = [mail for mail in mails if "\\Deleted" not in mail.flags]
        self.send(" ".join(["* SEARCH", *(str(mail.uid) for mail in mails)]).encode() + b"\r\n")
        self.ok(tag)

    def do_fetch(self, tag: str, line: str) -> None:
        for mail in self._named(line.split()[2]):
            number = self.folder.mails.index(mail) + 1
            self.send(f"* {number} FETCH (UID {mail.uid}".encode())
            if "RFC822.SIZE" in line:
                received = mail.received.strftime("%d-%b-%Y %H:%M:%S +0000")
                self.send(f' RFC822.SIZE {len(mail.raw)} INTERNALDATE "{received}"'.encode())
            if "BODY.PEEK[]" in line:
                self.send(b" BODY[] {%d}\r\n%b" % (len(mail.raw), mail.raw))
            self.send(b")\r\n")
        self.ok(tag)

    def do_store(self, tag: str, line: str) -> None:
        flags = re.search(r"\((.*)\)", line)
        for mail in self._named(line.split()[2]):
            mail.flags.update(flags[1].split() if flags else ())
        self.ok(tag)

    def do_copy(self, tag: str, line: str) -> None:
        if (name := _quoted(line)) not in self.server.folders:
            self.send(f"{tag} NO [TRYCREATE] no such mailbox\r\n".encode())
            return
        for mail in self._named(line.split()[2]):
            self.server.folders[name].put(mail.raw, mail.received)
        self.ok(tag)

    def do_move(self, tag: str, line: str) -> None:
        if _quoted(line) in self.server.folders:
            moved = self._named(line.split()[2])
            self.do_copy("*", line)
            self._remove(moved)
            self.ok(tag)
        else:
            self.do_copy(tag, line)

    def do_expunge(self, tag: str, line: str) -> None:
        named = self._named(line.split()[2]) if line.upper().startswith("UID") else self.folder.mails
        self._remove([mail for mail in named if "\\Deleted" in mail.flags])
        self.ok(tag)

    def do_append(self, tag: str, line: str) -> None:
        self.server.folders[_quoted(line)].put(self.literal)
        self.ok(tag)

    def do_idle(self, tag: str, line: str) -> None:
        self.idling = True
        self.send(b"+ idling\r\n")
        self.read()
        self.idling = False
        self.ok(tag)

    def _remove(self, mails: list[Mail]) -> None:
        for mail in mails:
            self.send(f"* {self.folder.mails.index(mail) + 1} EXPUNGE\r\n".encode())
            self.folder.mails.remove(mail)

    def _named(self, uids: str) -> list[Mail]:
        """The mails of a UID set; `n:*` names the last one always, as RFC 3501 has it."""
        found = []
        by_uid = {mail.uid: mail for mail in self.folder.mails}
        for part in uids.split(","):
            low, _, high = part.partition(":")
            if not high:
                found += [by_uid[int(low)]] if int(low) in by_uid else []
                continue
            for mail in self.folder.mails:
                last = mail is self.folder.mails[-1]
                if int(low) <= mail.uid <= (mail.uid if high == "*" else int(high)) or (high == "*" and last):
                    found.append(mail)
        return found


def _verb(line: str) -> str:
    words = line.upper().split()
    return words[1] if words[:1] == ["UID"] else words[0] if words else ""


def _quoted(line: str) -> str:
    return re.findall(r'"([^"]*)"', line)[-1]
