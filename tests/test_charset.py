"""Bytes become the text their sender meant, whatever the label says, and never an error."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.charset import codec, decode


@pytest.mark.parametrize(
    ("label", "text", "encoding"),
    [
        ("utf-8", "för 駅", "utf-8"),
        ('"UTF8"', "för 駅", "utf-8"),
        ("iso-8859-1", "för – €", "cp1252"),  # what senders mean by it
        ("ISO_8859-1:1987", "för", "latin-1"),
        ("windows-1251", "Привет", "cp1251"),
        ("x-mac-roman", "för", "mac_roman"),
        ("koi8-r", "Привет", "koi8-r"),
        ("gb2312", "镕 你好", "gb18030"),  # 镕 is not in GB 2312
        ("ks_c_5601-1987", "안녕", "cp949"),
        ("big5", "你好", "cp950"),
        ("Shift_JIS", "①依頼", "cp932"),
        ("iso-2022-jp", "依頼", "iso2022_jp"),
        ("iso-2022-jp", "依頼", "cp932"),  # the Japanese labels are mixed up
        ("us-ascii", "för 駅", "utf-8"),
        ("us-ascii", "för", "cp1252"),
        ("", "för 駅", "utf-8"),
        ("", "för", "cp1252"),
        ("", "依頼", "iso2022_jp"),
        ("x-unknown", "för", "utf-8"),
        ("unknown-8bit", "för", "cp1252"),
        ("utf-8", "för", "utf-16"),  # its byte-order mark tells
        ("utf-16", "för", "utf-16"),
        ("utf-16", "plain", "ascii"),
        ("utf-7", "för", "utf-7"),
        ("dos-850", "för", "cp850"),
    ],
)
def test_text_comes_back_under_the_labels_that_mails_use(label: str, text: str, encoding: str) -> None:
    assert decode(text.encode(encoding), label) == text


@pytest.mark.parametrize("label", ["idna", "punycode", "rot13", "unicode_escape", "raw_unicode_escape", "hex", "zip"])
def test_codecs_that_are_no_charsets_are_not_used(label: str) -> None:
    assert codec(label) == ""
    assert decode(b"\\x41-", label) == "\\x41-"


def test_a_few_broken_bytes_do_not_spoil_the_rest() -> None:
    text = "Grüße på åäö " * 3
    assert decode(text.encode() + b"\xc3", "utf-8") == text + "\ufffd"
    assert decode(b"\xff" + "你好，很高兴认识你，再见了朋友".encode("gb18030"), "gb2312").endswith("朋友")


def test_a_label_that_is_plainly_wrong_is_not_believed() -> None:
    assert decode("Grüße".encode("cp1252"), "utf-8") == "Grüße"


@settings(max_examples=300, deadline=None)
@given(
    st.binary(max_size=200),
    st.sampled_from(["", "utf-8", "utf-7", "utf-16", "utf-32", "hz", "iso-2022-jp", "iso-2022-kr", "gb2312", "cp1255"]),
)
def test_any_bytes_under_any_label_are_text(data: bytes, label: str) -> None:
    text = decode(data, label)
    text.encode("utf-8")
    assert "\0" not in text


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=80))
def test_any_label_is_a_charset_or_none(label: str) -> None:
    name = codec(label)
    assert not name or decode(b"a b", label)
