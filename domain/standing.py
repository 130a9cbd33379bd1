"""Standing approvals: a person's yes to the next few executions of one action under one grant, given beforehand.

It keeps people from being asked the same again and again, which is how they stop reading. So it is narrow on purpose:
one grant, one action, conditions on the parameters, a number of uses and a day on which it ends.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from domain.json import Json

MOST_USES = 1_000
LONGEST = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class StandingApproval:
    """`conditions` is a JSON Schema that the parameters must satisfy. It answers in the name of whoever made it.

    A use is a yes that was given, whatever came of it.
    """

    id: UUID
    grant_id: UUID
    action: str
    conditions: Json
    max_uses: int
    used: int
    expires_at: datetime
    created_by: str
    created_at: datetime
    revoked_at: datetime | None
