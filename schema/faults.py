"""What a GraphQL error says. Our own words pass; anything unexpected is masked, with an id that finds the log line."""

import secrets

import structlog
from graphql import GraphQLError
from strawberry.extensions import MaskErrors

from domain.errors import MandateError, Refusal

log = structlog.get_logger("schema")


class Faults(MaskErrors):
    """Every error of every answer, frame by frame, passes here."""

    def __init__(self) -> None:
        super().__init__(should_mask_error=lambda _: True)

    def anonymise_error(self, error: GraphQLError) -> GraphQLError:
        """The error as a caller may see it."""
        return told(error)


def told(error: GraphQLError) -> GraphQLError:
    """Parsing and validation errors are about the caller's own document and pass; so do errors with our code."""
    cause = error.original_error
    if cause is None or isinstance(cause, GraphQLError):
        return _rewritten(error, error.message, {"code": "BAD_REQUEST", **(error.extensions or {})})
    if isinstance(cause, MandateError) and cause.is_for_callers:
        extensions: dict[str, object] = {"code": cause.code}
        if isinstance(cause, Refusal) and cause.path:
            extensions["path"] = list(cause.path)
        return _rewritten(error, cause.message, extensions)
    fault = secrets.token_hex(8)
    log.error("fault", fault=fault, kind=type(cause).__name__, path=error.path, exc_info=cause)
    message = f"Something went wrong on our side. Tell your operator the fault's id: {fault}."
    return _rewritten(error, message, {"code": "INTERNAL", "fault": fault})


def _rewritten(error: GraphQLError, message: str, extensions: dict[str, object]) -> GraphQLError:
    return GraphQLError(
        message,
        nodes=error.nodes,
        source=error.source,
        positions=error.positions,
        path=error.path,
        extensions=extensions,
    )
