"""What is answered to words that are typed at the router itself (`do`).

Job: the same word by mail gets a receipt or a refusal; here its text becomes what the person at the keyboard reads.
Core: pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from router.compose import Templates, render_text
from router.history import tongue_of
from router.house import House
from router.lead import Lead
from router.turn import Mail, World

ANSWERS = ("refused", "receipt", "has-it", "too-late", "help", "status", "unclear")  # what the sender of a word gets


def is_refused(mails: Sequence[Mail]) -> bool:
    return any(mail.kind == "refused" for mail in mails)


def tell_outcome(mails: Sequence[Mail], lead: Lead, key: str, world: World, house: House, templates: Templates) -> str:
    """What the word of `key` led to: as their mail says it, or as the history does where none goes to them."""
    answers = [mail for mail in mails if mail.to == f"@{key}" and mail.kind in ANSWERS]
    if answers:
        told = tell_mail(min(answers, key=lambda each: ANSWERS.index(each.kind)), lead, world, house, templates)
        return f"{world.name(key)} is told:\n{told}"
    if not lead.events:
        return "nothing changed"
    last = lead.events[-1]
    what, why = tongue_of(templates, house.languages[0]).tell(last.what, last.why)
    return f"{house.words['bun']} {lead.id}: {what}{f' – {why}' if why else ''}"


def tell_unclear(words: str, lead: Lead, key: str, world: World, house: House, templates: Templates) -> str:
    """Words that are no command: those that would be, as the mail about it teaches them."""
    told = tell_mail(Mail("unclear", f"@{key}", {}), lead, world, house, templates)
    clear = [line for line in told.splitlines() if line.startswith("  ")]
    return "\n".join((f"“{words}” is none of the words that work, so nothing has changed. These are clear:", *clear))


def tell_mail(mail: Mail, lead: Lead, world: World, house: House, templates: Templates) -> str:
    """The text of a mail to one consultant, without the line above which people answer and without their own words."""
    bare = replace(mail, facts={name: fact for name, fact in mail.facts.items() if name != "line"})
    lines = render_text(bare, lead, world, house, templates).splitlines()
    return "\n".join(line for line in lines if line.strip())
