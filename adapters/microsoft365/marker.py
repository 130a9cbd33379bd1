"""The mark by which an e-mail is found again when the answer to sending it was lost.

Graph takes no key that makes sending twice like sending once, and tells no id when it sends. What it keeps is an
extended property of our own on the message, which moves with it from Drafts to Sent Items, is not shown to anybody,
and can be filtered by (Graph, singleValueLegacyExtendedProperty). Its value is the execution's id.
"""

from typing import Final
from uuid import UUID

from domain.json import Json

#: A property set of Mandate's own; the name is compared case-sensitively.
MARKER_ID: Final = "String {a9e4c7b2-5d1f-4e83-9b60-2f7c8d3e1a45} Name MandateExecution"


def marked(key: UUID) -> list[Json]:
    """The member `singleValueExtendedProperties` of a message."""
    return [{"id": MARKER_ID, "value": key.hex}]
