"""Names that only this router can make: reply addresses, Message-IDs, confirmations.

Job: every token, code and nonce is an HMAC-SHA-256 under the key file (PROTOCOL "Trust", ARCHITECTURE "Store"), so
nothing has to be remembered to recognise it, and nobody can guess one. Core: pure functions of key and facts.

Invariants: a reply address is lower-case throughout (mail servers fold case). An address that a client may see never
holds a person's token. Outgoing Message-IDs follow from (installation, lead, kind, person, number) and are never
random, so a mail sent twice has the same one.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass

CODE_LENGTH = 12  # 60 bits in base 32
_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"  # of base 32, lower-case
_SHIFTS = tuple(range(59, 59 - 5 * CODE_LENGTH, -5))  # where each letter's bits stand in the first 64
CLIENT, COLLEAGUES, CONFIRM, ASIDE, PROBE = "client", "us", "confirm", "aside", "probe"

_TAG = re.compile(r"^(?:(?P<what>[cap]))?(?P<number>[0-9]{1,9})\.(?P<code>[a-z2-7]{12})$")
_OWN_ID = re.compile(r"^<?(?P<lead>[0-9]{1,9})\.(?P<slot>[cu][a-z2-7]{12})\.(?P<code>[a-z2-7]{12})(?:@|>?$)")
_SCOPE_OF = {"c": CONFIRM, "a": ASIDE, "p": PROBE}


@dataclass(frozen=True, slots=True)
class Token:
    """What a reply address says: a number and for whom it was made. `proven` is False for a code that is not ours."""

    number: int
    scope: str  # client, us, confirm, aside, probe, or "@key" for a consultant's own
    proven: bool


@dataclass(frozen=True, slots=True)
class Reference:
    """What one of our own Message-IDs says: the lead (0 for none), and who has seen that mail: "client" or "us"."""

    lead: int
    audience: str


@dataclass(frozen=True, slots=True)
class Ids:
    """The makers and readers of tokens. `key` never leaves this object; its repr does not show it."""

    key: bytes
    installation: str
    address: str  # the shared address

    def __repr__(self) -> str:
        return f"Ids({self.installation}, {self.address})"

    def code(self, *facts: object) -> str:
        text = "\0".join(str(fact) for fact in (self.installation, *facts))
        bits = int.from_bytes(hmac.digest(self.key, text.encode(), "sha256")[:8])
        return "".join([_LETTERS[bits >> shift & 31] for shift in _SHIFTS])

    # -- reply addresses ------------------------------------------------------------------------------------------
    def reply_address(self, number: int, scope: str) -> str:
        """`buns+42.<code>@…`: where an answer about lead 42 finds its lead."""
        local, _, domain = self.address.partition("@")
        letter = next((letter for letter, each in _SCOPE_OF.items() if each == scope), "")
        return f"{local}+{letter}{number}.{self.code('reply', number, scope)}@{domain}"

    def read_reply_address(self, address: str, keys: Iterable[str]) -> Token | None:
        """The token in one of our reply addresses; None for any other address. Without our code it is only a hint."""
        local, _, domain = address.lower().partition("@")
        ours, _, our_domain = self.address.lower().partition("@")
        if domain != our_domain or not local.startswith(ours + "+"):
            return None
        match = _TAG.match(local[len(ours) + 1 :])
        if match is None:
            return None
        number, code = int(match["number"]), match["code"]
        if match["what"]:
            scope = _SCOPE_OF[match["what"]]
            return Token(number, scope, self._is(code, "reply", number, scope))
        for scope in (COLLEAGUES, CLIENT, *(f"@{key}" for key in keys)):
            if self._is(code, "reply", number, scope):
                return Token(number, scope, True)
        return Token(number, "", False)

    def _is(self, code: str, *facts: object) -> bool:
        return hmac.compare_digest(code, self.code(*facts))

    # -- Message-IDs ----------------------------------------------------------------------------------------------
    def reference(self, lead: int, kind: str, to: str, number: int) -> str:
        """The part of a Message-ID before the @, and the value of the loop header."""
        slot = ("c" if to == CLIENT else "u") + self.code("slot", lead, kind, to, number)
        return f"{lead}.{slot}.{self.code('mail', lead, slot)}"

    def message_id(self, lead: int, kind: str, to: str, number: int) -> str:
        return f"<{self.reference(lead, kind, to, number)}@{self.address.partition('@')[2]}>"

    def read_reference(self, text: str) -> Reference | None:
        """What a Message-ID or loop header that this router wrote says; None when the code is not ours."""
        match = _OWN_ID.match(text)
        if match is None or not self._is(match["code"], "mail", int(match["lead"]), match["slot"]):
            return None
        return Reference(int(match["lead"]), CLIENT if match["slot"][0] == "c" else COLLEAGUES)
