"""Mails of about a megabyte made to keep a reader busy: each is some class of trouble at its worst."""

from __future__ import annotations

import base64
import random
from collections.abc import Callable

MEGABYTE = 1_000_000
TOP = b"From: a@b.example\r\nTo: x@y.example\r\nSubject: s\r\nMessage-ID: <1@x>\r\nMIME-Version: 1.0\r\n"


def typed(kind: bytes, body: bytes, encoding: bytes = b"8bit") -> bytes:
    return TOP + b"Content-Type: " + kind + b"\r\nContent-Transfer-Encoding: " + encoding + b"\r\n\r\n" + body


def filled(piece: bytes, size: int = MEGABYTE) -> bytes:
    return piece * (size // len(piece))


def multipart(parts: list[bytes], kind: bytes = b"mixed", boundary: bytes = b"b") -> bytes:
    head = b"Content-Type: multipart/" + kind + b'; boundary="' + boundary + b'"\r\n\r\n'
    inside = b"".join(b"--" + boundary + b"\r\n" + part + b"\r\n" for part in parts)
    return head + inside + b"--" + boundary + b"--\r\n"


def nested(depth: int, size: int = 0) -> bytes:
    mail = b"Content-Type: text/plain\r\n\r\ndeep\r\n" + b"y" * size
    for level in range(depth):
        mail = multipart([mail], boundary=b"n%d" % level)
    return TOP + mail


def tnef(properties: bytes) -> bytes:
    stream = b"\x78\x9f\x3e\x22\0\0\x01\x03\x90\x06\0" + len(properties).to_bytes(4, "little") + properties
    return typed(b"application/ms-tnef", stream)


def packed_rtf(size: int) -> bytes:
    body = (b"\xff" + b"\0\x0f" * 8) * (size // 17)
    value = len(body).to_bytes(4, "little") + b"\xff\xff\xff\x7fLZFu\0\0\0\0" + body
    return tnef(b"\x01\0\0\0\x02\x01\x09\x10\x01\0\0\0" + len(value).to_bytes(4, "little") + value)


def noise(size: int = MEGABYTE) -> bytes:
    return random.Random(1).randbytes(size)


HTML = b"text/html; charset=utf-8"
PLAIN = b"text/plain; charset=utf-8"
SIGNED = bytes.fromhex("308006092a864886f70d010702a080308002010131003080060101a0802480")

HOSTILE: dict[str, Callable[[], bytes]] = {
    # the header block
    "100,000 headers": lambda: b"A: b\r\n" * 100_000 + TOP + b"\r\nx",
    "90,000 From headers": lambda: b"From: a@b\r\n" * 90_000 + b"\r\nx",
    "450 kB of To": lambda: TOP + b"To: " + filled(b"a@b.c, ", 450_000) + b"\r\n\r\nx",
    "450 kB of quotes that never close": lambda: b"From: x@y\r\nTo: " + filled(b'"\\"', 450_000) + b"\r\n\r\nx",
    "eight To headers of openings": lambda: TOP + (b"To: " + b"(," * 4000 + b"\r\n") * 8 + b"\r\nx",
    "eight Cc headers of semicolons": lambda: TOP + (b"Cc: " + b"a@b;" * 2000 + b"\r\n") * 8 + b"\r\nx",
    "a megabyte of subject": lambda: b"Subject: " + filled(b"=?utf-8?q?a?= ") + b"\r\n\r\n",
    "encoded words that only open": lambda: b"Subject: " + filled(b"=?utf-8?q?") + b"\r\n\r\n",
    "a megabyte of References": lambda: TOP + b"References: " + filled(b"<a@b> ") + b"\r\n\r\nx",
    "a date of parentheses": lambda: b"From: a@b\r\nDate: " + filled(b"(") + b"\r\n\r\n",
    "lines that are no fields": lambda: TOP + filled(b"junk\r\n"),
    "lines that are no fields above one": lambda: TOP + b"j\r\n" * 20_000 + b"Subject: x\r\n\r\n" + filled(b"j\n"),
    "a megabyte of one-letter fields": lambda: filled(b"a:\n"),
    "raw 8-bit headers": lambda: (
        filled(b"X: \xe5\xff charset=gb2312\r\n", 60_000) + TOP + b"\r\n" + filled(b"charset=")
    ),
    "a parameter of escaped quotes": lambda: TOP + b'Content-Type: text/plain; x="' + filled(b'\\"') + b"\r\n\r\nx",
    "a parameter in 900 pieces": lambda: TOP + b"Content-Type: a/b" + filled(b"; a*1*=b", 8000) + b"\r\n\r\nx",
    # bytes
    "noise": noise,
    "noise as a body": lambda: TOP + b"\r\n" + noise(),
    "NULs": lambda: TOP + b"\r\n" + filled(b"\0"),
    "carriage returns": lambda: TOP + b"\r\n" + filled(b"\r"),
    "newlines": lambda: TOP + b"\r\n" + filled(b"\n"),
    "a line of a megabyte": lambda: TOP + b"\r\n" + filled(b"a"),
    "On On On": lambda: TOP + b"\r\n" + filled(b"On "),
    "a quote ladder": lambda: TOP + b"\r\n" + b"".join(b">" * step + b" x\r\n" for step in range(1400)),
    "rules between long lines": lambda: TOP + b"\r\n" + filled(b"-----\n" + b"x y zebra " * 50 + b"\n"),
    "lines of underscores and sentences": lambda: (
        TOP + b"\r\n" + filled(b"__________\n\n" + b"It goes on. " * 40 + b"\n\n")
    ),
    "signatures between stars": lambda: TOP + b"\r\n" + filled(b"*****\nAnna Berg\n"),
    "almost attributions": lambda: (
        TOP + b"\r\n" + filled(b"On Monday we <a@b.cd> wrote at 10:11 that it is not known\n")
    ),
    "brackets that look quoted": lambda: TOP + b"\r\n" + filled(b"On 3 May 10:11\n>\nwrote:\n"),
    "indented pages": lambda: typed(HTML, filled(b'<blockquote style="margin:0 0 0 40px;border:none">x')),
    "8-bit without a charset": lambda: TOP + b"\r\n" + filled(b"\xe5"),
    "almost UTF-8": lambda: typed(PLAIN, filled(b"\xc3\xa5") + b"\xff"),
    "escapes of ISO-2022-JP": lambda: typed(b"text/plain; charset=iso-2022-jp", filled(b"\x1b$B")),
    "UTF-7": lambda: typed(b"text/plain; charset=utf-7", filled(b"+AAA-")),
    "HZ": lambda: typed(b"text/plain; charset=hz-gb-2312", filled(b"~{")),
    "punycode as a charset": lambda: typed(b"text/plain; charset=punycode", filled(b"a")),
    "idna as a charset": lambda: typed(b"text/plain; charset=idna", filled(b"a")),
    # parts
    "twenty levels": lambda: nested(20, 900_000),
    "three thousand levels": lambda: nested(3000),
    "five thousand parts": lambda: TOP + multipart([b"Content-Type: text/plain\r\n\r\nx"] * 5000),
    "200 pages of open tags": lambda: TOP + multipart([b"Content-Type: text/html\r\n\r\n" + b"<b>" * 1600] * 200),
    "200 attached mails": lambda: TOP + multipart([b"Content-Type: a/b; name=x.eml\r\n\r\n" + TOP * 50] * 190),
    "200 parts with 8-bit headers": lambda: TOP + multipart([b"X: \xe5 charset=big5\r\n\r\n" + b"x" * 4900] * 199),
    "lines that are almost the boundary": lambda: TOP + multipart([filled(b"\n--bb")]),
    "boundaries and nothing else": lambda: (
        TOP + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + filled(b"--b\r\n")
    ),
    "many alternatives": lambda: (
        TOP + multipart([typed(PLAIN, b"html")] * 190 + [typed(HTML, b"<p>x")], b"alternative")
    ),
    # transfer encodings
    "base64": lambda: typed(PLAIN, base64.encodebytes(filled(b"hello world\n", 700_000)), b"base64"),
    "base64 with padding everywhere": lambda: typed(PLAIN, filled(b"QQ==\r\n"), b"base64"),
    "base64 with half letters": lambda: typed(PLAIN, filled(b"A="), b"base64"),
    "base64 with junk": lambda: typed(PLAIN, filled(b"Q\xff"), b"base64"),
    "quoted-printable of spaces": lambda: typed(PLAIN, b"=" + filled(b" "), b"quoted-printable"),
    "quoted-printable of soft breaks": lambda: typed(PLAIN, filled(b"= "), b"quoted-printable"),
    "uuencode that never ends": lambda: TOP + b"\r\n" + filled(b"begin 644 x\nM" + b"!" * 60 + b"\n"),
    "uuencoded files": lambda: TOP + b"\r\n" + filled(b"\nbegin 644 x\n!!\nend\n"),
    # HTML
    "open tags": lambda: typed(HTML, filled(b"<b>")),
    "nested tables": lambda: typed(HTML, filled(b"<table><tr><td>x")),
    "nested lists": lambda: typed(HTML, filled(b"<ol><li>")),
    "line breaks": lambda: typed(HTML, filled(b"<br>")),
    "preformatted newlines": lambda: typed(HTML, b"<pre>" + filled(b"\n")),
    "less-than signs": lambda: typed(HTML, filled(b"<")),
    "character references": lambda: typed(HTML, filled(b"&#1;")),
    "attributes": lambda: typed(HTML, b"<p " + filled(b"a=1 ") + b">"),
    "styles": lambda: typed(HTML, filled(b'<div style="display:block" class="a b c d e" id=x>')),
    "hidden text": lambda: typed(HTML, filled(b'<div style="display:none">x')),
    "a huge margin": lambda: typed(HTML, filled(b'<p style="margin-top:99999em;padding-left:99999em">x')),
    "mail links": lambda: typed(HTML, filled(b'<a href="mailto:a@b">x')),
    # texts of other kinds
    "flowed words": lambda: typed(b"text/plain; format=flowed", filled(b"a \r\n")),
    "flowed quotes": lambda: typed(b"text/plain; format=flowed", filled(b">")),
    "signed openings": lambda: TOP + b"\r\n" + filled(b"-----BEGIN PGP SIGNED MESSAGE-----\n"),
    "enriched text": lambda: typed(b"text/enriched", filled(b"<param>")),
    "a calendar": lambda: typed(b"text/calendar", b"BEGIN:VEVENT\n" + filled(b"SUMMARY;x:")),
    "rich text of groups": lambda: typed(b"text/rtf", filled(b"{\\a")),
    "rich text of nothing": lambda: typed(b"text/rtf", filled(b"{}")),
    "a winmail.dat of noise": lambda: typed(b"application/ms-tnef", b"\x78\x9f\x3e\x22\0\0" + noise()),
    "a winmail.dat of endless values": lambda: tnef(b"\xff" * 4 + b"\x1e\0\0\x10\xff\xff\xff\xff" + b"\0" * 900_000),
    "rich text that unpacks for ever": lambda: packed_rtf(800_000),
    "envelopes in envelopes": lambda: typed(b"application/pkcs7-mime", filled(b"\x30\x80")),
    "an envelope in small pieces": lambda: typed(b"application/pkcs7-mime", SIGNED + filled(b"\x04\x01a")),
}
