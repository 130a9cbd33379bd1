"""What authors of integrations use.

from adapters._kit import Annotated, Call, Effect, Field, Result, action
"""

from typing import Annotated

from pydantic import AliasChoices, AliasPath, AwareDatetime, BeforeValidator, Field, computed_field, field_validator

from adapters._kit.action import NotDone, Part, action
from adapters._kit.call import Answer, Call, given
from adapters._kit.result import Result
from domain.catalogue import Effect

__all__ = [
    # What every integration uses.
    "Annotated",
    "Call",
    "Effect",
    "Field",
    "Result",
    "action",
    # What some need: answers beside JSON, only what was given, nested parameters, the certain no of a probe.
    "Answer",
    "given",
    "Part",
    "NotDone",
    # pydantic's words for a result whose fields the service names or shapes otherwise.
    "AliasChoices",
    "AliasPath",
    "AwareDatetime",  # for parameters too: a point in time with an offset
    "BeforeValidator",
    "computed_field",
    "field_validator",
]
