"""Bytes to text, whatever their label says.

Job: decode the bytes of a body or a raw header as the sender meant them: the declared charset, its usual aliases,
then UTF-8, then Windows-1252, then Latin-1, which never fails. Core: pure; imports the standard library only.
Only charsets of mail are let in: Python also knows codecs that are no charsets, some of them quadratic (idna,
punycode) or code (unicode_escape).
"""

from __future__ import annotations

import codecs
import re
from functools import lru_cache

# Labels that mails carry and Python does not know, or knows as a smaller set than the senders use. Supersets agree
# wherever the smaller set is defined; the WHATWG encoding standard does the same.
_ALIASES = {
    "ascii": "utf-8",
    "us": "utf-8",
    "usascii": "utf-8",
    "ansix341968": "utf-8",
    "7bit": "utf-8",
    "8bit": "utf-8",
    "unknown8bit": "utf-8",
    "utf8mb4": "utf-8",
    "unicode11utf8": "utf-8",
    "unicode11utf7": "utf-7",
    "unicode": "utf-16",
    "ansi": "cp1252",
    "latin1": "cp1252",
    "iso88591": "cp1252",
    "88591": "cp1252",
    "885915": "iso8859-15",
    "iso885911": "cp874",
    "tis620": "cp874",
    "iso88599": "cp1254",
    "iso88598i": "iso8859-8",
    "iso88598e": "iso8859-8",
    "iso88596i": "iso8859-6",
    "iso88596e": "iso8859-6",
    "visual": "iso8859-8",
    "logical": "iso8859-8",
    "gb2312": "gb18030",
    "gb231280": "gb18030",
    "gbk": "gb18030",
    "cp936": "gb18030",
    "ms936": "gb18030",
    "euccn": "gb18030",
    "big5": "cp950",
    "bigfive": "cp950",
    "cnbig5": "cp950",
    "big5eten": "cp950",
    "ksc56011987": "cp949",
    "ksc5601": "cp949",
    "euckr": "cp949",
    "iso2022kr": "iso2022_kr",
    "shiftjis": "cp932",
    "sjis": "cp932",
    "windows31j": "cp932",
    "mskanji": "cp932",
    "iso2022jp": "iso2022_jp_ext",
    "iso2022jpms": "iso2022_jp_ext",
    "cp50220": "iso2022_jp_ext",
    "cp50221": "iso2022_jp_ext",
    "eucjp": "euc_jp",
    "eucjpms": "euc_jp",
    "macintosh": "mac_roman",
    "macroman": "mac_roman",
    "maccyrillic": "mac_cyrillic",
    "koi8": "koi8-r",
}
_MAIL_CODEC = re.compile(
    r"utf-?(7|8|8-sig|16|16-[lb]e|32|32-[lb]e)|iso8859-\d+|iso2022_\w+|cp\d+|koi8-[rtu]|mac-\w+|ptcp154|kz1048|hz|johab"
    r"|gb\w+|big5\w*|shift_jis\w*|euc_\w+|tis-620|hp-roman8"
)
_JAPANESE = ("iso2022_jp_ext", "cp932", "euc_jp")
# Their texts are ASCII bytes, so ASCII may be read out of other ASCII: not to be guessed at where an address may stand.
STATEFUL = ("iso2022_jp_ext", "iso2022_jp", "iso2022_kr", "utf-7", "hz", "utf-16", "utf-32")
_ODD = re.compile(r"[^a-z0-9]+")


@lru_cache(maxsize=256)
def codec(label: str) -> str:
    """Python's codec for the charset `label` as mails write it, or `""` when it names no charset of mail."""
    label = label[:60].lower().strip("\"' \t;,").split(":")[0].removeprefix("x-")
    bare = re.sub(r"^(windows|dos|ibm)(?=\d)", "cp", _ODD.sub("", label))
    for name in (_ALIASES.get(bare), label, bare):
        try:
            known = codecs.lookup(name or "").name
        except (LookupError, ValueError):
            continue
        return known if _MAIL_CODEC.fullmatch(known) else ""
    return ""


def decode(data: bytes, label: str = "") -> str:
    """`data` as text without NUL. Never raises; the worst is text with replacement characters."""
    name = codec(label) if label else ""
    if data.isascii() and name not in STATEFUL and b"\x1b$" not in data and b"\0" not in data:
        return data.decode("ascii")
    guesses = _guesses(data, name)
    for guess in guesses:
        try:
            return _clean(_paired(data.decode(guess), guess))
        except (UnicodeError, LookupError):
            continue
    for guess in guesses:
        text = data.decode(guess, "replace")
        if _is_mostly_right(text, guess):
            return _clean(_paired(text, guess))
    try:
        return _clean(data.decode("cp1252"))
    except UnicodeError:
        return _clean(data.decode("latin-1"))


def _guesses(data: bytes, name: str) -> list[str]:
    guesses = [name] if name else []
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        guesses.insert(0, "utf-16")
    if name in _JAPANESE:  # senders mix up the three labels
        guesses += (other for other in _JAPANESE if other != name)
    elif b"\x1b$" in data:
        guesses.append("iso2022_jp_ext")
    return guesses if "utf-8" in guesses else [*guesses, "utf-8"]


def _is_mostly_right(text: str, guess: str) -> bool:
    """Few enough replacements: a cut or patched text of that charset, not one of another charset."""
    bad = text.count("\ufffd")
    good = len(text) - len(text.encode("ascii", "ignore")) - bad
    return bad <= good if guess == "utf-8" else bad * 10 <= good


def _paired(text: str, guess: str) -> str:
    """`text` without half characters, which the other UTFs let through and no output can encode."""
    if guess == "utf-8" or not guess.startswith("utf-"):
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _clean(text: str) -> str:
    return text.replace("\0", "").removeprefix("\ufeff")
