"""What actions answer with: typed, and only the fields that agents need."""

from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError

from domain.errors import AnswerGarbled
from domain.json import Json


class Result(BaseModel):
    """Base of all results. Fields the service sends and we do not name are dropped."""

    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True, defer_build=True)

    @classmethod
    def of(cls, data: Json) -> Self:
        """Read the service's JSON. Raises AnswerGarbled when a promised field is missing or of another type."""
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            fields = ", ".join(sorted({".".join(map(str, each["loc"])) for each in error.errors(include_input=False)}))
            raise AnswerGarbled(f"The service's answer is not what it describes: {fields}.") from None
