"""The business developer's report. (In the making.)"""

from __future__ import annotations

from datetime import datetime

from router.compose import Templates
from router.decide import Decision
from router.digest import Books
from router.house import House
from router.turn import Mail, World


def monthly_mail(
    house: House, store: Books, world: World, moment: datetime, templates: Templates | None = None, to: str = ""
) -> Decision:
    """The month's report to the business developer, else to the keeper."""
    key = house.business_developer or world.keeper
    leads = sum(1 for _ in store.leads())
    mail = Mail(
        "report", to or (f"@{key}" if key else "list"), {"report": f"{leads} leads", "slot": moment.isoformat()}
    )
    return Decision("report", "the month's report", mails=((mail, None),))
