"""Delivery reports: is this mail one, which recipients failed, for good or for now, and which mail bounced.

Job: `read_bounce`. Core: no I/O, no clock, no logging. The only importer of flufl.bounce, which is asked for failed
addresses where no structured field names them; the verdict is ours, and whatever flufl raises is as good as silence.
Invariant: a person is never taken for a mail system. One sign is not enough unless it is a whole report (RFC 3462);
"Undeliverable" in a subject, "postmaster" as a sender or "550" in a text are things that people write.
Leaves out: read receipts and complaints (machines, but no failed delivery), and what follows from a failure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message as ParsedMail
from itertools import islice

from router.labels import tidy, unquote
from router.message import Message
from router.phrasebook import Phrases, fold, load_table

TEXT = 20_000  # characters of the text that are looked at
STATUS = 64_000  # bytes of a delivery-status part
RECIPIENTS = 200

_TABLE = load_table("machines")
_WORDS = _TABLE["bounce"]
_NEED = Phrases(_TABLE["letter"]["need"])
_DAEMONS = frozenset(_WORDS["daemons"])
_POSTMASTERS = frozenset(_WORDS["postmasters"])
_NAMES = Phrases(_WORDS["names"])
_SUBJECTS = Phrases(_WORDS["subject"])
_TEXTS = Phrases(_WORDS["text"])
_DELAYED = Phrases(_WORDS["delayed"])
_GOODS, _MAILS = Phrases(_WORDS["goods"]), Phrases(_WORDS["mails"])

_ADDRESS = re.compile(r"(?<![\w.+=&'-])[\w.!#$%&'*+/=?^`{|}~-]{1,128}@[\w-]{1,63}(?:\.[\w-]{1,63}){0,8}")
_ENHANCED = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.])")
_BASIC = re.compile(r"(?<![\d.:/-])([45])[0-5]\d(?=[\s-]|$)")
_FIELD = re.compile(r"([A-Za-z-]{2,40})\s?:\s?(.*)")
_ID_LINE = re.compile(r"^[ \t>]{0,8}message-id\s?:[ \t\r\n]{0,8}(<[^<>\s]{3,250}>)", re.IGNORECASE | re.MULTILINE)
_JSON_RECIPIENT = re.compile(r'"emailAddress":"([^"\s]{3,250})"')
_JSON_ID = re.compile(r'"messageId":"(<[^"\s]{3,250}>)"')
_TO_LINE = re.compile(r"^to\s?:[ \t]*([^\n]{3,300})", re.IGNORECASE | re.MULTILINE)
_OTHERS = re.compile(
    r"\b(?:from|sender|contact|support|help|reply(?! to \w+ to command)|postmaster|message-id)\b|https?:|mailto:",
    re.IGNORECASE,
)
_SOMEBODY = re.compile(r"\b(?:my|our|we|us|me|regards|best|vi|wir|nous|ich|jag|je)\b", re.IGNORECASE)
_FINAL = re.compile(r"permanent (?:fatal|error|failure|delivery)")
_REPLY = re.compile(
    r"\s{0,9}(?:\[[^\[\]]{0,40}\]\s{0,9})?(?:re|sv|aw|antw|odp|fwd?|vb|wg|tr|rv)\s?[:\[(]", re.IGNORECASE
)
_DEBRIS = (
    "boundary=",
    "content-type:",
    "content-transfer-encoding:",
    "content-disposition:",
    "this is a multi-part mess",
)
_REPORTS_BEGIN = (
    "non-delivery", "undeliver", "your message", "your mail", "your e", "this message", "the following",
    "message delivery", "delivery to", "ihre n", "votre m", "su m", "ditt m", "din besked", "uw bericht", "il tuo m",
    "sua mensagem", "a mensagem", "twoja w",
)  # fmt: skip
_COPY_BEGINS = (
    "--- below this line",
    "------ this is a copy",
    "--- original message",
    "----- original message",
    "--- undelivered message",
    "--- the header of the original",
    "--- message header",
    "received: ",
    "return-path: ",
)


@dataclass(frozen=True, slots=True)
class Failed:
    """A recipient whom a mail did not reach. `permanent`: the mail system has given up; False: it still tries.

    `status` is RFC 3463's, "" when none is given: 5.x.x blames the address or the mail, 4.x.x the circumstances.
    """

    address: str
    permanent: bool
    status: str


@dataclass(frozen=True, slots=True)
class Bounce:
    """A delivery report. `failed` is empty when it names nobody, or tells of success. `original_id` is the Message-ID
    of the mail that bounced, "" when unknown. `why` says what it was told by, for people. `given_up`: a mail did not
    arrive and is not tried again, whether or not the report says whose it was."""

    failed: tuple[Failed, ...]
    original_id: str
    why: str
    given_up: bool = False


def read_bounce(message: Message) -> Bounce | None:
    """What `message` reports about a delivery; None when it is no delivery report. PROTOCOL, "Reading a mail", 3."""
    notice = _notice(message)
    if notice is not None:
        return notice
    why = _verdict(message)
    if why is None:
        return None
    failed = _failed(message)
    return Bounce(failed, _original_id(message), why, _given_up(message, failed))


# --- is it one?


def _verdict(message: Message) -> str | None:
    """Why this is a delivery report, or None."""
    report = message.content_type == "multipart/report"
    if report and message.report_type == "delivery-status":
        return "a delivery report in standard form"
    if report and message.report_type == "disposition-notification":
        return "a mail system rejected the mail" if _rejects(message) else None
    if report and message.report_type:
        return None
    daemon, postmaster, nobody = _sender(message)
    subject = "" if _REPLY.match(message.subject) else _SUBJECTS.begins(_bare_subject(message))
    sent_by_machine = daemon or postmaster or nobody
    if _status_parts(message) and (sent_by_machine or subject or report):
        return "it holds a delivery status"
    if "dsn" in message.headers.get("content-class").lower().rpartition(":")[2]:
        return "Content-Class says so"
    robot = message.sender.address.startswith(("no-reply", "noreply"))
    if not (sent_by_machine or robot or subject or "x-failed-recipients" in message.headers):
        return None
    text = _TEXTS.found(fold("\n".join(_head(message)[:40])))
    if "x-failed-recipients" in message.headers and (sent_by_machine or subject or text):
        return "X-Failed-Recipients"
    if daemon and (nobody or subject or text or report):
        return "from a mail system"
    if _is_about_goods(message):
        return None
    if subject and (postmaster or nobody):
        return f"from a mail system, about a failed delivery ({subject})"
    early = _TEXTS.found(fold("\n".join(_head(message)[:6])))
    if early and _speaks_as_system(message, postmaster=postmaster, nobody=nobody):
        return f"a mail system says: {early}"
    if subject and early and _names_a_failure(message):
        return f"it says that a delivery failed ({subject}; {early})"
    return None


def _is_about_goods(message: Message) -> bool:
    """A parcel or an order that did not arrive: shops and carriers report it in the words of mail systems."""
    told = fold("\n".join([message.subject[:300], *_head(message)[:6]]))
    if not _GOODS.found(told) or _MAILS.found(_ADDRESS.sub("", told)):
        return False
    return not (_ADDRESS.search(told) and _ENHANCED.search(told))


def _speaks_as_system(message: Message, *, postmaster: bool, nobody: bool) -> bool:
    """Whether a report without its usual subject comes from where reports come from, and sounds like one.

    People write from postmaster@ too: they greet and ask, and do not begin with the error itself.
    """
    lines = _head(message)
    greets = len(lines[0]) <= 40 and lines[0].endswith((",", "!"))
    if nobody:
        return postmaster or (not greets and _has_code(message))
    robot = message.sender.address.startswith(("no-reply", "noreply")) and not message.reply_to
    shown = _has_code(message) or (robot and bool(_ADDRESS.search("\n".join(lines[:6]))))
    plain = (postmaster or robot) and shown and not greets and "?" not in "\n".join(lines)
    return plain and (not message.in_reply_to or bool(_TEXTS.found(fold(lines[0]))))


def _bare_subject(message: Message) -> str:
    """The folded subject without the ornaments and host names that mail systems set before it."""
    subject = fold(message.subject[:300]).lstrip("*[]!?#<>=- ")
    first, _, rest = subject.partition(" ")
    return rest if "." in first[1:-1] and "@" not in first and rest else subject


def _sender(message: Message) -> tuple[bool, bool, bool]:
    """Whether the sender is a mail system; a mailbox that people read too; nobody at all (a null return path)."""
    raw = fold(message.headers.get("from")[:300])
    local = (message.sender.address or raw).partition("@")[0].strip(" <>\"'")
    name = fold(message.sender.name) or raw.partition("<")[0].strip(" \"'")
    daemon = local in _DAEMONS or local.startswith(("mailer-daemon", "mailerdaemon"))
    postmaster = local in _POSTMASTERS or bool(_NAMES.begins(name)) or local.startswith("postmaster")
    path = fold(message.headers.get("return-path")[:300]).strip(" <>")
    unsigned = "from" in message.headers and not message.sender.address and raw.strip(" \"'") in ("<>", "")
    null = "return-path" in message.headers and (not path or path.partition("@")[0] in _DAEMONS)
    return daemon, postmaster or unsigned, null or unsigned


def _rejects(message: Message) -> bool:
    """A disposition that refuses the mail (Dovecot's sieve), told from the receipts that people's programs send."""
    submitted = message.headers.get("auto-submitted").lower()
    return "reject" in submitted or fold(message.subject).startswith(("automatically rejected", "rejected"))


def _has_code(message: Message) -> bool:
    head = "\n".join(_head(message))
    return bool(_ENHANCED.search(head) or _BASIC.search(head))


def _names_a_failure(message: Message) -> bool:
    """Whether a mail from no mail system reads as a report: a recipient and an error's code, or the mail itself.

    People whose mail came back say so in the same words; they ask, need something, or speak of themselves.
    """
    head = "\n".join(_head(message)[:40])
    told = _has_code(message) or head.lower().lstrip("-*= ").startswith(_REPORTS_BEGIN)
    names = bool(message.attached) or (bool(_addresses_in_text(message)) and told)
    asks = "?" in head or "?" in message.subject or bool(_NEED.found(fold(head)))
    return names and not asks and not message.in_reply_to and not _SOMEBODY.search(head)


def _head(message: Message) -> list[str]:
    """The report's own lines: what stands above the copy of the mail that bounced."""
    lines: list[str] = []
    for line in _text_of(message.text[:TEXT]).split("\n")[:400]:
        line = tidy(line).strip()
        if line.lower().startswith(_COPY_BEGINS):
            break
        debris = line.lower().startswith(_DEBRIS) or (line.startswith("--") and " " not in line)
        if line and not debris:
            lines.append(line)
    return lines


def _text_of(content: bytes | str) -> str:
    """Text with one kind of line break; old systems end lines with a bare CR."""
    text = content.decode("utf-8", "replace") if isinstance(content, bytes) else content
    return text.replace("\r\n", "\n").replace("\r", "\n")


# --- whom it did not reach


def _failed(message: Message) -> tuple[Failed, ...]:
    """The failed recipients: from structured fields, else from the text, else by flufl's many formats."""
    groups = [group for part in _status_parts(message) for group in _fields(part)]
    structured = [failed for group in groups for failed in _read_group(group)]
    if structured or any(_recipient(group.get("final-recipient", "")) for group in groups):
        return _distinct(structured)
    status, permanent = _text_status(message)
    named = _ADDRESS.findall(message.headers.get("x-failed-recipients")[:4_000])
    if named:
        return _distinct([Failed(address.lower(), permanent, status) for address in named])
    temporary, final = _ask_flufl(message)
    found = [Failed(address, False, status) for address in sorted(temporary - final)]
    found += [Failed(address, permanent, status) for address in sorted(final)]
    told = _addresses_in_text(message) or _addresses_of_original(message)
    return _distinct(found or [Failed(address, permanent, status) for address in told])


def _given_up(message: Message, failed: tuple[Failed, ...]) -> bool:
    """A report that names nobody has to say in its own words that the delivery failed, and not only for now."""
    if failed:
        return any(each.permanent for each in failed)
    if any(_recipient(group.get("final-recipient", "")) for part in _status_parts(message) for group in _fields(part)):
        return False  # it names somebody, whom the mail has reached
    status, permanent = _text_status(message)
    says = status.startswith("5") or _TEXTS.found(fold("\n".join(_head(message)[:40])))
    return permanent and not status.startswith("4") and bool(says or _SUBJECTS.begins(_bare_subject(message)))


def _distinct(found: list[Failed]) -> tuple[Failed, ...]:
    """One entry for each address; where a report names one twice the worse news stands."""
    best: dict[str, Failed] = {}
    for failed in found[:RECIPIENTS]:
        known = best.get(failed.address)
        if known is None or (failed.permanent and not known.permanent):
            best[failed.address] = failed
    return tuple(best.values())


def _status_parts(message: Message) -> list[bytes]:
    kinds = ("message/delivery-status", "message/global-delivery-status")
    return [part.content[:STATUS] for part in message.parts if part.content_type in kinds][:5]


def _fields(part: bytes) -> list[dict[str, str]]:
    """The groups of fields in a delivery-status part, one a recipient (RFC 3464); the first is about the message."""
    groups: list[dict[str, str]] = [{}]
    last = ""
    for line in _text_of(part).split("\n")[:2_000]:
        field = _FIELD.match(line[:1_000])
        if not line.strip():
            groups.append({})
        elif line[0] in " \t" and last in groups[-1]:
            groups[-1][last] += " " + line.strip()[:300]
        elif field:
            last = field.group(1).lower()
            if last in ("final-recipient", "original-recipient") and last in groups[-1]:
                groups.append({})  # some systems forget the blank line between recipients
            groups[-1].setdefault(last, field.group(2).strip())
    return [group for group in groups if group]


def _read_group(group: dict[str, str]) -> Iterator[Failed]:
    """The failure that one recipient's fields tell of. The address that the sender used counts before an alias."""
    address = _recipient(group.get("original-recipient", "")) or _recipient(group.get("final-recipient", ""))
    action = group.get("action", "failed").lower()
    if address and not action.startswith(("delivered", "relayed", "expanded")):
        status = _status_in(f"{group.get('status', '')} {group.get('diagnostic-code', '')}")
        yield Failed(address, not action.startswith("delayed"), status)


def _recipient(value: str) -> str:
    """The address in `rfc822; ann@client.example`, `""` when there is none."""
    found = _ADDRESS.search(value.rpartition(";")[2][:500])
    return found.group(0).lower() if found else ""


def _status_in(text: str) -> str:
    """The RFC 3463 status in `text`, `""` when there is none; a bare 550 stands for 5.0.0."""
    found = _ENHANCED.search(text)
    basic = _BASIC.search(text)
    return found.group(0) if found else f"{basic.group(1)}.0.0" if basic else ""


def _text_status(message: Message) -> tuple[str, bool]:
    """The status in a report's own words, and whether the mail system has given up."""
    head = _head(message)
    status, early = _status_in("\n".join(head)), fold("\n".join(head[:8]))
    waits = _DELAYED.found(fold(message.subject[:300])) or _DELAYED.found(early)
    return status, not waits or status.startswith("5") or bool(_FINAL.search(early))


def _addresses_in_text(message: Message) -> list[str]:
    """Addresses where reports name recipients: at the beginning of a line, else anywhere but beside a sender's."""
    own = {each.address for each in (*message.to, *message.cc, message.sender)}
    lines = [line for line in _head(message)[:60] if not _OTHERS.search(line)]
    first = [_ADDRESS.match(unquote(line).lstrip("<\"'-*[ ")) for line in lines]
    starts = [found.group(0).lower() for found in first if found]
    anywhere = [found.lower() for line in lines for found in _ADDRESS.findall(line)]
    return [address for address in starts or anywhere if address not in own][:RECIPIENTS]


def _addresses_of_original(message: Message) -> list[str]:
    """Whom the returned mail was for, when it was for one."""
    for copy in [*_copies(message), _text_of(message.text[:TEXT])]:
        found = _TO_LINE.search(copy)
        addresses = _ADDRESS.findall(found.group(1)) if found else []
        if len(addresses) == 1:
            return [addresses[0].lower()]
    return []


def _ask_flufl(message: Message) -> tuple[set[str], set[str]]:
    """The temporary and the permanent failures that flufl.bounce finds in a capped copy of the report."""
    from flufl.bounce import all_failures  # here, since its expressions are a twentieth of a start

    copy = ParsedMail()
    for name in ("from", "to", "subject", "content-type", "return-path", "x-mailer"):
        if name in message.headers and name != "content-type":
            copy[name] = message.headers.get(name)[:500]
    texts = [part for part in message.parts if part.content_type.startswith(("text/plain", "message/"))][:6]
    if message.content_type.startswith("multipart/") and texts:
        copy["content-type"] = message.content_type
        for part in texts:
            leaf = ParsedMail()
            leaf["content-type"] = "text/plain"
            leaf["content-description"] = dict(part.params).get("description", "notification")
            leaf.set_payload(_capped(part.content.decode("latin-1")))
            copy.attach(leaf)
    else:
        copy["content-type"] = "text/plain"
        copy.set_payload(_capped(message.text))
    try:
        temporary, permanent = all_failures(copy)
    except Exception:
        return set(), set()
    return _as_text(temporary), _as_text(permanent)


def _capped(text: str) -> str:
    return "\n".join(line[:300] for line in _text_of(text[:TEXT]).split("\n")[:300])


def _as_text(addresses: object) -> set[str]:
    found: set[str] = set()
    for address in islice(addresses, RECIPIENTS) if isinstance(addresses, (set, frozenset)) else ():
        text = address.decode("utf-8", "replace") if isinstance(address, bytes) else str(address)
        if "@" in text:
            found.add(text.strip(" <>").lower())
    return found


# --- which mail it was


def _copies(message: Message) -> list[str]:
    """The returned mail, or its headers."""
    copies = [_text_of(raw[:STATUS]) for raw in message.attached[:5]]
    kinds = ("text/rfc822-headers", "message/rfc822", "message/global-headers")
    copies += [_text_of(part.content[:STATUS]) for part in message.parts if part.content_type in kinds]
    files = [p.content for p in message.parts if p.content_type == "text/plain" and p.disposition == "attachment"]
    return copies + [_text_of(content[:STATUS]) for content in files[:5]]


def _original_id(message: Message) -> str:
    """The Message-ID of the mail that bounced: from its attached copy or headers, the report's fields, or its text."""
    for copy in _copies(message):
        found = _ID_LINE.search(copy)
        if found:
            return found.group(1)
    for part in message.parts:
        for group in _fields(part.content[:STATUS]) if part.content_type.startswith("message/") else ():
            for name in ("original-message-id", "x-original-message-id"):
                found = re.search(r"<[^<>\s]{3,250}>", group.get(name, ""))
                if found:
                    return found.group(0)
    quoted = _ID_LINE.search(_text_of(message.text[:200_000]))
    if quoted:
        return quoted.group(1)
    return next(iter((*message.in_reply_to, *reversed(message.references))), "")


# --- reports that are no mails of a mail system


def _notice(message: Message) -> Bounce | None:
    """Amazon SES tells of bounces in JSON, whose lines may be broken anywhere."""
    text = message.text[:TEXT].lstrip()
    if not text.startswith("{") or '"notificationType"' not in text or "x-amz-sns-message-id" not in message.headers:
        return None
    text = text.replace("\n", "")
    bounced = '"notificationType":"Bounce"' in text
    permanent = '"bounceType":"Permanent"' in text
    addresses = _JSON_RECIPIENT.findall(text) if bounced else []
    original = _JSON_ID.search(text)
    failed = [Failed(address.lower(), permanent, "") for address in addresses]
    original_id = original.group(1) if original else ""
    return Bounce(_distinct(failed), original_id, "a notice of Amazon SES", bounced and permanent)
