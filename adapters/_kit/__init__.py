"""What authors of integrations use.

from adapters._kit import Annotated, Call, Effect, Field, Result, action
"""

from typing import Annotated

from pydantic import Field

from adapters._kit.action import Part, action
from adapters._kit.call import Answer, Call, given
from adapters._kit.result import Result
from domain.catalogue import Effect

__all__ = ["Annotated", "Answer", "Call", "Effect", "Field", "Part", "Result", "action", "given"]
