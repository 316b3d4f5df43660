"""Robots are found, and no person is ever taken for one: delivery reports, auto-replies, bulk mail, form letters."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.machines import (
    Bounce,
    Failed,
    auto_reply_reason,
    bulk_reason,
    form_letter_reason,
    read_bounce,
)
from router.message import Address, Headers, Message, Part, read_message

MAIL = Path(__file__).parent / "mail"
ANN = Address("Ann", "ann@client.example")
OWN = ("buns.collective.example", "hello@collective.example")


def _mail(subject: str = "", text: str = "", *headers: tuple[str, str], **others: object) -> Message:
    message = Message(sender=ANN, subject=subject, text=text, headers=Headers(tuple(headers)))
    return replace(message, **others)  # type: ignore[arg-type]


def _kind(message: Message) -> str | None:
    if read_bounce(message):
        return "bounce"
    if auto_reply_reason(message):
        return "auto-reply"
    if bulk_reason(message, OWN):
        return "bulk"
    return "form-letter" if form_letter_reason(message) else None


# --- whole mails


@pytest.mark.parametrize("name", sorted(path.stem for path in MAIL.glob("machine-*.eml")))
def test_the_mails_under_mail_are_what_their_notes_say(name):
    want = json.loads((MAIL / f"{name}.json").read_text("utf-8"))
    message = read_message((MAIL / f"{name}.eml").read_bytes())
    assert _kind(message) == want["is_a"], want["why"]
    if want["is_a"] == "bounce":
        bounce = read_bounce(message)
        assert bounce is not None
        assert [[each.address, each.permanent, each.status] for each in bounce.failed] == want["failed"]
        assert bounce.original_id == want["original"]


PLAIN_REPORTS = {  # (from, subject, text), of systems that send no standard report
    "Notes": ("Postmaster@x.example", "NOTICE: Failure delivering mail", "User not listed in Name & Address Book\n{a}"),
    "Postfix": (
        "MAILER-DAEMON@x.example",
        "Undelivered Mail",
        "<{a}>: host mx said: 550 x (in reply to RCPT TO command)",
    ),
    "MDaemon": (
        "MDaemon@x.example",
        "[WARNING] Message could not be delivered",
        "had PERMANENT fatal delivery errors!\n{a}",
    ),
    "PMDF": (
        "postmaster@x.example",
        "Delivery Notification: Delivery has failed",
        "  Message-id: <1@x>\nYour message cannot be delivered to the following recipients:\n  Recipient address: {a}",
    ),
    "Outlook in Swedish": (
        "postmaster@x.example",
        "Går inte att leverera: Rust",
        "Meddelandet till {a} kunde inte levereras.",
    ),
    "Korean": ("mailer-daemon@x.example", "메일 전송 실패 안내", "{a} 주소로 메일을 전송하지 못했습니다."),
    "Czech": ("mailer-daemon@x.example", "Nedoručitelná zpráva", "Zprávu se nepodařilo doručit na adresu {a}: 550 x"),
    "a gateway": ("gate@x.example", "Your message was rejected", "Your message to {a} was rejected: 550 5.7.1 spam"),
}


@pytest.mark.parametrize("system", PLAIN_REPORTS)
def test_a_report_in_plain_text_is_one_and_names_whom_it_did_not_reach(system):
    sender, subject, text = PLAIN_REPORTS[system]
    body = text.format(a="ann@client.example")
    raw = f"From: {sender}\nTo: buns@x.example\nSubject: {subject}\nReturn-Path: <>\n\n{body}\n"
    bounce = read_bounce(read_message(raw.encode()))
    assert bounce is not None
    assert [(failed.address, failed.permanent) for failed in bounce.failed] == [("ann@client.example", True)]


@pytest.mark.parametrize(
    ("subject", "text"),
    [
        ("Mail delivery failed: who can help?", "Our Exim says 550 user unknown for ann@client.example."),
        ("Undeliverable mail", "Mails to bo@x.example come back: user unknown. We need somebody who knows Exchange."),
        ("Delivery failed", "Our parcel delivery failed twice. Could you build a tracking system?"),
        (
            "Message could not be delivered to Bo",
            "I tried bo@x.example but it could not be delivered. Pass it on to him.",
        ),
        ("Returned mail", "Mails to our shop are returned (550 user unknown). Write to ann@client.example."),
        ("Delivery report", "The API could not be delivered in time; ask bo@client.example."),
    ],
)
def test_a_person_who_writes_of_failed_deliveries_is_no_mail_system(subject, text):
    assert read_bounce(_mail(subject, text)) is None


# --- auto-replies

OUT_OF_OFFICE = [
    (
        "en",
        "Automatic reply: Rust",
        "Out of Office",
        "I am currently out of the office; back in the office soon.",
    ),
    ("sv", "Autosvar: Rust", "Frånvarande", "Jag är inte på kontoret. Vid brådskande ärenden, ring växeln."),
    (
        "de",
        "Automatische Antwort: Rust",
        "Abwesend",
        "Ich bin derzeit nicht im Büro. In dringenden Fällen: Tel.",
    ),
    ("fr", "Réponse automatique : Rust", "Absent du bureau", "Je suis actuellement en congé, de retour le 3 mai."),
    (
        "es",
        "Respuesta automática: Rust",
        "Fuera de la oficina",
        "Estoy fuera de la oficina. Para asuntos urgentes: tel.",
    ),
    ("nl", "Automatisch antwoord: Rust", "Afwezig", "Ik ben momenteel niet op kantoor. Voor dringende zaken: bel."),
    ("da", "Automatisk svar: Rust", "Ikke på kontoret", "Jeg er på ferie. Ved hastende sager, ring."),
    ("no", "Automatisk svar: Rust", "Ikke på kontoret", "Jeg er på ferie og er tilbake på kontoret 3. mai."),
    ("fi", "Automaattinen vastaus: Rust", "Poissa", "Olen lomalla. Kiireellisissä asioissa soita."),
    ("it", "Risposta automatica: Rust", "Fuori sede", "Sono fuori ufficio. Per urgenze chiamate."),
    ("pt", "Resposta automática: Rust", "Fora do escritório", "Estou de férias. Em caso de urgência, ligue."),
    ("pl", "Odpowiedź automatyczna: Rust", "Poza biurem", "Jestem na urlopie. W pilnych sprawach proszę dzwonić."),
    ("cs", "Automatická odpověď: Rust", "Mimo kancelář", "Jsem mimo kancelář. V naléhavých případech volejte."),
    ("hu", "Automatikus válasz: Rust", "Nem vagyok az irodában", "Szabadságon vagyok. Sürgős esetben hívjon."),
    ("ru", "Автоматический ответ: Rust", "Вне офиса", "Я сейчас в отпуске. По срочным вопросам звоните."),
    ("ja", "自動応答: Rust", "不在", "ただいま休暇中です。お急ぎの場合はお電話ください。"),
    (
        "sk",
        "Automatická odpoveď: Rust",
        "Mimo kancelárie",
        "Som do 3. mája mimo kancelárie. V súrnych prípadoch volajte.",
    ),
    ("sl", "Samodejni odgovor: Rust", "Odsotnost", "Odsoten sem do 3. maja. V nujnih primerih pokličite."),
    ("uk", "Автовідповідь: Rust", "Відпустка", "Я у відпустці. У термінових справах телефонуйте."),
    ("bg", "Автоматичен отговор: Rust", "Извън офиса", "Извън офиса съм. При спешност звънете."),
    ("el", "Αυτόματη απάντηση: Rust", "Εκτός γραφείου", "Απουσιάζω έως 3 Μαΐου. Για επείγοντα καλέστε."),
    ("et", "Automaatvastus: Rust", "Kontorist väljas", "Olen puhkusel. Kiireloomulistes asjades helistage."),
    ("ko", "자동 회신: Rust", "부재 중", "휴가 중입니다. 긴급한 경우 전화 주세요."),
    ("zh", "自动答复: Rust", "不在办公室", "我正在休假。如有急事请致电。"),
]


@pytest.mark.parametrize(("language", "sure", "loose", "text"), OUT_OF_OFFICE)
def test_an_out_of_office_needs_no_header_in_any_language(language, sure, loose, text):
    assert auto_reply_reason(_mail(sure, "…"))
    assert auto_reply_reason(_mail(loose, text))
    assert auto_reply_reason(_mail("Rust", text, in_reply_to=("<ack@x>",)))
    assert auto_reply_reason(_mail("Rust", text, ("return-path", "<>")))


@pytest.mark.parametrize(("language", "sure", "loose", "text"), OUT_OF_OFFICE)
def test_a_person_who_is_away_stays_a_person(language, sure, loose, text):
    assert auto_reply_reason(_mail(f"Re: {sure}", "I see, thank you.")) is None
    assert auto_reply_reason(_mail("Re: Rust", text)) is None
    assert auto_reply_reason(_mail("Rust", text)) is None
    assert auto_reply_reason(_mail(loose, "Who covers for me?")) is None
    assert auto_reply_reason(_mail("Re: Rust", "Mine!\n\n> " + text, ("precedence", "bulk"))) is None


def _texts() -> list[tuple[str, str, str]]:
    """(robot or person, subject, text) of each mail in machine_texts.txt."""
    found = []
    for block in (Path(__file__).parent / "machine_texts.txt").read_text("utf-8").split("=== ")[1:]:
        head, _, text = block.partition("\n")
        kind, _, subject = head.partition(" ")
        found.append((kind, subject, text.strip()))
    return found


@pytest.mark.parametrize(("kind", "subject", "text"), _texts())
@pytest.mark.parametrize("answered", [(), ("<offer.12@collective.example>",)])
def test_robots_without_a_header_are_told_by_their_words_and_people_are_not(kind, subject, text, answered):
    message = _mail(subject, text, in_reply_to=answered)
    assert bool(auto_reply_reason(message)) == (kind == "robot")
    assert read_bounce(message) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("auto-submitted", "auto-replied"),
        ("auto-submitted", 'auto-replied; owner-email="me@x"'),
        ("auto-submitted", "auto-generated (failure)"),
        ("auto-submitted", "auto-notified"),
        ("x-autoreply", "yes"),
        ("x-autorespond", "Rust"),
        ("x-autogenerated", "Reply"),
        ("precedence", "auto_reply"),
        ("preference", "auto_reply"),
        ("x-apple-criteria", "{kind=VACATION,startDate=2019}"),
        ("x-post-messageclass", "9; Autoresponder"),
        ("x-fc-machinegenerated", "true"),
        ("delivered-to", "Autoresponder"),
    ],
)
def test_a_header_that_only_robots_set_is_enough(name, value):
    assert auto_reply_reason(_mail("Rust", "Some text", (name, value)))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("auto-submitted", "no"),
        ("auto-submitted", "No (person)"),
        ("auto-submitted", "auto-forwarded"),
        ("x-autoreply", "no"),
        ("precedence", "list"),
        ("precedence", "bulk"),
        ("precedence", "junk"),
        ("x-auto-response-suppress", "OOF"),
        ("return-path", "<>"),
        ("x-loop", "buns"),
        ("list-id", "<buns.collective.example>"),
    ],
)
def test_one_weak_header_never_makes_a_robot(name, value):
    assert auto_reply_reason(_mail("Re: Rust", "Mine!", (name, value))) is None


@pytest.mark.parametrize(
    ("subject", "text"),
    [
        ("Automatische Antwort einrichten", "Wir brauchen Hilfe mit Exchange."),
        ("Abwesenheitsnotiz in Outlook", "Wer kann uns helfen?"),
        ("Vacation", "away until 3 Feb"),
        ("Semester", "Jag har semester, away until 3 feb"),
        ("Absence", "Notre chef de projet part en congé, nous cherchons un remplaçant."),
        ("Absenteeism study", "We need a statistician. I am on leave next week."),
        ("Thank you for your offer", "I am on vacation until Monday but would like to start then."),
        ("Out of the box thinking", "We need it."),
        ("Challenge: build us a compiler", "Can you do it?"),
        ("Ferie", "Kan noen ta over for meg?"),
        ("Out of office next week, but mine", "I am out of the office next week, but I take this one. Mine!"),
        ("Request received", "We received your CVs and would like to meet Anna."),
    ],
)
def test_words_of_robots_in_peoples_mails_are_no_sign(subject, text):
    assert auto_reply_reason(_mail(subject, text)) is None


@pytest.mark.parametrize("subject", ["Out of office solution needed", "Auto: parts catalogue", "Abwesenheit von Bo"])
def test_a_person_who_changes_the_subject_of_a_thread_is_no_robot(subject):
    assert auto_reply_reason(_mail(subject, "Who can help?", in_reply_to=("<ack@x>",))) is None


def test_the_robot_of_a_ticket_system_is_told_by_two_signs():
    text = "We have received your request. Please do not reply to this email."
    assert auto_reply_reason(_mail("[Ticket #4711] Rust", text))
    assert auto_reply_reason(_mail("Rust", text)) is None
    robot = Address("Support", "no-reply@client.example")
    assert auto_reply_reason(_mail("Rust", text, sender=robot))
    assert auto_reply_reason(_mail("Rust", "Hello", sender=robot)) is None


def test_a_form_that_answers_go_elsewhere_from_is_no_robot():
    robot = Address("Website", "no-reply@collective.example")
    text = "This message was automatically generated.\nName: Ann"
    assert auto_reply_reason(_mail("Contact", text, sender=robot, reply_to=(ANN,))) is None
    assert auto_reply_reason(_mail("Contact", text, sender=robot))


# --- delivery reports


def _daemon(subject: str, text: str, *headers: tuple[str, str], **others: object) -> Bounce:
    others.setdefault("sender", Address("Mail Delivery System", "mailer-daemon@mx.example"))
    bounce = read_bounce(_mail(subject, text, *headers, **others))
    assert bounce is not None
    return bounce


@pytest.mark.parametrize(
    "subject",
    [
        "Undelivered Mail Returned to Sender",
        "Undeliverable: Rust",
        "Delivery Status Notification (Failure)",
        "Returned mail: see transcript for details",
        "failure notice",
        "**Message you sent blocked by our bulk email filter**",
        "mx1.client.example Mail delivery failed : returning message to sender",
        "Unzustellbar: Rust",
        "Non remis : Rust",
        "No se puede entregar: Rust",
        "Onbestelbaar: Rust",
        "Kan inte levereras: Rust",
        "Kan ikke leveres: Rust",
        "Impossibile recapitare: Rust",
        "Não foi possível entregar: Rust",
        "Toimitus epäonnistui: Rust",
        "Niedostarczalne: Rust",
        "Nedoručitelné: Rust",
        "Kézbesíthetetlen: Rust",
        "Ваше сообщение не доставлено",
        "配信できません: Rust",
        "退信通知",
    ],
)
def test_a_postmaster_with_such_a_subject_reports_a_delivery(subject):
    postmaster = Address("", "postmaster@client.example")
    assert read_bounce(_mail(subject, "<bo@client.example>: 550 5.1.1 unknown", sender=postmaster))
    assert read_bounce(_mail(f"Re: {subject}", "What does that mean?")) is None
    assert read_bounce(_mail(subject, "What does that mean?")) is None


def test_failed_addresses_come_from_structured_fields_first():
    status = b"Reporting-MTA: dns; x\n\nFinal-Recipient: rfc822; Bo@Client.example\nAction: failed\nStatus: 5.2.2\n"
    part = Part("message/delivery-status", content=status)
    bounce = _daemon("failure notice", "<other@client.example>: 550 5.1.1", parts=(part,))
    assert bounce.failed == (Failed("bo@client.example", True, "5.2.2"),)


def test_the_address_that_was_written_to_counts_before_its_alias():
    status = b"Final-Recipient: rfc822; bo@host.example\nOriginal-Recipient: rfc822;bo@client.example\nAction: failed\n"
    bounce = _daemon("x", "", parts=(Part("message/delivery-status", content=status),), report_type="delivery-status")
    assert [each.address for each in bounce.failed] == ["bo@client.example"]


def test_what_was_given_up_is_permanent_and_what_is_still_tried_is_not():
    late = "Your message has not yet been delivered. It will be retried.\n\n<bo@client.example>: 451 4.4.1 timeout"
    lost = "I've given up.\n\n<bo@client.example>: 451 4.4.1 timeout"
    assert _daemon("Delivery delayed", late).failed == (Failed("bo@client.example", False, "4.4.1"),)
    assert _daemon("failure notice", lost).failed == (Failed("bo@client.example", True, "4.4.1"),)


def test_a_recipient_named_twice_is_one_with_the_worse_news():
    status = (
        b"Final-Recipient: rfc822; bo@x.example\nAction: delayed\nStatus: 4.4.1\n\n"
        b"Final-Recipient: rfc822; bo@x.example\nAction: failed\nStatus: 5.1.1\n"
    )
    bounce = _daemon("x", "", parts=(Part("message/delivery-status", content=status),), report_type="delivery-status")
    assert bounce.failed == (Failed("bo@x.example", True, "5.1.1"),)


@pytest.mark.parametrize(
    ("text", "headers", "want"),
    [
        ("Message-ID: <a@x>", (), "<a@x>"),
        ("> Message-Id:\n <a@x>", (), "<a@x>"),
        ("no copy", (), "<b@x>"),
    ],
)
def test_the_mail_that_bounced_is_named_by_its_copy_or_by_what_the_report_answers(text, headers, want):
    bounce = _daemon("failure notice", f"could not be delivered\n\n{text}", *headers, in_reply_to=("<b@x>",))
    assert bounce.original_id == want


def test_amazon_tells_of_bounces_in_json():
    told = '{"notificationType":"Bounce","bounce":{"bounceType":"Permanent","x":[{"emailAddress":"a@x.cz"}]}}'
    bounce = read_bounce(_mail("AWS Notification Message", told, ("x-amz-sns-message-id", "1")))
    assert bounce is not None
    assert bounce.failed == (Failed("a@x.cz", True, ""),)
    assert read_bounce(_mail("look at this", told)) is None


def test_a_report_from_an_address_that_wants_no_answer_is_told_by_its_words():
    robot = Address("", "no-reply@carrier.example")
    text = "Your mail sent on: Thu\nCould not be delivered to: <bo@client.example>\nAs their mailbox is full."
    bounce = read_bounce(_mail("Mail", text, sender=robot))
    assert bounce is not None
    assert [each.address for each in bounce.failed] == ["bo@client.example"]
    assert read_bounce(_mail("Mail", text, sender=robot, reply_to=(ANN,))) is None
    assert read_bounce(_mail("Mail", text)) is None


def test_a_daemon_that_says_nothing_readable_is_still_no_person():
    message = _mail("Nyaan", "", sender=Address("", "mailer-daemon@x.example"))
    assert read_bounce(message) or auto_reply_reason(message)


# --- bulk


@pytest.mark.parametrize(
    "headers",
    [
        (("list-id", "Python <python-list.python.org>"),),
        (("list-unsubscribe", "<https://shop.example/u>"),),
        (("list-unsubscribe", "<https://shop.example/u?for=hello@collective.example>"),),
        (("precedence", "bulk"),),
        (("x-spam-flag", "YES"),),
        (("x-spam-status", "Yes, score=12"),),
        (("x-forefront-antispam-report", "CIP:1;SFV:SPM;"),),
    ],
)
def test_foreign_lists_and_spam_are_bulk(headers):
    assert bulk_reason(_mail("Hi", "text", *headers), OWN)


@pytest.mark.parametrize(
    "headers",
    [
        (),
        (("precedence", "list"),),
        (("x-spam-flag", "NO"),),
        (("x-spam-status", "No, score=1"),),
        (("list-id", "Buns <buns.collective.example>"), ("precedence", "bulk")),
        (("list-post", "<mailto:hello@collective.example>"), ("list-id", "<hello.collective.example>")),
        (("feedback-id", "1.us-west-2.x:AmazonSES"),),
        (("x-mailer", "iPhone Mail"),),
    ],
)
def test_a_persons_mail_and_the_own_list_are_not_bulk(headers):
    assert bulk_reason(_mail("Hi", "How do we unsubscribe our users? Can you help?", *headers[:0]), OWN) is None
    assert bulk_reason(_mail("Hi", "text", *headers), OWN) is None


# --- form letters

LETTERS = [
    "I hope this email finds you well. We have a senior consultant available from Monday, CV attached.",
    "I came across your website. We offer SEO services and link building that boost your ranking on Google.",
    "Following up on my previous mail: would you accept a guest post with a dofollow backlink? Affordable price.",
    "Hej! Jag har en konsult ledig, bifogar CV. Boka ett möte så berättar jag mer.",
    "Guten Tag, wir haben einen Kandidaten für Sie, ab sofort verfügbar. Hätten Sie Zeit für ein kurzes Gespräch?",
    "Bonjour, je me permets de vous contacter : j'ai un consultant disponible immédiatement, CV ci-joint.",
    "Hola, me pongo en contacto para presentarles un candidato con disponibilidad inmediata.",
    "Hallo, wij hebben een consultant per direct beschikbaar. Heeft u behoefte? Dan plannen we een kort gesprek.",
]


@pytest.mark.parametrize("text", LETTERS)
def test_two_signs_make_a_form_letter(text):
    assert form_letter_reason(_mail("Hello", text))


@pytest.mark.parametrize(
    "text",
    [
        "We need a Java consultant, available immediately. I hope this email finds you well.",
        "Our client is looking for a developer; are you available? CV attached template please.",
        "Vi söker en konsult, gärna ledig från maj. Boka ett möte med mig.",
        "Wir suchen Unterstützung. Kurzes Telefonat? Wir sind spezialisiert auf Anlagenbau.",
        "Nous cherchons un consultant disponible immédiatement. Un rapide échange ?",
        "Buscamos un consultor disponible de inmediato para nuestros servicios.",
        "Wij zoeken een consultant, direct beschikbaar. Kort gesprek?",
        "Could we schedule a call about a project?",
        "I hope this email finds you well. Our website is slow.",
        "Our SEO services vendor left.",
        "",
    ],
)
def test_a_need_or_a_single_sign_is_a_request(text):
    assert form_letter_reason(_mail("Hello", text)) is None


# --- bounds

PIECES = [
    "Final-Recipient: rfc822; a@b.cz\n",
    "<a@b.cz>: 550 5.1.1\n",
    "i am out of the office ",
    "a@" * 50,
    "i am on " * 10,
    "Message-ID: <\n",
    "x" * 300,
    "> ",
    "\r",
    "From: a@b\n",
    "550 5.1.1 " * 30,
]


@settings(max_examples=80, deadline=None)
@given(st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=60)), max_size=20), st.booleans())
def test_nothing_makes_it_raise(pieces, daemon):
    text = "".join(pieces)
    sender = Address("", "mailer-daemon@x.example") if daemon else ANN
    part = Part("message/delivery-status", content=text.encode("utf-8", "replace"))
    headers = (("precedence", text), ("x-failed-recipients", text), ("auto-submitted", text[:20]), ("from", text))
    for parts in ((), (part, Part("text/plain", content=part.content))):
        message = _mail(text[:80], text, *headers, sender=sender, parts=parts, content_type="multipart/mixed")
        _kind(message)


@pytest.mark.parametrize("piece", PIECES)
def test_a_hostile_megabyte_takes_bounded_time(piece):
    text = piece * (1_000_000 // len(piece))
    part = Part("text/plain", content=text.encode())
    sender = Address("", "mailer-daemon@x.example")
    message = _mail("failure notice", text, sender=sender, parts=(part,), attached=(part.content,))
    start = time.process_time()
    read_bounce(message)
    for look in (auto_reply_reason, bulk_reason, form_letter_reason):
        look(replace(message, sender=ANN, subject="Rust"))
    assert time.process_time() - start < 0.5
