"""What has been decided and is not in the journal yet, laid over what is.

Job: collect puts and deletes of many decisions, answer what a table holds as if they were written, and hand them over
as one change. Shell: reads the database, writes nothing.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

from router.journal import Change, JournalDB
from router.lead import to_doc


class Staging:
    """One batch in the making. `numbers`: the last number used in each table."""

    def __init__(self, db: JournalDB) -> None:
        self._db = db
        self.puts: dict[str, dict[int, Any]] = defaultdict(dict)
        self.deletes: dict[str, set[int]] = defaultdict(set)
        self.numbers: Counter[str] = Counter()

    @property
    def is_empty(self) -> bool:
        return not self.puts and not self.deletes

    def doc(self, table: str, key: int) -> dict[str, Any] | None:
        if key in self.puts.get(table, ()):
            staged: dict[str, Any] = self.puts[table][key]
            return staged
        if key in self.deletes.get(table, ()):
            return None
        return self._db.get_doc(table, str(key))

    def put(self, table: str, key: int, doc: Any) -> None:
        self.puts[table][key] = doc

    def append(self, table: str, doc: Any) -> int:
        """Put it under the next number of the table; answers the number."""
        self.numbers[table] += 1
        self.puts[table][self.numbers[table]] = doc
        return self.numbers[table]

    def delete(self, table: str, key: int) -> None:
        """A document that was only staged is simply not written."""
        self.puts.get(table, {}).pop(key, None)
        self.deletes[table].add(key)

    def hand_over(self) -> Change:
        """All of it as one change; nothing is staged any more."""
        puts = {
            table: {str(key): to_doc(doc) if table == "leads" else doc for key, doc in docs.items()}
            for table, docs in self.puts.items()
            if docs
        }
        deletes = {
            table: [str(key) for key in keys if key not in self.puts.get(table, ())]
            for table, keys in self.deletes.items()
        }
        self.forget()
        return Change(puts, deletes)

    def forget(self) -> None:
        self.puts, self.deletes = defaultdict(dict), defaultdict(set)
