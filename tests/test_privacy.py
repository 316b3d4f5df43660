"""Somebody who is forgotten is in no file of the router's any more, and the counts are as they were."""

from __future__ import annotations

import base64
import email.policy
import json
import os
import re
from dataclasses import replace
from datetime import timedelta
from email import message_from_bytes
from pathlib import Path

import pytest

from router import privacy
from router.clerk import Clerk, leave_request
from router.config import load
from router.decision import Decision
from router.erasure import ERASED, Subject, without_client, without_words
from router.house import Bounds
from router.lead import Claim, Event, Lead, Letter, Pending, Status
from router.message import read_message
from router.office import NotDone
from router.privacy import expire, preview
from router.store import Delivery, Store, keep_file
from router.turn import Mail
from tests.dialogue import DOMAIN, SHARED, START, TEMPLATES, Play, Reader
from tests.test_clerk import CONFIG

PHRASES = ("falcon project", "nightingale", "osprey appendix", "kestrel addition")
NAME, ADDRESS = "Maria Falkenberg", "maria@falken.example"
CLIENT = f"From: {NAME} <{ADDRESS}>"


def files_with(folder: Path, *words: str) -> list[tuple[str, str]]:
    """Every file below the folder that holds one of these words, as it stands, escaped, or as a mail is decoded."""
    found = []
    for path in sorted(each for each in folder.rglob("*") if each.is_file()):
        raw = path.read_bytes()
        texts = [raw.decode("utf-8", "replace").lower()]
        texts.append(re.sub(r"\\u([0-9a-f]{4})", lambda code: chr(int(code[1], 16)), texts[0]))
        if path.suffix == ".eml":
            message = message_from_bytes(raw, policy=email.policy.default)
            texts += [str(part.get_payload(decode=True)).lower() for part in message.walk() if not part.is_multipart()]
        found += [(path.name, word) for word in words if any(word.lower() in text for text in texts)]
    return found


class Life:
    """A house in which Maria has left traces of every kind, and others have their own buns."""

    def __init__(self, folder: Path) -> None:
        self.play = Play(folder)
        self.reader = Reader(self.play)
        self.office = self.play.open()
        self.store = self.office.store
        (folder / "config.toml").write_text(CONFIG + '[store]\npath = "buns.json"\ntray = "tray.html"\n')
        self.clerk = Clerk(load(folder / "config.toml"), self.office)

    def says(self, line: str) -> None:
        self.reader._act(line, 0)

    def mail(self, *fields: str, text: str) -> None:
        number = self.play.uid + 1
        head = (
            *fields,
            f"To: {SHARED}",
            f"Message-ID: <{number}@falken.example>",
            "Date: Mon, 2 Mar 2026 09:00:00 +0000",
        )
        self.play.deliver("\r\n".join((*head, "", text, "")).encode())

    def forget(self, address: str) -> str:
        clerk = Clerk(self.clerk.settings, self.play.open())
        said = clerk.answer({"do": "forget", "address": address})
        clerk.store.flush()
        return said

    def lead(self, number: int) -> Lead:
        lead = self.store.lead(number)
        assert lead is not None
        return lead

    def live(self) -> None:
        """Buns eaten and open, mails set aside, held, unsent and in quarantine, a tray, a repair's copy, an answer."""
        self.says("acme -> hello: Other matter | Can one of you review another thing of ours in May?")
        kind = 'Content-Type: multipart/mixed; boundary="b"'
        boundary = f"{CLIENT}\r\nSubject: The falcon project\r\nMIME-Version: 1.0\r\n{kind}"
        attached = "--b\r\nContent-Type: text/plain\r\n\r\nCan one of you help with the nightingale?\r\n--b\r\n"
        attached += (
            'Content-Type: text/plain; name="o.txt"\r\nContent-Disposition: attachment; filename="o.txt"\r\n\r\n'
        )
        self.mail(boundary, text=f"{attached}The osprey appendix\r\n--b--")
        self.says("bo -> bun 2: mine / I know the nightingale well")
        self.says("anna -> bun 2: note Maria Falkenberg is nice")
        self.says("anna -> bun 1: note I met maria@falken.example, she knows them")
        answer = f"In-Reply-To: {self.lead(2).message_id}"
        self.mail(CLIENT, "Subject: Re: The falcon project", answer, text="A kestrel addition to the above.")
        self.play.move(self.play.now + timedelta(days=2))
        self.says("bo -> bun 2: eaten")
        self.play.move(self.play.now + timedelta(days=1))
        self.mail(
            CLIENT, "Subject: falcon project, second part", text="And can somebody help with the nightingale again?"
        )
        self.mail(CLIENT, "Subject: falcon news", "List-Id: <news.falken.example>", text="The nightingale newsletter.")
        self.play.given["authenticated"] = ""
        self.office.house = replace(self.office.house, trust_senders="authenticated")
        self.mail(f"From: Cy <cy@{DOMAIN}>", "Subject: Re: [BUN 3] x", text=f"mine, as {ADDRESS} asked me")
        self.play.smtp_up = False
        self.mail(
            CLIENT, "Subject: Re: second", f"In-Reply-To: {self.lead(3).message_id}", text="Third kestrel addition."
        )
        for row in self.store.take(1, self.play.now, SHARED):
            self.in_flight = row
        self.poison()
        self.store.set_note("silenced", [f"ack to {ADDRESS}", "offers gathered"])
        (self.play.folder / "buns.json.damaged-1").write_text(json.dumps({"old": f"{ADDRESS} nightingale"}))
        requests = self.clerk.requests
        requests.mkdir(exist_ok=True)
        (requests / "old.answer").write_text(f"{ADDRESS}: done")
        self.clerk._write_tray()
        self.store.flush()

    def poison(self) -> None:
        """A mail of hers that broke the router, with its traceback."""
        body = base64.b64encode(b"The nightingale once more").decode()
        raw = f"{CLIENT}\r\nSubject: x\r\nContent-Transfer-Encoding: base64\r\n\r\n{body}\r\n".encode()
        keep_file(self.office.poison, "1-abc.eml", raw)
        keep_file(self.office.poison, "1-abc.txt", f"ValueError: {ADDRESS}".encode())
        doc = {
            "at": self.play.now.isoformat(),
            "reason": "x",
            "folder": "INBOX",
            "message_id": "",
            "size": 1,
            "file": "1-abc",
        }
        self.store.put("quarantine", 1, doc)


@pytest.fixture
def life(tmp_path: Path) -> Life:
    return Life(tmp_path)


def test_nothing_of_a_forgotten_client_is_left_in_any_file(life: Life) -> None:
    life.live()
    words = (ADDRESS, NAME, *PHRASES)
    assert {name for name, _ in files_with(life.play.folder, *words)} >= {
        "buns.json.journal", "1-abc.eml", "1-abc.txt", "tray.html", "buns.json.damaged-1", "old.answer"
    }  # fmt: skip
    answer = leave_request(life.store.path, {"do": "forget", "address": ADDRESS.upper()})
    assert life.clerk.take_requests()
    said = json.loads(answer.read_text())["answer"]
    assert said.startswith("erased from 3 leads") and "not the router's" not in said, said
    assert files_with(life.play.folder, *words) == []
    assert not life.store.quarantined()
    life.play.smtp_up = True
    life.play.sent.clear()
    life.store.mark([Delivery(life.in_flight.row, 3, "later", life.play.now, "451", life.play.now)])
    life.play._settle()
    assert files_with(life.play.folder, *words) == []
    told = {mail.to for mail in life.play.sent if mail.kind == "outcome"}
    assert told == {"@kim"}, "who worked on the open bun hears that it has ended"
    everything = b"".join(mail.raw for mail in life.play.sent)
    assert ADDRESS.encode() not in everything and b"falcon" not in everything


def test_the_counts_are_as_they_were(life: Life) -> None:
    life.live()
    taken = life.store.taken_since(START)
    before = [(n, life.lead(n).opened, life.lead(n).owner, len(life.lead(n).claims)) for n in (1, 2, 3)]
    life.forget(ADDRESS)
    after = [(n, life.lead(n).opened, life.lead(n).owner, len(life.lead(n).claims)) for n in (1, 2, 3)]
    assert before == after
    assert life.store.taken_since(START) == taken
    assert life.lead(2).status == Status.EATEN
    assert (life.lead(3).status, life.lead(3).ended_as) == (Status.THROWN, "withdrawn")
    assert life.lead(1).is_open and life.lead(1).client == "acme@acme.example"
    assert "she knows them" in str(life.lead(1)), "the rest of what others wrote stays"


def test_what_was_forgotten_stays_so_after_a_restart_and_a_new_mail_is_a_new_bun(life: Life) -> None:
    life.live()
    life.forget(ADDRESS)
    life.play.smtp_up = True
    life.says("the router restarts")
    assert files_with(life.play.folder, ADDRESS, NAME, *PHRASES) == []
    life.play.given.pop("authenticated")
    life.mail(CLIENT, "Subject: Hello again", text="Can one of you help us with something new?")
    lead = life.play.open().store.lead(4)
    assert lead is not None and lead.client == ADDRESS and lead.linked == ()


def test_a_second_time_finds_nothing(life: Life) -> None:
    life.live()
    life.forget(ADDRESS)
    assert life.forget(ADDRESS).startswith("erased from 0 leads, 0 unsent mails and 0 other records")
    assert life.forget("nobody@nowhere.example").startswith("erased from 0 leads")


def test_whoever_has_a_longer_address_or_name_is_left_alone(life: Life) -> None:
    """ann@x.example is neither joann@x.example nor ann@x.example.net, and Bo Ek is not Bo Eklund."""
    for client in ("ann@x.example", "joann@x.example", "ann@x.example.net", "z.ann@x.example"):
        life.mail(f"From: {client}", f"Subject: From {client}", text=f"Can one of you help {client} in May?")
    numbers = {lead.client: lead.id for lead in life.store.leads()}
    assert life.forget("ann@x.example").startswith("erased from 1 leads")
    assert life.lead(numbers["ann@x.example"]).client == ""
    for client in ("joann@x.example", "ann@x.example.net", "z.ann@x.example"):
        lead = life.lead(numbers[client])
        assert (lead.client, lead.subject) == (client, f"From {client}") and lead.is_open
        assert client in lead.text
    pattern = Subject(("ann@x.example",), ("Bo Ek",)).pattern
    assert not pattern.search("Bo Eklund") and not pattern.search("Limbo Ek")
    for text in ("Bo Ek's", "<ann@x.example>", "ask ANN@x.example.", "mailto:ann@x.example?x", r"a\nann@x.example"):
        assert pattern.search(text), text


def test_an_address_with_a_space_in_quotes_is_forgotten_like_any_other(life: Life) -> None:
    client = '"john doe"@x.example'  # RFC 5321 section 4.1.2: a quoted local part
    life.mail(f"From: {client}", "Subject: Ovens", text=f"Can one of you help {client} in May?")
    lead = next(each for each in life.store.leads() if each.subject == "Ovens")
    assert lead.client == client
    assert life.forget(client).startswith("erased from 1 leads")
    assert files_with(life.play.folder, "john doe") == []


@pytest.mark.parametrize("word", ["e", "ell", "falken.example", "@falken.example", "maria", ""])
def test_what_is_no_address_and_nobodys_key_erases_nothing(life: Life, word: str) -> None:
    life.live()
    before = life.store.path.with_name("buns.json.journal").read_bytes()
    said = life.forget(word)
    assert "nothing was erased" in said
    assert isinstance(said, NotDone)
    assert life.store.path.with_name("buns.json.journal").read_bytes() == before


def test_the_preview_says_what_would_go(life: Life) -> None:
    life.live()
    said = preview(life.office, ADDRESS)
    assert said == "buns of theirs: 2 (1 still open, which would end); of others that name them: 1"
    assert life.lead(3).client == ADDRESS


def test_files_that_are_not_the_routers_are_named_and_left_alone(life: Life) -> None:
    life.live()
    export = life.play.folder / "export.csv"
    export.write_text(f"3,{ADDRESS}\n")
    said = life.forget(ADDRESS)
    assert "export.csv" in said and ADDRESS not in said
    assert export.exists()


def test_a_consultant_on_the_roster_loses_their_words_and_keeps_their_place(life: Life) -> None:
    life.live()
    said = life.forget(f"bo@{DOMAIN}")
    assert "on the roster" in said
    assert files_with(life.play.folder, "I know the nightingale well") == []
    lead = life.lead(2)
    assert lead.owner == "bo" and [claim.who for claim in lead.claims] == ["bo"]


def test_a_consultant_who_has_left_is_a_number_in_the_history(life: Life) -> None:
    life.live()
    life.play.smtp_up = True
    life.play._settle()
    life.says("bo leaves the roster")
    office = life.play.open()
    taken = dict(office.store.taken_since(START))
    assert "bo" in office.store.people_states()
    said = life.forget("bo@home.example")  # any of the addresses that the roster had
    assert "on the roster" not in said
    office.store.flush()
    assert files_with(life.play.folder, "Bo Ek", f"bo@{DOMAIN}", "bo@home.example", "nightingale well") == []
    lead = office.store.lead(2)
    assert lead is not None and lead.owner == "former-1" and lead.claims[0].who == "former-1"
    assert dict(office.store.taken_since(START)) == {("former-1" if k == "bo" else k): n for k, n in taken.items()}
    assert "bo" not in office.store.people_states()
    assert files_with(life.play.folder, '"bo"', "@bo", " bo ") == []


def test_retention_erases_ended_buns_and_what_hung_on_them(life: Life) -> None:
    life.live()
    life.play.smtp_up = True
    life.play._settle()
    forgotten = life.lead(2).carried[0].sha256
    assert expire(life.office, 24) == 0
    life.play.now += timedelta(days=800)
    life.clerk._housekeeping(life.play.now)
    life.clerk._write_tray()
    assert life.lead(2).text == ERASED and life.lead(2).claims[0].line == ""
    assert life.lead(3).text != ERASED, "an open bun has no end yet"
    assert not (life.office.files / forgotten).exists()
    assert not life.store.quarantined()
    assert files_with(life.play.folder, "osprey appendix", "know the nightingale well", "<3@falken.example>") == []
    assert expire(life.office, 24) == 0, "nothing is let go of twice"


def test_retention_of_no_months_keeps_everything(life: Life) -> None:
    life.live()
    life.play.now += timedelta(days=8000)
    expire(life.office, 0)
    assert "nightingale" in life.lead(2).text


def test_answers_that_nobody_fetched_go_after_a_day(life: Life) -> None:
    life.clerk.requests.mkdir()
    old, new = life.clerk.requests / "a.answer", life.clerk.requests / "b.answer"
    for path, days in ((old, 2), (new, 0)):
        path.write_text("x")
        moment = (life.play.now - timedelta(days=days)).timestamp()
        os.utime(path, (moment, moment))
    expire(life.office, 24)
    assert not old.exists() and new.exists()


def test_every_field_of_a_lead_is_looked_at() -> None:
    """A field that comes to the lead later must be thought of here: no text of the client survives in any."""
    mark = "kestrel"
    lead = Lead(
        1, f"{mark} subject", Status.TAKEN, "bo", START, client=f"{mark}@x.example", client_name=f"{mark} name",
        text=mark, message_id=f"<{mark}@x>", client_thread=(f"<{mark}@x>",), draft=mark, ended_as="eaten",
        claims=(Claim("bo", START, f"mine, the {mark}"),), letters=(Letter(START, f"{mark}@x.example", mark),),
        pending=(Pending("throw", "bo", mark, mark, START),),
        events=(Event(START, f"“{mark}” noted", f"{mark}@x.example", mark),),
    )  # fmt: skip
    assert mark not in repr(without_client(lead, START))
    word = replace(lead, owner="bo", own="bo", released_by="bo", team=("bo",), together=("bo",), named=("bo",),
                   invited=("anna bo",), joined=("bo anna",), asked=("bo",), counts={"offer @bo": 1},
                   events=(Event(START, "c", "operator, as bo", "“x”"), Event(START, "x", "a", "bo")))  # fmt: skip
    bare = without_words(word, Subject(("bo@x.example",), ("Bo Ek",), "bo", "former-1"))
    assert "bo" not in repr(bare).replace("about", "")
    assert bare.invited == ("anna former-1",) and bare.counts == {"offer @former-1": 1}


def test_a_mail_in_another_charset_is_found_by_what_it_says(life: Life) -> None:
    """The address stands only in the decoded text, in base64."""
    body = base64.b64encode(f"Write to {ADDRESS}".encode()).decode()
    raw = f"From: x@y.example\r\nSubject: x\r\nContent-Transfer-Encoding: base64\r\n\r\n{body}\r\n".encode()
    assert ADDRESS in read_message(raw).text
    keep_file(life.office.poison, "2-b.eml", raw)
    life.store.put(
        "quarantine", 2, {"at": life.play.now.isoformat(), "reason": "", "folder": "", "file": "2-b", "size": 1}
    )
    life.forget(ADDRESS)
    assert not list(life.office.poison.glob("*.eml"))


def test_the_digest_that_waits_to_be_sent_names_nobody_any_more(life: Life) -> None:
    life.live()
    facts = {"leads": (life.lead(3),), "gathers": (3,), "slot": "x"}
    life.office.house = replace(life.office.house, bounds=Bounds(10**6, 10**6, 10**6, 10**6))
    life.office.commit(Decision("gathered", mails=((Mail("gathered", "list", facts), None),)))
    life.store.flush()
    assert any("falcon" in read_message(doc["raw"].encode()).text for _, doc in life.store.unsent())
    life.forget(ADDRESS)
    assert not any("falcon" in read_message(doc["raw"].encode()).text for _, doc in life.store.unsent())
    assert Store(life.store.path, read_only=True).unsent() == life.store.unsent()
    assert TEMPLATES


@pytest.mark.parametrize("dies_at", ["compact", "_drop_carried"])
def test_a_forgetting_that_was_killed_half_way_is_finished_at_the_next_start(
    life: Life, dies_at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(Exception):
        pass

    def die(*_: object) -> None:
        raise Killed

    life.live()
    owner = Store if dies_at == "compact" else privacy
    with monkeypatch.context() as patched:
        patched.setattr(owner, dies_at, die)
        with pytest.raises(Killed):
            life.forget(ADDRESS)
    assert files_with(life.play.folder, "nightingale")
    life.play.smtp_up = True
    life.says("the router restarts")
    clerk = Clerk(life.clerk.settings, life.play.open())
    clerk.tick()
    clerk._write_tray()
    assert files_with(life.play.folder, ADDRESS, NAME, *PHRASES) == []
