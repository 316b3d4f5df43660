"""The counter: what commands need of the house.

Job: open the store beside the daemon or instead of it, ask the daemon for what only one process may do, read a mail as
the router would. Shell; knows nothing of terminals.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from router.clerk import Clerk, leave_request
from router.commands import Command
from router.config import Settings
from router.house import House
from router.journal import StoreLocked
from router.lead import Lead, stamp
from router.message import MessageError, read_message
from router.office import NotDone, Office
from router.reply import Reply
from router.sameness import plain_subject
from router.start import house_of, lost_key, read_key, read_templates
from router.store import Store
from router.triage import triage
from router.verdict import Incoming, Verdict
from router.view import EmptyView

NO_FILE = "the file cannot be read"


class Sorry(Exception):
    """One sentence for the person at the keyboard; `status` is the exit status."""

    def __init__(self, sentence: str, status: int = 2) -> None:
        super().__init__(sentence)
        self.status = status


def now() -> datetime:
    return datetime.now(UTC)


def _installation(store: Store | None, settings: Settings) -> str:
    """Made with the store; part of every outgoing Message-ID."""
    known = store.note("installation") if store is not None else None
    return str(known or settings.collective.address)


def open_office(settings: Settings, *, read_only: bool = False) -> Office:
    """Store, key, templates and house together. Raises ConfigError, StoreError; Sorry where the store's key is lost."""
    templates = read_templates(settings.templates.folder)
    store = Store(settings.store.path, read_only=read_only)
    try:
        key = _key_of(store, settings, make=not read_only)
        if not read_only and store.note("installation") is None:
            store.set_note("installation", secrets.token_hex(6))
            store.flush()
    except BaseException:
        store.close()
        raise
    house = house_of(settings, _installation(store, settings), key)
    return Office(house, store, templates, now)


def _key_of(store: Store, settings: Settings, *, make: bool) -> bytes:
    """The store's key. One is made for a new store only: with another, no answer to an older mail is recognised."""
    fault = lost_key(settings, store.count_leads()) if make else ""
    if fault:
        raise Sorry(fault, 1)
    return read_key(settings.trust.key_file, make=make)


def make_new_key(settings: Settings) -> str:
    """A key in place of one that is lost for good; answers what is lost with it. Raises Sorry, StoreError."""
    path = settings.trust.key_file
    store = Store(settings.store.path)  # nobody else may be at work with the old one
    try:
        if path.exists():
            raise Sorry(f"the key {path} is there, so nothing was changed", 1)
        read_key(path, make=True)
    finally:
        store.close()
    return (
        f"A new key is in {path}; back it up with the store. Lost with the old one: the reply addresses and "
        "Message-IDs of mails sent so far. Answers to those find their bun by the number in the subject, as in "
        "[BUN 5], or by the client's own mail in the thread; colleagues' words in them count once your mail "
        "server has authenticated them, or once confirmed. Answers to newer mails are recognised as ever."
    )


def ask_daemon(settings: Settings, request: dict[str, Any], seconds: float = 60.0) -> str:
    """Have the running daemon do it; without one, take the lock and do it here. Answers what was done."""
    try:
        office = open_office(settings)
    except StoreLocked:
        answer_path = leave_request(settings.store.path, request)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if answer_path.exists():
                answer = json.loads(answer_path.read_bytes())
                answer_path.unlink(missing_ok=True)
                return _done(str(answer["answer"]), answer.get("done", True))
            time.sleep(0.05)
        raise Sorry("the daemon has not answered yet; the request stays, and it will take it in", 1) from None
    try:
        clerk = Clerk(settings, office)
        answer = clerk.answer(request)
        office.store.flush()
        return _done(answer, not isinstance(answer, NotDone))
    finally:
        office.store.close()


def _done(answer: str, done: bool) -> str:
    if not done:
        raise Sorry(answer, 1)
    return answer


def lead_json(lead: Lead) -> dict[str, Any]:
    """A bun as `status --json` lists it (ARCHITECTURE "Names")."""
    return {
        "id": lead.id,
        "subject": lead.subject,
        "status": str(lead.status),
        "owner": lead.owner,
        "client": lead.client,
        "claims": [{"who": c.who, "at": stamp(c.at)} for c in lead.claims if c.state in ("standing", "awarded")],
        "opened": stamp(lead.opened),
        "due": stamp(lead.due) if lead.due else None,
    }


def explain_file(path: Path, house: House, in_reply: bool) -> dict[str, Any]:
    """One mail as the router would read it; a file that cannot be read is an answer too."""
    nothing = dict.fromkeys(("text", "command", "client", "client_subject", "lead"))
    unreadable = {"file": str(path), "kind": "unreadable", "sender": "", "subject": "", **nothing, "text": ""}
    try:
        raw = path.read_bytes()
    except IsADirectoryError:
        return {**unreadable, "reason": f"{NO_FILE}: it is a folder; name the mails in it, as in {path / '*.eml'}"}
    except OSError as error:
        return {**unreadable, "reason": f"{NO_FILE}: {error.strerror}"}
    try:
        incoming = Incoming(read_message(raw), now(), as_reply=in_reply)
    except MessageError as error:
        return {**unreadable, "reason": str(error)}
    verdict = triage(incoming, house, EmptyView())
    return {"file": str(path), **explain_verdict(verdict, incoming)}


def explain_verdict(verdict: Verdict, incoming: Incoming) -> Mapping[str, Any]:
    """`explain --json`: one mail as the router would read it (ARCHITECTURE "Names")."""
    command = verdict.reading.command if verdict.reading else None
    forward = verdict.forward
    text = incoming.message.text if verdict.reply is None else _new_in(verdict.reply, verdict.kind)
    return {
        "kind": verdict.kind,
        "sender": verdict.author.address,
        "subject": incoming.message.subject,
        "text": text,
        "command": _command_json(command),
        "client": _client_of(verdict),
        "client_subject": forward.subject
        if forward
        else plain_subject(incoming.message.subject)
        if _is_lead(verdict)
        else None,
        "lead": verdict.lead,
        "reason": _reason(verdict),
    }


def _new_in(reply: Reply, kind: str) -> str:
    """What is new in it: the words, and on a thread also a mail that is forwarded below them."""
    return reply.news if kind == "reply" else reply.text


def _reason(verdict: Verdict) -> str:
    """Why it is read so, and the line that the new text was cut at."""
    how = verdict.reply.how if verdict.reply else ""
    note = verdict.forward.how if verdict.forward and verdict.kind != "forward" else ""
    return "; ".join(filter(None, (verdict.reason, how and f"new text: {how}", note and f"it forwards: {note}")))


def _is_lead(verdict: Verdict) -> bool:
    return verdict.kind in ("post",)


def _client_of(verdict: Verdict) -> str | None:
    return verdict.forward.client.address if verdict.forward and verdict.forward.client else None


def _command_json(command: Command | None) -> dict[str, Any] | None:
    if command is None:
        return None
    out: dict[str, Any] = {"verb": command.verb, "line": command.line}
    if command.who:
        out["who"] = list(command.who)
    if command.unknown:
        out["unknown"] = command.unknown
    if command.text:
        out["text"] = command.text
    if command.until:
        out["until"] = command.until.isoformat()
    if command.skills:
        out["skills"] = list(command.skills)
    return out
