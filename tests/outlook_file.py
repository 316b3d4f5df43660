"""Writes Outlook files (.msg) as small as they can be: a compound file with the streams of one mail."""

from __future__ import annotations

import struct

END, FREE, TABLE = 0xFFFFFFFE, 0xFFFFFFFF, 0xFFFFFFFD
SECTOR, SMALL, CUTOFF = 512, 64, 4096


def msg(values: dict[int, str], moment: int = 0, html: bytes = b"", narrow: bool = False) -> bytes:
    """A mail with these string properties; `moment` in tenths of microseconds since 1601."""
    kind, charset = ("001E", "cp1252") if narrow else ("001F", "utf-16-le")
    streams = {f"__substg1.0_{name:04X}{kind}": text.encode(charset) for name, text in values.items()}
    if html:
        streams["__substg1.0_10130102"] = html
    fixed = bytes(32) + struct.pack("<HHIQ", 0x0040, 0x0039, 6, moment) + struct.pack("<HHIQ", 3, 0x3FFD, 6, 1252)
    return compound({**streams, "__properties_version1.0": fixed})


def compound(streams: dict[str, bytes]) -> bytes:
    """MS-CFB with these streams in the root: sector 0 is the table, then the directory, small streams, big ones."""
    small, small_table, placed = b"", [], {}
    big: list[bytes] = []
    for name, content in streams.items():
        if len(content) < CUTOFF:
            count = max(1, -(-len(content) // SMALL))
            first = len(small_table)
            small_table += [*range(first + 1, first + count), END]
            small += content.ljust(count * SMALL, b"\0")
            placed[name] = first
    directory_size = -(-(len(streams) + 1) * 128 // SECTOR)
    table_at, small_at = 1 + directory_size, 2 + directory_size
    small_sectors = -(-len(small) // SECTOR)
    chains = [TABLE, *range(2, directory_size + 1), END, END]
    chains += [*range(small_at + 1, small_at + small_sectors), END]
    for name, content in streams.items():
        if len(content) >= CUTOFF:
            count, first = -(-len(content) // SECTOR), len(chains)
            chains += [*range(first + 1, first + count), END]
            big.append(content.ljust(count * SECTOR, b"\0"))
            placed[name] = first
    names = list(streams)
    entries = [_entry("Root Entry", 5, FREE, 1, small_at, len(small))]
    for number, name in enumerate(names, 1):
        after = number + 1 if number < len(names) else FREE
        entries.append(_entry(name, 2, after, FREE, placed[name], len(streams[name])))
    header = bytes.fromhex("d0cf11e0a1b11ae1") + bytes(16) + struct.pack("<HHHHH", 62, 3, 0xFFFE, 9, 6) + bytes(6)
    header += struct.pack("<IIIIIIIII", 0, 1, 1, 0, CUTOFF, table_at, 1, END, 0) + struct.pack("<I", 0)
    body = [
        struct.pack(f"<{len(chains)}I", *chains).ljust(SECTOR, b"\xff"),
        b"".join(entries).ljust(directory_size * SECTOR, b"\0"),
        struct.pack(f"<{len(small_table)}I", *small_table).ljust(SECTOR, b"\xff"),
        small.ljust(small_sectors * SECTOR, b"\0"),
        *big,
    ]
    return header.ljust(SECTOR, b"\xff") + b"".join(body)


def _entry(name: str, kind: int, right: int, child: int, start: int, size: int) -> bytes:
    wide = name.encode("utf-16-le")
    head = wide.ljust(64, b"\0") + struct.pack("<HBBIII", len(wide) + 2, kind, 1, FREE, right, child)
    return head + bytes(36) + struct.pack("<IQ", start, size)
