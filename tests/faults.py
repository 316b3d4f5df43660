"""The table of faults: what was broken, how often, what was lost or doubled, and how long it took to recover.

Each row is recorded by the test that saw it (`fault` in conftest.py); rows of the same name are added up.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Row:
    """`recovered`: the longest time from the end of a fault until all was well again, in seconds; None: no such time.

    `clock` says whose seconds: "house" where the test moved the router's clock on. `note` is for people.
    """

    name: str
    tries: int = 1
    lost: int = 0
    doubled: int = 0
    recovered: float | None = None
    clock: str = ""
    note: str = ""

    def to_doc(self) -> dict[str, Any]:
        return asdict(self)


HEAD = ("fault", "tries", "lost", "doubled", "recovered in", "")


class Faults:
    """The rows so far, by name, in the order in which they came."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self.failed: set[str] = set()

    def add(self, row: Row, *, failed: bool = False) -> None:
        old = self.rows.get(row.name)
        if old is not None:
            times = [each.recovered for each in (old, row) if each.recovered is not None]
            row = Row(
                row.name,
                old.tries + row.tries,
                old.lost + row.lost,
                old.doubled + row.doubled,
                max(times, default=None),
                row.clock or old.clock,
                row.note or old.note,
            )
        self.rows[row.name] = row
        self.failed |= {row.name} if failed else set()

    def cells(self) -> list[tuple[str, ...]]:
        """The table's rows, sorted by name."""
        return [
            (
                row.name,
                f"{row.tries:,}",
                f"{row.lost:,}",
                f"{row.doubled:,}",
                _span(row.recovered) + (", by the router's clock" if row.clock and row.recovered else ""),
                "FAILED" if row.name in self.failed else row.note,
            )
            for row in sorted(self.rows.values(), key=lambda row: row.name)
        ]

    def text(self) -> str:
        table = [HEAD, *self.cells()]
        widths = [max(len(line[column]) for line in table) for column in range(len(HEAD))]
        return "\n".join(
            "  ".join(
                cell.rjust(width) if column in (1, 2, 3) else cell.ljust(width)
                for column, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in table
        )

    def markdown(self) -> str:
        lines = [HEAD, ("---", "--:", "--:", "--:", "---", "---"), *self.cells()]
        return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _span(seconds: float | None) -> str:
    if seconds is None:
        return ""
    if seconds < 120:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min"
