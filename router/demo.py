"""The demo: a small cast writes mails, the real daemon answers, and the terminal tells the story.

Job: start the embedded mail server, run the daemon against it with working days pressed into seconds, let clients and
consultants write over SMTP, tell what happens as it happens, and check the outcome at the end. Shell.

Nothing here is faked: the mails travel by SMTP and IMAP on loopback, and the daemon is the one that `run` starts.
"""

from __future__ import annotations

import logging
import shutil
import smtplib
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import make_msgid
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.text import Text

from router.clerk import leave_request
from router.config import load
from router.daemon import Daemon
from router.history import tongue_of
from router.lead import Lead, Status
from router.mailhub import Delivered, MailHub
from router.message import Message, read_message
from router.office import Handled, Office
from router.terminal import print_wrapped
from router.tray import write_tray

HERE = "bunhouse.example"
SHARED = f"hello@{HERE}"
LIST = f"crew@{HERE}"
MARKER = ".bun-router-demo"  # a folder with this file is ours to empty
PEOPLE = {"anna": "Anna Lind", "bo": "Bo Ek", "cy": "Cy Moreau", "eva": "Eva Sand", "kim": "Kim Keeper"}
SKILLS = {"anna": ["rust", "security"], "bo": ["rust", "python"], "cy": ["design"], "eva": ["data"], "kim": []}
PATIENCE = 40.0  # seconds that any one step of the story may take

CONFIG = """\
# The demo's collective: working days pressed into seconds.
[collective]
name = "The Bun House"
address = "{shared}"
list = "{list}"
list_id = "{list_id}"
keeper = "kim"
languages = ["en", "sv"]
operator = "kim@{here}"

[imap]
host = "127.0.0.1"
port = {imap}
security = "plain"
user = "hello"
password_file = "password"
poll = "1 second"

[smtp]
host = "127.0.0.1"
port = {smtp}
security = "plain"

[protocol]
{times}

[hours]
timezone = "UTC"

[trust]
authserv_id = "mx.{here}"

[restraint]
per_stranger = 20

[store]
path = "store/buns.json"
tray = "tray.html"
"""


# A working day of four seconds.
TIMES = {
    "window": "4 seconds",
    "short_window": "3 seconds",
    "urgent_window": "3 seconds",
    "freshness": "4 seconds",
    "dry": "6 seconds",
    "decide": "3 seconds",
    "last_call": "3 seconds",
    "contest_mediate": "12 seconds",
    "contest_end": "20 seconds",
    "objection": "2 seconds",
    "undo_for": "1 second",
    "reheat_every": "2 seconds",
    "nudge": "60 seconds",
    "nudge_again": "120 seconds",
    "settle": "0 seconds",
}
# One of two minutes, for people who write by hand once the story is over.
SLOW_TIMES = {
    "window": "2 minutes",
    "short_window": "1 minute",
    "urgent_window": "1 minute",
    "freshness": "2 minutes",
    "dry": "4 minutes",
    "decide": "2 minutes",
    "last_call": "2 minutes",
    "contest_mediate": "2 minutes",
    "contest_end": "4 minutes",
    "objection": "30 seconds",
    "undo_for": "20 seconds",
    "reheat_every": "2 minutes",
    "nudge": "10 minutes",
    "nudge_again": "20 minutes",
    "settle": "0 seconds",
}


@dataclass(slots=True)
class Story:
    """The terminal's side: who wrote, what the router understood and why, what it sent, who owns what."""

    console: Console
    began: float = field(default_factory=time.monotonic)
    lock: threading.Lock = field(default_factory=threading.Lock)
    told: dict[int, int] = field(default_factory=dict)  # events of each bun that were told already

    def tell(self, what: str, style: str = "", indent: int = 0, timed: bool = False) -> None:
        """One line; with the time where it begins something, or `timed`."""
        with self.lock:
            seconds = time.monotonic() - self.began
            head = Text(f"{seconds:5.1f}s " if timed or not indent else "", style="dim")
            print_wrapped(self.console, Text.from_markup(what, style=style), head, 7 + indent)

    def wrote(self, who: str, to: str, what: str) -> None:
        self.tell(f"[bold]{escape(who)}[/] → {escape(to)}: “{escape(what)}”", "cyan")

    def heading(self, text: str) -> None:
        with self.lock:
            self.console.print(f"\n[bold]{escape(text)}[/]")

    def handled(self, handled: Handled, office: Office) -> None:
        """What the router made of it, in the collective's words."""
        if handled.kind in ("roster", "rota", "own", "probe", "canary") or (
            not handled.rows and handled.kind.startswith(("accepted", "duplicate"))
        ):
            return
        lead = office.store.lead(handled.lead) if handled.lead else None
        about = f"{office.house.words['bun']} {handled.lead}: " if lead else ""
        news = lead.events[self.told.get(lead.id, 0) :] if lead is not None else ()
        if lead is not None:
            self.told[lead.id] = len(lead.events)
        if handled.kind == "due" or handled.kind.startswith(("accepted", "failed")):
            if not news and not handled.rows:
                return
            tongue = tongue_of(office.templates, "en")
            told = [tongue.tell(event.what, event.why) for event in news]
            what = "; ".join(f"{said}{f' – {why}' if why else ''}" for said, why in told)
            self.tell(escape(f"{about}{what or 'the time has come'}"), "yellow", indent=2, timed=True)
        else:
            why = f" – {handled.reason}" if handled.reason else ""
            self.tell(escape(f"{about}{handled.kind}{why}"), "yellow", indent=2, timed=True)
        for row in handled.rows:
            self.tell(f"sends {row.kind} to {escape(', '.join(row.recipients))}", "green", indent=4)
        if lead is not None:
            owner = office.world().name(lead.owner)
            self.tell(f"{lead.status}, {escape(owner)} owns it", "magenta", indent=4)


class Cast:
    """Clients and consultants with ordinary mail programs: they write by SMTP and read their own mail."""

    def __init__(self, hub: MailHub, story: Story) -> None:
        self.hub, self.story = hub, story

    def write(
        self,
        sender: str,
        to: str,
        subject: str,
        text: str,
        *,
        html: str = "",
        answers: Message | None = None,
        headers: dict[str, str] | None = None,
        shown: str = "",
    ) -> str:
        """Send one mail; answers its Message-ID."""
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = sender, to, subject
        mail["Message-ID"] = make_msgid(domain=sender.rstrip(">").rpartition("@")[2])
        mail["Date"] = datetime.now(UTC)
        if answers is not None:
            mail["In-Reply-To"] = answers.message_id
            mail["References"] = " ".join((*answers.references[-5:], answers.message_id))
        for name, value in (headers or {}).items():
            mail[name] = value
        mail.set_content(text)
        if html:
            mail.clear_content()
            mail.set_content(html, subtype="html")
        name, _, address = sender.partition("<")
        address = address.rstrip(">") or sender
        self.story.wrote(name.strip() or address, to, shown or text.strip().split("\n")[0][:60])
        with smtplib.SMTP("127.0.0.1", self.hub.smtp_port, timeout=10) as smtp:
            login = address.partition("@")[0]
            if address.endswith("@" + HERE):
                smtp.login(login, "secret")
            smtp.send_message(mail)
        return str(mail["Message-ID"])

    def answer(self, key: str, mail: Message, text: str, **more: str) -> None:
        """A colleague's answer, as their mail program makes it: below it, the quoted mail."""
        quote = "\n".join("> " + line for line in mail.text.strip().splitlines()[:12])
        body = f"{text}\n\nOn {mail.date:%a, %d %b %Y at %H:%M} The Bun House <{SHARED}> wrote:\n{quote}\n"
        to = mail.reply_to[0].address if mail.reply_to else SHARED
        subject = f"Re: {mail.subject}"
        shown = text.split("\n")[0]
        if more.get("html"):
            self.write(_person(key), to, subject, "", html=more["html"], answers=mail, shown=shown)
        else:
            self.write(_person(key), to, subject, body, answers=mail, shown=shown)

    def wait(self, to: str, words: str, about: str = "") -> Message:
        """The first mail to that address that says those words in its subject or text. Raises TimeoutError."""

        def fits(mail: Delivered) -> bool:
            if to not in mail.rcpt_tos or mail.mail_from != SHARED:
                return False
            message = read_message(mail.raw)
            text = f"{message.subject}\n{message.text}"
            return words.lower() in text.lower() and about.lower() in text.lower()

        return read_message(self.hub.wait_for(fits, PATIENCE).raw)


def _person(key: str) -> str:
    return f"{PEOPLE.get(key, key.title())} <{key}@{HERE}>"


OUTLOOK_REPLY = """\
<html xmlns:o="urn:schemas-microsoft-com:office:office"><head><meta http-equiv="Content-Type" content="text/html">
<style>p.MsoNormal {{margin:0cm;font-size:11.0pt}}</style></head><body lang="SV"><div class="WordSection1">
<p class="MsoNormal">Hej!<o:p></o:p></p><p class="MsoNormal">Jag tar den.<o:p></o:p></p>
<p class="MsoNormal">Med vänlig hälsning<br>Cy<o:p></o:p></p>
<div style="border:none;border-top:solid #E1E1E1 1.0pt;padding:3.0pt 0cm 0cm 0cm"><p class="MsoNormal">
<b>Från:</b> The Bun House &lt;{shared}&gt;<br><b>Skickat:</b> den 23 november 2026 10:12<br>
<b>Till:</b> {list}<br><b>Ämne:</b> {subject}<o:p></o:p></p></div>
<p class="MsoNormal">Say &quot;mine&quot; if you want it.<o:p></o:p></p></div></body></html>"""

FORWARD = """\
Met her at a fair. Do not mention our day rate.

---------- Forwarded message ---------
From: Ines Prado <ines@pradofoods.example>
Date: Mon, 23 Nov 2026 at 09:58
Subject: Forecasting for our bakeries
To: <eva@bunhouse.example>

Hello Eva,

we would like to forecast the demand of our twelve bakeries. Could somebody of you help us from January?

Best regards
Ines Prado
"""


def tell_story(cast: Cast) -> None:
    """What the cast does. Each part waits for what it answers, not for the clock."""
    parts: list[tuple[str, Callable[[Cast], None]]] = [
        ("plain", _one_claims),
        ("contest", _two_claim),
        ("dry", _nobody_wants_it),
        ("forward", _forwarded),
    ]
    failures: list[str] = []

    def act(name: str, part: Callable[[Cast], None]) -> None:
        try:
            part(cast)
        except Exception as error:  # told below, and the demo fails
            failures.append(f"{name}: {error}")

    threads = []
    for name, part in parts:
        thread = threading.Thread(target=act, args=(name, part), name=f"cast-{name}", daemon=True)
        thread.start()
        threads.append(thread)
        time.sleep(0.8)  # clients do not all write in the same instant
    for thread in threads:
        thread.join(PATIENCE * 3)
    if failures:
        raise TimeoutError("; ".join(failures))


def _one_claims(cast: Cast) -> None:
    nora = "Nora Berg <nora@northwind.example>"
    text = "Hello,\n\ncould one of you review our Rust code next week? About 8,000 lines.\n\nBest wishes\nNora Berg\n"
    cast.write(nora, SHARED, "Rust review", text, shown="Could one of you review our Rust code next week?")
    offer = cast.wait(LIST, "Rust code next week")
    cast.answer("bo", offer, "Mine!\n\nBo")
    handover = cast.wait("nora@northwind.example", "Bo Ek")
    more = "Great, thank you! One thing more: it is async code.\n"
    cast.write(nora, SHARED, "Re: Rust review", more, answers=handover)
    cast.wait(f"bo@{HERE}", "it is async code")
    mine = cast.wait(f"bo@{HERE}", "nora@northwind.example", "Rust review")
    cast.answer("bo", mine, "won")


def _two_claim(cast: Cast) -> None:
    acme = "Jo Park <jo@acme.example>"
    text = "Hi,\n\nwe need help with a new booking site, both design and security.\n\nJo Park, Acme\n"
    cast.write(acme, SHARED, "New booking site", text, shown="We need help with a new booking site")
    offer = cast.wait(LIST, "booking site")
    cast.answer("anna", offer, "Count me in")
    html = OUTLOOK_REPLY.format(shared=SHARED, list=LIST, subject=offer.subject)
    cast.answer("cy", offer, "Jag tar den (from Outlook, in Swedish)", html=html)
    contest = cast.wait(f"cy@{HERE}", "Anna Lind", "booking site")
    cast.answer("cy", contest, "Anna takes it, she knows them")
    cast.wait("jo@acme.example", "Anna Lind")


def _nobody_wants_it(cast: Cast) -> None:
    gard = "Per Gärd <per@gardet.example>"
    text = (
        "Hej!\n\nVi söker någon som kan underhålla vårt COBOL-system på distans. Kan ni hjälpa oss?\n\nMvh Per Gärd\n"
    )
    cast.write(gard, SHARED, "COBOL-underhåll", text, shown="Vi söker någon som kan underhålla vårt COBOL-system")
    offer = cast.wait(LIST, "COBOL-system")
    away = "I am out of the office until 7 December and will answer your mail when I am back.\n"
    headers = {"Auto-Submitted": "auto-replied"}
    subject = f"Automatic reply: {offer.subject}"
    to = offer.reply_to[0].address if offer.reply_to else SHARED
    cast.write(_person("anna"), to, subject, away, answers=offer, headers=headers, shown="I am out of the office")
    cast.wait("per@gardet.example", "COBOL", "tyvärr")
    cast.wait(LIST, "COBOL", "let go")


def _forwarded(cast: Cast) -> None:
    to = SHARED
    cast.write(
        _person("eva"), to, "Fwd: Forecasting for our bakeries", FORWARD, shown="Fwd: Forecasting (a client's mail)"
    )
    offer = cast.wait(LIST, "twelve bakeries")
    cast.answer("bo", offer, "I'll take this one")
    cast.wait("ines@pradofoods.example", "Bo Ek")


# -- running it ----------------------------------------------------------------------------------------------------


class Stage:
    """The mail server, the daemon in its thread, and the folder they leave behind."""

    def __init__(self, folder: Path, hub: MailHub, story: Story) -> None:
        self.folder, self.hub, self.story = folder, hub, story
        self.failures: list[BaseException] = []
        self.start(TIMES)

    def start(self, times: Mapping[str, str]) -> None:
        """The daemon, with these times of a bun's life."""
        from router.counter import open_office

        settings = load(_write_config(self.folder, self.hub, times))
        self.office: Office = open_office(settings)
        self.office.watch = lambda handled: self.story.handled(handled, self.office)
        self.daemon = Daemon(settings, self.office, lambda: datetime.now(UTC))
        self._thread = threading.Thread(target=self._run, name="daemon")
        self._thread.start()

    def _run(self) -> None:
        try:
            self.daemon.run()
        except BaseException as error:
            self.failures.append(error)

    def stop(self) -> None:
        self.daemon.stop()
        self._thread.join(30)

    def run_slowly(self) -> None:
        """The daemon anew, with times in which people can read and answer."""
        self.stop()
        self.start(SLOW_TIMES)


@contextmanager
def set_stage(folder: Path, story: Story) -> Iterator[Stage]:
    """Everything up and running; everything down again at the end."""
    addresses = {SHARED: "hello", **{f"{key}@{HERE}": key for key in PEOPLE}}
    users = dict.fromkeys(("hello", *PEOPLE), "secret")
    lists = {LIST: [f"{key}@{HERE}" for key in PEOPLE]}
    hub = MailHub(users, addresses, lists, folder / "mails", authserv_id=f"mx.{HERE}")
    with hub:
        (folder / "store").mkdir(mode=0o700)
        stage = Stage(folder, hub, story)
        try:
            yield stage
        finally:
            stage.stop()


def _write_config(folder: Path, hub: MailHub, times: Mapping[str, str]) -> Path:
    text = CONFIG.format(
        shared=SHARED,
        list=LIST,
        list_id=LIST.replace("@", "."),
        here=HERE,
        imap=hub.imap_port,
        smtp=hub.smtp_port,
        times="\n".join(f'{name} = "{span}"' for name, span in times.items()),
    )
    for key, name in PEOPLE.items():
        skills = ", ".join(f'"{skill}"' for skill in SKILLS[key])
        never = "never_claims = true\n" if key == "kim" else ""
        text += f'\n[[consultant]]\nkey = "{key}"\nname = "{name}"\naddresses = ["{key}@{HERE}"]\n'
        text += f"skills = [{skills}]\n{never}"
    (folder / "password").write_text("secret\n")
    (folder / "password").chmod(0o600)
    path = folder / "config.toml"
    path.write_text(text)
    return path


def make_folder(folder: Path) -> Path:
    """An empty folder of ours. Raises ValueError for one that holds somebody else's things."""
    if folder.exists() and any(folder.iterdir()):
        if not (folder / MARKER).exists():
            raise ValueError(f"{folder} is not empty and not from an earlier demo; name another with --out")
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARKER).write_text("Left by `bun-router demo`; the next demo empties this folder.\n")
    return folder.resolve()


def run_demo(folder: Path, keep: bool, console: Console) -> int:
    """Play the story; 0 when it ended as it should."""
    logging.getLogger("router").setLevel(logging.ERROR)
    story = Story(console)
    folder = make_folder(folder)
    story.heading("The Bun House: five consultants, one shared address, a working day of four seconds")
    console.print("Until a bun is awarded, the keeper owns it: Kim, who answers for the shared address.")
    with set_stage(folder, story) as stage:
        try:
            tell_story(Cast(stage.hub, story))
            _digest(stage, story)
        except TimeoutError as error:
            story.tell(f"the story stopped: {escape(str(error))}", "red")
        faults = check_outcome(stage)
        office = stage.office
        write_tray(folder / "tray.html", office.house, office.store, office.world(), office.templates)
        _tell_end(stage, story, faults)
        if keep and not faults and not stage.failures:
            stage.run_slowly()
            _keep_open(stage, story)
    return 1 if faults or stage.failures else 0


def _digest(stage: Stage, story: Story) -> None:
    story.heading("A week later: the digest")
    leave_request(stage.office.store.path, {"do": "digest"})
    stage.daemon.wake()
    Cast(stage.hub, story).wait(LIST, "The Bun House: the week")


def check_outcome(stage: Stage) -> list[str]:
    """What is not as the story says it must be."""
    leads = {lead.subject: lead for lead in stage.office.store.leads()}
    faults = [f"the daemon stopped: {error}" for error in stage.failures]

    def expect(subject: str, what: str, holds: Callable[[Lead], bool]) -> None:
        lead = leads.get(subject)
        if lead is None or not holds(lead):
            faults.append(f"{subject}: {what}" + (f" (it is {lead.status}, {lead.owner} owns it)" if lead else ""))

    expect("Rust review", "Bo should have eaten it", lambda x: (x.status, x.owner) == (Status.EATEN, "bo"))
    expect("New booking site", "Anna should have it", lambda x: (x.status, x.owner) == (Status.TAKEN, "anna"))
    expect("New booking site", "two should have claimed", lambda x: {c.who for c in x.claims} == {"anna", "cy"})
    expect("COBOL-underhåll", "it should be thrown", lambda x: x.status == Status.THROWN)
    expect("COBOL-underhåll", "an out-of-office is no claim", lambda x: not x.claims)
    expect("Forecasting for our bakeries", "Bo should have it", lambda x: (x.status, x.owner) == (Status.TAKEN, "bo"))
    faults += _check_mails(stage)
    return faults


def _check_mails(stage: Stage) -> list[str]:
    faults = []
    clients = {"nora@northwind.example": 2, "jo@acme.example": 2, "per@gardet.example": 3, "ines@pradofoods.example": 1}
    sent = [mail for mail in stage.hub.mails if mail.mail_from == SHARED]
    for client, least in clients.items():
        got = [read_message(mail.raw) for mail in sent if client in mail.rcpt_tos]
        if len(got) < least:
            faults.append(f"{client} got {len(got)} mails, and should have got {least} at least")
        if any("day rate" in message.text for message in got):
            faults.append(f"{client} has read what was written above a forward")
    ids = [read_message(mail.raw).message_id for mail in sent]
    if len(ids) != len(set(ids)):
        faults.append("a mail went out twice")
    if stage.office.store.quarantined():
        faults.append("a mail could not be handled")
    return faults


def _tell_end(stage: Stage, story: Story, faults: list[str]) -> None:
    story.heading("How it ended")
    for lead in sorted(stage.office.store.leads(), key=lambda lead: lead.id):
        why = lead.events[-1].why if lead.status == Status.THROWN else ""
        owner = stage.office.world().name(lead.owner)
        story.tell(
            escape(f"bun {lead.id}, {lead.subject}: {lead.status}, {owner}{f' ({why})' if why else ''}"), indent=1
        )
    mails = len(list((stage.folder / "mails").glob("*.eml")))
    story.console.print()
    story.console.print(f"{mails} mails, the store and the tray page are in", escape(str(stage.folder)), soft_wrap=True)
    story.console.print(
        f"Look at a bun: {_program()} show 2 --config {escape(str(stage.folder / 'config.toml'))}", soft_wrap=True
    )
    for fault in faults:
        story.tell(f"WRONG: {escape(fault)}", "bold red")
    if not faults:
        story.console.print("[bold green]Everything ended as it should.[/]")


def _program() -> str:
    """How this very program is called again: its path where it is not on the PATH."""
    return "bun-router" if shutil.which("bun-router") else sys.argv[0]


def _keep_open(stage: Stage, story: Story) -> None:
    """Leave the mail server and the daemon up until interrupted."""
    hub, show = stage.hub, story.console.print
    show("\n[bold]The mail server and the daemon stay up; end them with Ctrl-C.[/]")
    show(
        f"From here on a working day takes two minutes: a window is open for {SLOW_TIMES['window']}, and a bun that "
        "nobody wants is let go after some eight.",
        soft_wrap=True,
    )
    show(f"Read mail:  IMAP 127.0.0.1:{hub.imap_port}, no TLS; users {', '.join(('hello', *PEOPLE))}; password: secret")
    show(f"Send mail:  SMTP 127.0.0.1:{hub.smtp_port}, no TLS; consultants log in with the same name and password")
    show("Write as a client, with one command:")
    command = (
        f"python3 -c \"import smtplib; smtplib.SMTP('127.0.0.1', {hub.smtp_port}).sendmail('you@client.example', "
        f"['{SHARED}'], 'From: you@client.example\\nSubject: A question\\n\\nCan one of you help us in May?')\""
    )
    show(escape(command), soft_wrap=True)
    try:
        while not stage.failures:
            time.sleep(0.5)
    except KeyboardInterrupt:
        show("Ending.")
