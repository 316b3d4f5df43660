"""Forwarded mails: who wrote the original is found in every client and language, and never guessed."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.forward import Forward, read_forward, strip_prefix, subject_prefix
from router.labels import read_date, read_mailbox
from router.message import Address, Message, read_message

MAIL = Path(__file__).parent / "mail"
KIM = Address("Kim", "kim@collective.example")
ANN = "Ann Client <ann@client.example>"
BODY = "We need somebody who can review Rust.\n\nCould you start in May?\n\nAnn"

# language: from, date, sent, to, cc, subject, Apple's opening line, a dashed line, the subject's prefix
LANGUAGES = {
    "en": "From|Date|Sent|To|Cc|Subject|Begin forwarded message:|Forwarded Message|FW",
    "sv": "Från|Datum|Skickat|Till|Kopia|Ämne|Vidarebefordrat mejl:|Vidarebefordrat meddelande|VB",
    "da": "Fra|Dato|Sendt|Til|Cc|Emne|Start på videresendt besked:|Videresendt meddelelse|VS",
    "no": "Fra|Dato|Sendt|Til|Kopi|Emne|Videresendt melding:|Videresendt melding|VS",
    "is": "Frá|Dags|Sent|Til|Afrit|Efni|Áframsent skeyti:|Áframsendur póstur|FW",
    "de": "Von|Datum|Gesendet|An|Kopie|Betreff|Anfang der weitergeleiteten Nachricht:|Weitergeleitete Nachricht|WG",
    "nl": "Van|Datum|Verzonden|Aan|CC|Onderwerp|Begin doorgestuurd bericht:|Doorgestuurd bericht|FW",
    "fr": "De|Date|Envoyé|À|Cc|Objet|Début du message réexpédié :|Message transféré|TR",
    "es": "De|Fecha|Enviado|Para|CC|Asunto|Inicio del mensaje reenviado:|Mensaje reenviado|RV",
    "ca": "De|Data|Enviat|Per a|A/c|Assumpte|Inici del missatge reenviat:|Missatge reenviat|RV",
    "pt": "De|Data|Enviado|Para|Cc|Assunto|Início da mensagem reencaminhada:|Mensagem reencaminhada|FW",
    "pt-br": "De|Data|Enviada em|Para|Cc|Assunto|Início da mensagem encaminhada:|Mensagem encaminhada|ENC",
    "it": "Da|Data|Inviato|A|Cc|Oggetto|Inizio messaggio inoltrato:|Messaggio inoltrato|I",
    "ro": "De la|Dată|Trimis|Către|Cc|Subiect|Începe mesajul redirecționat:|Mesaj redirecționat|Redir.",
    "fi": "Lähettäjä|Päivämäärä|Lähetetty|Vastaanottaja|Kopio|Aihe|Välitetty viesti alkaa:|Välitetty viesti|VL",
    "et": "Saatja|Kuupäev|Saadetud|Adressaat|Koopia|Teema|Edastatud kiri:|Edastatud kiri|FW",
    "lv": "No|Datums|Nosūtīts|Kam|Kopija|Temats|Pārsūtīts ziņojums:|Pārsūtīts ziņojums|FW",
    "lt": "Nuo|Data|Išsiųsta|Kam|Kopija|Tema|Persiųstas laiškas:|Persiųstas laiškas|FW",
    "cs": "Od|Datum|Odesláno|Komu|Kopie|Předmět|Začátek přeposílané zprávy:|Přeposlaná zpráva|FW",
    "sk": "Od|Dátum|Odoslané|Komu|Kópia|Predmet|Začiatok preposlanej správy:|Preposlaná správa|FW",
    "pl": "Od|Data|Wysłano|Do|DW|Temat|Początek przekazywanej wiadomości:|Treść przekazanej wiadomości|PD",
    "hr": "Šalje|Datum|Poslano|Prima|Cc|Predmet|Započni proslijeđenu poruku:|Proslijeđena poruka|FW",
    "sl": "Od|Datum|Poslano|Za|Kp|Zadeva|Posredovano sporočilo:|Posredovano sporočilo|FW",
    "hu": "Feladó|Dátum|Elküldve|Címzett|Másolatot kap|Tárgy|Továbbított levél kezdete:|Továbbított üzenet|FW",
    "ru": "От|Дата|Отправлено|Кому|Копия|Тема|Начало переадресованного сообщения:|Пересылаемое сообщение|FW",
    "uk": "Від|Дата|Надіслано|Кому|Копія|Тема|Початок листа, що пересилається:|Переслане повідомлення|FW",
    "bg": "От|Дата|Изпратено|До|Копие|Относно|Препратено съобщение:|Препратено съобщение|FW",
    "el": "Από|Ημερομηνία|Στάλθηκε|Προς|Κοιν|Θέμα|Αρχή προωθημένου μηνύματος:|Προωθημένο μήνυμα|ΠΡΘ",
    "tr": "Kimden|Tarih|Gönderilen|Kime|Bilgi|Konu|İleti başlangıcı:|İletilen İleti|İLT",
    "id": "Dari|Tanggal|Dikirim|Kepada|Cc|Subjek|Awal pesan yang diteruskan:|Pesan diteruskan|FW",
    "vi": "Từ|Ngày|Đã gửi|Đến|Cc|Chủ đề|Bắt đầu thư được chuyển tiếp:|Thư đã chuyển tiếp|FW",
    "ja": "差出人|日付|送信日時|宛先|Cc|件名|転送されたメッセージ:|転送されたメッセージ|FW",
    "zh": "发件人|日期|发送时间|收件人|抄送|主题|开始转发的邮件：|转发的邮件|转发",
    "zh-tw": "寄件者|日期|寄件日期|收件者|副本|主旨|開始轉寄郵件：|轉寄的郵件|轉寄",
    "ko": "보낸 사람|날짜|보낸 날짜|받는 사람|참조|제목|전달된 메시지:|전달된 메시지|FW",
    "he": "מאת|תאריך|נשלח|אל|עותק|נושא|התחלת ההודעה שהועברה:|הודעה שהועברה|FW",
    "ar": "من|التاريخ|تم الإرسال|إلى|نسخة|الموضوع|بدء الرسالة المحولة:|رسالة معاد توجيهها|FW",
}
DATE = "Wed, 3 Nov 2021 15:51:30 +0100"


def _words(language: str) -> dict[str, str]:
    names = ("from", "date", "sent", "to", "cc", "subject", "apple", "dashed", "prefix")
    return dict(zip(names, LANGUAGES[language].split("|"), strict=True))


def _quoted(text: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in text.split("\n"))


def _gmail(w: dict[str, str]) -> str:
    head = f"{w['from']}: {ANN}\nDate: {DATE}\nSubject: Rust review\nTo: <kim@collective.example>"
    return f"---------- Forwarded message ---------\n{head}\n\n\n{BODY}"


def _hubspot(w: dict[str, str]) -> str:
    head = f"{w['from']}: {ANN}\n{w['date']}: {DATE}\n{w['subject']}: Rust review\n{w['to']}: kim@collective.example"
    return f"---------- {w['dashed']} ---------\n{head}\n\n{BODY}"


def _apple(w: dict[str, str]) -> str:
    head = f"{w['from']}: {ANN}\n{w['subject']}: Rust review\n{w['date']}: {DATE}\n{w['to']}: kim@collective.example\n"
    return f"{w['apple']}\n\n{_quoted(head + chr(10) + BODY)}"


def _outlook(w: dict[str, str]) -> str:
    head = f"{w['from']}: {ANN}\n{w['sent']}: {DATE}\n{w['to']}: Kim <kim@collective.example>;\n    <bo@x.example>\n"
    return (
        f"________________________________\n{head}{w['cc']}: Cy <cy@x.example>\n{w['subject']}: Rust review\n\n{BODY}"
    )


def _new_outlook(w: dict[str, str]) -> str:
    head = f"{w['from']}: {ANN}\n{w['date']}: {DATE}\n{w['to']}: kim@collective.example <kim@collective.example>"
    return f"{head}\n{w['subject']}: Rust review\n{BODY}"


def _thunderbird(w: dict[str, str]) -> str:
    head = f"{w['subject']}: \tRust review\n{w['date']}: \t{DATE}\n{w['from']}: \t{ANN}\n{w['to']}: \tkim@x.example"
    return f"-------- {w['dashed']} --------\n{head}\n\n\n\n{BODY}"


def _yahoo(w: dict[str, str]) -> str:
    head = f'{w["from"]}: {ANN}{w["to"]}: "kim@collective.example" <kim@collective.example>'
    return f"   ----- {w['dashed']} ----- {head}{w['sent']}: {DATE}{w['subject']}: Rust review\n {BODY}"


CLIENTS = (_gmail, _hubspot, _apple, _outlook, _new_outlook, _thunderbird, _yahoo)


def _mail(text: str, subject: str = "Fwd: Rust review", **others: object) -> Message:
    return replace(Message(sender=KIM, subject=subject, text=text), **others)  # type: ignore[arg-type]


def _read(text: str, subject: str = "Fwd: Rust review", **others: object) -> Forward:
    forward = read_forward(_mail(text, subject, **others))
    assert forward is not None
    return forward


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.__name__.strip("_"))
def test_the_original_is_read_in_every_client_and_language(client, language):
    w = _words(language)
    forward = _read("Who has time?\n\n" + client(w), f"{w['prefix']}: Rust review")
    assert forward.client == Address("Ann Client", "ann@client.example")
    assert forward.certain
    assert forward.subject == "Rust review"
    assert forward.text == BODY
    assert forward.above == "Who has time?"
    assert forward.date == datetime(2021, 11, 3, 14, 51, tzinfo=UTC)


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_answer_that_quotes_with_the_same_block_is_no_forward(language):
    w = _words(language)
    for text in (_outlook(w), _new_outlook(w), _quoted(_gmail(w))):
        assert read_forward(_mail("Mine!\n\n" + text, "Re: Rust review", in_reply_to=("<1@x>",))) is None


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_line_that_says_forwarded_needs_no_prefix(language):
    w = _words(language)
    for client in (_gmail, _hubspot, _apple, _thunderbird):
        assert _read(client(w), "BUN: Rust review").certain


REAL = sorted(path.stem for path in MAIL.glob("forward-*.eml"))


@pytest.mark.parametrize("name", REAL)
def test_the_mails_under_mail_are_read_as_their_notes_say(name):
    want = json.loads((MAIL / f"{name}.json").read_text("utf-8"))
    forward = read_forward(read_message((MAIL / f"{name}.eml").read_bytes()))
    if want["client"] is None:
        assert forward is None, want["why"]
        return
    assert forward is not None
    assert forward.client == Address(want["name"], want["client"]), want["why"]
    assert (forward.subject, forward.above, forward.certain) == (want["subject"], want["above"], want["certain"])
    assert want["text"] in (None, forward.text)


OTHER_CLIENTS = {
    "mutt": f"----- Forwarded message from {ANN} -----\n\nDate: {DATE}\nFrom: {ANN}\nTo: kim@collective.example\n"
    f"Subject: Rust review\n\n{BODY}\n\n----- End forwarded message -----",
    "mutt without headers": f"----- Forwarded message from {ANN} -----\n\n{BODY}\n\n----- End forwarded message -----",
    "Notes": "----- Forwarded by Kim/Collective on 03/11/2021 16:00 -----\n\n"
    f"From:\t{ANN}\nTo:\tkim@collective.example\nDate:\t03/11/2021 15:51\nSubject:\tRust review\n\n{BODY}",
    "Samsung": f"-------- Original message --------\nFrom: {ANN} \nDate: 03/11/2021  15:51  (GMT+01:00) \n"
    f"To: kim@collective.example \nSubject: Rust review \n\n{BODY}",
    "K-9": f"-------- Original Message --------\nFrom: {ANN}\nSent: 3 November 2021 15:51:30 CET\n"
    f"To: kim@collective.example\nSubject: Rust review\n\n{BODY}",
    "Proton": f"------- Forwarded Message -------\nFrom: {ANN}\nDate: On Wednesday, November 3rd, 2021 at 3:51 PM\n"
    f"Subject: Rust review\nTo: kim@collective.example\n\n{BODY}",
    "IONOS": f"---------- Original Message ----------\nFrom: {ANN}\nTo: kim@collective.example\n"
    f"Date: 11/03/2021 3:51 PM CET\nSubject: Rust review\n\n\n{BODY}",
    "MailMate": "Forwarded message:\n\n"
    + _quoted(f"From: {ANN}\nTo: kim@collective.example\nSubject: Rust review\nDate: {DATE}\n\n{BODY}"),
    "Outlook 2013": f"From: Ann Client [mailto:ann@client.example] \nSent: 03 November 2021 15:51\nTo: Kim\n"
    f"Subject: Rust review\n\n{BODY}",
    "Outlook with links": "*From:* Ann Client<mailto:ann@client.example> "
    "<ann@client.example<mailto:ann@client.example>>\n"
    f"*Sent:* Wednesday, November 3, 2021 3:51 PM\n*To:* Kim<mailto:kim@x.example>\n*Subject:* Rust review\n\n{BODY}",
    "eM Client": f"------ Forwarded Message ------\nFrom {ANN}\nTo kim@x.example\nDate 03/11/2021 15:51:30\n"
    f"Subject Rust review\n\n{BODY}",
    "Orange": _quoted(
        f"Message du 03/11/21 15:51\nDe : {ANN}\nA : kim@x.example\nCopie à : \nObjet : Rust review\n\n{BODY}"
    ),
    "Virgilio": f"----Messaggio originale----\nDa: {ANN}\nData: 03/11/2021 15.51\nA: kim@x.example\n"
    f"Ogg: Rust review\n\n{BODY}",
    "GroupWise": f">>> {ANN} 11/3/2021 3:51 PM >>>\n{BODY}",
    "a separator and the first label on one line": f"----- Forwarded Message ----- From: {ANN}\nTo: kim@x.example\n"
    f"Sent: Wednesday, November 3, 2021 at 3:51 PM\nSubject: Rust review\n\n{BODY}",
    "blank lines between the labels": f"From:\n\n{ANN}\n\nSent:\n\n3 Nov 2021\n\nSubject:\n\nRust review\n\n{BODY}",
}


@pytest.mark.parametrize("client", OTHER_CLIENTS)
def test_the_original_is_read_in_less_common_clients(client):
    forward = _read("Who has time?\n\n" + OTHER_CLIENTS[client])
    assert forward.client is not None
    assert forward.client.address == "ann@client.example"
    assert (forward.certain, forward.subject, forward.above) == (True, "Rust review", "Who has time?")
    assert forward.text == BODY


@pytest.mark.parametrize(
    "line",
    [
        'On 03/11/2021 15:51, "Ann Client" <ann@client.example> wrote:',
        'Den 2021-11-03 15:51 skrev "Ann Client" <ann@client.example> följande:',
        'Am 03.11.21, 15:51 schrieb "Ann Client" <ann@client.example>:',
        "Op 03-11-2021 15:51 heeft Ann Client <ann@client.example> geschreven:",
        "Le 03/11/2021 15:51, « Ann Client » <ann@client.example> a écrit :",
        '"Ann Client" <ann@client.example>, 03/11/2021 15:51 tarihinde şunu yazdı:',
        '"Ann Client" <ann@client.example> kirjoitti 3.11.2021 kello 15.51:',
        "2021. 11. 03. 15:51 időpontban Ann Client (ann@client.example) ezt írta:",
    ],
)
def test_outlook_for_mac_forwards_under_a_line_of_attribution(line):
    indented = "\n".join(f"    {row}".rstrip() for row in BODY.split("\n"))
    forward = _read(f"Who?\n\n{line}\n\n{indented}", "FW: Rust review")
    assert forward.client is not None
    assert forward.client.address == "ann@client.example"
    assert (forward.subject, forward.text, forward.above) == ("Rust review", BODY, "Who?")


def test_an_answer_under_a_forwarding_subject_stays_an_answer():
    text = f"That's true!\n\nOn Wed, Nov 3, 2021 at 3:51 PM {ANN}\nwrote:\n\n{_quoted(BODY)}"
    assert read_forward(_mail(text)) is None


def test_labels_of_an_unknown_language_are_told_by_their_shape_and_asked_about():
    text = f"Frum: {ANN}\nSubjekt-o: Rust review\nDato-o: 2021-11-03 15:51\nAl: kim@collective.example\n\n{BODY}"
    forward = _read(text)
    assert forward.client == Address("Ann Client", "ann@client.example")
    assert not forward.certain
    assert forward.text == BODY


def test_a_known_recipient_in_a_block_without_an_author_is_never_the_client():
    text = f"-------- Forwarded Message --------\nTo: kim@x.example\nDate: {DATE}\nSubject: Rust review\n\n{BODY}"
    assert (_read(text).client, _read(text).certain) == (None, False)


def test_a_subject_that_alone_says_forward_names_nobody():
    forward = _read("Ann from Client needs a Rust review, please.")
    assert (forward.client, forward.certain) == (None, False)


def test_one_letter_prefixes_alone_say_nothing():
    assert read_forward(_mail("Please help.", "I: need help")) is None
    assert read_forward(_mail("Please help.", "TR: delegation")) is None


def test_a_sender_on_behalf_of_another_is_asked_about():
    text = "From: Desk <desk@client.example> on behalf of Ann <ann@client.example>\nSent: today\nTo: x\nSubject: y\n\nz"
    assert not _read(text).certain


def test_the_address_in_brackets_counts_before_one_in_the_name():
    assert read_mailbox('"boss@bank.example" <thief@x.example>') == (Address("", "thief@x.example"), True)
    assert read_mailbox("'ann@client.example' <ann@client.example>") == (Address("", "ann@client.example"), True)
    assert read_mailbox("ann@client.example (Ann Client)") == (Address("Ann Client", "ann@client.example"), True)
    assert read_mailbox("Ann Client") == (None, False)


def test_the_outermost_of_several_forwards_counts():
    inner = "---------- Forwarded message ---------\nFrom: Zoe <zoe@z.example>\nSubject: older\nTo: x\n\nOld."
    forward = _read(f"{_gmail(_words('en'))}\n\n{inner}")
    assert forward.client == Address("Ann Client", "ann@client.example")
    assert forward.text.endswith("Old.")


def test_what_the_forwarder_writes_below_never_becomes_the_original():
    text = (
        "Hello\n\nForwarded message:\n\n" + _quoted(f"From: {ANN}\nSubject: Rust\nDate: {DATE}\n\n{BODY}") + "\n\nRich!"
    )
    forward = _read(text)
    assert forward.text == BODY
    assert forward.above.split() == ["Hello", "Rich!"]


def test_an_attached_mail_decides_without_a_prefix_but_not_in_an_answer():
    mail = EmailMessage()
    mail["From"], mail["Subject"] = "kim@collective.example", "BUN: Rust"
    mail.set_content("see attached")
    original = EmailMessage()
    original["From"], original["Subject"] = ANN, "Rust review"
    original.set_content(BODY)
    mail.add_attachment(original)
    forward = read_forward(read_message(mail.as_bytes()))
    assert forward is not None
    assert (forward.client, forward.certain) == (Address("Ann Client", "ann@client.example"), True)
    mail.replace_header("Subject", "Re: Rust")
    assert read_forward(read_message(mail.as_bytes())) is None


@pytest.mark.parametrize(
    ("subject", "kind", "rest"),
    [
        ("Fwd: x", "forward", "x"),
        ("[Fwd: x]", "forward", "x"),
        ("FW: RE: x", "forward", "RE: x"),
        ("Re: Fwd: x", "reply", "Re: Fwd: x"),
        ("[buns] VB: x", "forward", "[buns] VB: x"),
        ("BUN: Fwd: x", "forward", "BUN: Fwd: x"),
        ("BUN: Re: x", "", "BUN: Re: x"),
        ("Re[2]: x", "reply", "Re[2]: x"),
        ("转发：x", "forward", "x"),
        ("VS: x", "either", "x"),
        ("İLT: x", "forward", "x"),
        ("Hello: x", "", "Hello: x"),
        ("", "", ""),
    ],
)
def test_the_first_known_prefix_of_a_subject_decides(subject, kind, rest):
    assert subject_prefix(subject) == kind
    assert strip_prefix(subject) == rest


def test_vs_is_an_answer_in_finnish_and_a_forward_in_danish():
    assert read_forward(_mail(_new_outlook(_words("fi")), "VS: Rust review")) is None
    assert _read(_new_outlook(_words("da")), "VS: Rust review").certain


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("Wed, 3 Nov 2021 15:51:30 +0100", datetime(2021, 11, 3, 14, 51, tzinfo=UTC)),
        ("lunes, 19 de septiembre de 2022 17:55:44 -0400", datetime(2022, 9, 19, 21, 55, tzinfo=UTC)),
        ("2021년 10월 27일 (수) 오후 9:31", datetime(2021, 10, 27, 21, 31, tzinfo=UTC)),
        ("2022年9月19日月曜日 17:55:44 -0400", datetime(2022, 9, 19, 21, 55, tzinfo=UTC)),
        ("tiistaina 2. marraskuuta 2021 klo 09.26.50 UTC+1", datetime(2021, 11, 2, 8, 26, tzinfo=UTC)),
        ("mardi 2 mars 2021 à 9 h 05", datetime(2021, 3, 2, 9, 5, tzinfo=UTC)),
        ("den 28 oktober 2021 12:46", datetime(2021, 10, 28, 12, 46, tzinfo=UTC)),
        ("28/10/2021 12:46", datetime(2021, 10, 28, 12, 46, tzinfo=UTC)),
        ("10/28/21, 12:46 PM", datetime(2021, 10, 28, 12, 46, tzinfo=UTC)),
        ("3/5/2021 10:00", None),
        ("31 February 2021", None),
        ("next Tuesday", None),
    ],
)
def test_a_date_is_read_in_any_language_or_not_at_all(text, want):
    assert read_date(text) == want


@settings(max_examples=60, deadline=None)
@given(
    st.text(max_size=400),
    st.lists(st.sampled_from(["From: a@b.cz", "> ", "-----", "Fwd:", "To:", "\n", "wrote:", "<", "1:1"]), max_size=30),
)
def test_no_text_makes_it_raise(text, pieces):
    for subject in ("Fwd: x", "Re: x", text):
        read_forward(_mail(text + "\n".join(pieces), subject))


@pytest.mark.parametrize(
    "piece",
    [
        "From: a@b\n",
        "Date: x\n",
        "Foo: a@b.cz\n",
        "----- forwarded\n",
        "a.b@" * 100 + ":\n",
        "> " * 500,
        "a" * 499 + ":\n",
    ],
)
def test_a_hostile_megabyte_takes_bounded_time(piece):
    message = _mail(piece * (1_000_000 // len(piece)))
    start = time.process_time()
    read_forward(message)
    assert time.process_time() - start < 0.5
