"""Refusals of mutations are data: they become the payload's `errors`."""

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from domain.errors import Refusal
from schema.errors import error_of
from schema.payloads import Payload

P = ParamSpec("P")
Answer = TypeVar("Answer", bound=Payload)
Act = Callable[P, Awaitable[Answer]]


def refusing(payload: type[Answer]) -> Callable[[Act[P, Answer]], Act[P, Answer]]:
    """A refusal becomes the payload's `errors`."""

    def decorate(act: Act[P, Answer]) -> Act[P, Answer]:
        @wraps(act)
        async def answer(*args: P.args, **kwargs: P.kwargs) -> Answer:
            try:
                return await act(*args, **kwargs)
            except Refusal as refusal:
                return payload(errors=[error_of(refusal)])

        return answer

    return decorate
