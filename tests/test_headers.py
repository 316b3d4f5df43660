"""Header blocks are split, and their values decoded, however they were broken on the way."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from router.headers import decode_base64, decode_words, read_date, read_ids, read_parameters, split_headers


def split(raw: bytes) -> tuple[dict[str, str], bytes]:
    headers, body = split_headers(raw)
    return dict(headers.items), raw[body:]


@pytest.mark.parametrize(
    ("raw", "fields", "body"),
    [
        (b"A: 1\nB: 2\n\nx", {"a": "1", "b": "2"}, b"x"),
        (b"A: 1\r\n\t2\r\n\r\nx", {"a": "1 2"}, b"x"),
        (b"A: 1\r\r\nB: 2\r\r\n\r\r\nx", {"a": "1", "b": "2"}, b"x"),
        (b"A: 1\rSubject: 2\r\rx\ny", {"a": "1", "subject": "2"}, b"x\ny"),
        (b"A: 1\rno field\nB: 2\n\nx", {"a": "1 no field", "b": "2"}, b"x"),
        (b"A : 1\nB:2\n\n", {"a": "1", "b": "2"}, b""),
        (b"A: 1\n  \n 2\n\nx", {"a": "1  2"}, b"x"),
        (b"From a@b Tue\nA: 1\n\nx", {"a": "1"}, b"x"),
        (b"A: 1\nHello there\n\nx", {"a": "1"}, b"Hello there\n\nx"),
        (b"X-A: 1\nwrapped\nSubject: s\n\nx", {"x-a": "1 wrapped", "subject": "s"}, b"x"),
        (b"A: 1", {"a": "1"}, b""),
        (b"\nx", {}, b"x"),
        (b"no header\n", {}, b"no header\n"),
        (b"", {}, b""),
    ],
)
def test_where_fields_and_body_begin(raw: bytes, fields: dict[str, str], body: bytes) -> None:
    assert split(raw) == (fields, body)


def test_a_huge_block_is_cut_and_the_body_is_still_found() -> None:
    fields, body = split(b"Subject: s\n" + b"X: y\n" * 50_000 + b"\nbody")
    assert (fields["subject"], body) == ("s", b"body")
    assert len(split_headers(b"X: y\n" * 50_000)[0].items) <= 2000


def test_a_value_is_cut_at_eight_kilobytes() -> None:
    assert len(split(b"A: " + b"x" * 20_000 + b"\n\n")[0]["a"]) == 8192


def test_fields_are_found_by_name_in_order() -> None:
    headers, _ = split_headers(b"A: 1\na: 2\nB: 3\n\n")
    assert (headers.get("a"), headers.get_all("a"), headers.get("c")) == ("1", ("1", "2"), "")
    assert "b" in headers
    assert "c" not in headers


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain", "plain"),
        ("=?utf-8?q?f=C3=B6r_dig?=", "för dig"),
        ("=?UTF-8?B?ZsO2cg==?= =?UTF-8?B?IGRpZw==?=", "för dig"),
        ("=?utf-8?b?ZsM=?= =?utf-8?b?tnI=?=", "för"),
        ("=?utf-8?b?Zs?= =?utf-8?b?O2cg?=", "för"),
        ("=?utf-8?q?a?==?utf-8?q?b?=", "ab"),
        ("=?utf-8?q?a?= b =?utf-8?q?c?=", "a b c"),
        ("=?utf-8?q?a?=\t =?iso-8859-1?q?=E5?=", "aå"),
        ("=?utf-8*en?q?a?=", "a"),
        ("=?bogus?q?f=C3=B6r?=", "för"),
        ("=?utf-8?q?what?_is?=", "what? is"),
        ("=?utf-8?x?a?=", "=?utf-8?x?a?="),
        ("=?utf-8?b?%%%?=", ""),
        ("=?utf-8?q?a", "=?utf-8?q?a"),
        ("=?utf-8?q?a =?utf-8?q?b?=", "=?utf-8?q?a b"),
        ("=?utf-8?q?a=0D=0AFrom:_b?=", "a From: b"),
        ("a\x1b$B0MMj\x1b(Bb", "a依頼b"),
        ("two  \t spaces", "two spaces"),
    ],
)
def test_encoded_words_and_their_abuse(value: str, text: str) -> None:
    assert decode_words(value) == text


@pytest.mark.parametrize(
    ("value", "kind", "params"),
    [
        ('text/plain; charset="utf-8"', "text/plain", {"charset": "utf-8"}),
        ("Text/HTML;charset=UTF-8;format=flowed", "text/html", {"charset": "UTF-8", "format": "flowed"}),
        ("text/plain; charset=us-ascii (a comment)", "text/plain", {"charset": "us-ascii"}),
        ("text/html charset=utf-8", "text/html", {"charset": "utf-8"}),
        ("text / plain ; a = b", "text/plain", {"a": "b"}),
        ('"text/plain"; a="b;c"', "text/plain", {"a": "b;c"}),
        ("a/b; name=my file.pdf; size=1", "a/b", {"name": "my file.pdf", "size": "1"}),
        ('a/b; name="C:\\temp\\x \\"y\\""', "a/b", {"name": 'C:\\temp\\x "y"'}),
        ('a/b; name="never closed', "a/b", {"name": "never closed"}),
        ("a/b; x=1; x=2", "a/b", {"x": "1"}),
        ("a/b; name*=utf-8'sv'%C3%A5.pdf", "a/b", {"name": "å.pdf"}),
        ("a/b; name*1*=%A5; name*0*=utf-8''%C3; name*2=.pdf", "a/b", {"name": "å.pdf"}),
        ("a/b; name=a.pdf; name*=utf-8''%C3%A5.pdf", "a/b", {"name": "å.pdf"}),
        ("a/b; name*='%E5", "a/b", {"name": "'å"}),
        ("filename=x.pdf", "", {"filename": "x.pdf"}),
        ("", "", {}),
        (";;;=;", "", {}),
    ],
)
def test_parameters(value: str, kind: str, params: dict[str, str]) -> None:
    assert read_parameters(value) == (kind, tuple(params.items()))


@pytest.mark.parametrize(
    ("value", "ids"),
    [
        ("<a@b>", ("<a@b>",)),
        ("<a@b>\t<c@d><e@f>", ("<a@b>", "<c@d>", "<e@f>")),
        ("Your mail of Tuesday <a@b> (I think)", ("<a@b>",)),
        ("<a @ b>", ("<a@b>",)),
        ("a@b", ("<a@b>",)),
        ("12345", ("<12345>",)),
        ("Your mail of Tuesday", ()),
        ("<> < >", ()),
        ("", ()),
    ],
)
def test_message_ids(value: str, ids: tuple[str, ...]) -> None:
    assert read_ids(value) == ids


@pytest.mark.parametrize(
    "value",
    [
        "Tue, 03 Jun 2025 10:11:12 +0200",
        "3 Jun 2025 08:11:12 GMT",
        "Tue, 3 Jun 2025 10:11:12 +0200 (CEST)",
        "Tue, 3 Jun 2025 10 : 11 : 12 (EDT) +0200",
        "2025-06-03T10:11:12+02:00",
        "2025-06-03 08:11:12",
        "Tue, 3 Jun 2025 08:11:12 -0000",
    ],
)
def test_dates_are_utc(value: str) -> None:
    assert read_date(value) == datetime(2025, 6, 3, 8, 11, 12, tzinfo=UTC)


@pytest.mark.parametrize("value", ["", "soon", "Tue, 99 Jun 2025 10:11:12 +0200", "1 Jan 99999 0:0 +9999", "9" * 200])
def test_impossible_dates_are_none(value: str) -> None:
    assert read_date(value) is None


@pytest.mark.parametrize(
    ("data", "content"),
    [
        (b"YWJj", b"abc"),
        (b"YW\nJj", b"abc"),
        (b"YWI", b"ab"),
        (b"YQ", b"a"),
        (b"Y", b""),
        (b"Y*W-J_j", b"abc"),
        (b"", b""),
    ],
)
def test_base64_is_decoded_as_far_as_it_goes(data: bytes, content: bytes) -> None:
    assert decode_base64(data) == content
