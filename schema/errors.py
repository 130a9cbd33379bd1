"""Refusals as data: every expected no is a member of `errors` in the payload, with the remedy."""

from datetime import datetime

import strawberry

from domain import errors as domain
from schema.catalogue import Integration
from schema.connections import Connection
from schema.context import Info
from schema.grants import PlanCheck

_CODE = "Stable and documented, e.g. INVALID_PARAMETERS."
_MESSAGE = "What is wrong and what to do about it."
_PATH = 'Path of the offending input, e.g. ["input", "parameters", "title"].'


@strawberry.interface(
    description="Something the caller, or a person, can put right. Refusals are data; GraphQL's own `errors` are for "
    "malformed requests, missing authentication and our own faults."
)
class UserError:
    """What all refusals share."""

    code: str = strawberry.field(description=_CODE)
    message: str = strawberry.field(description=_MESSAGE)
    path: list[str] | None = strawberry.field(description=_PATH)


@strawberry.type(description="One mistake in what was given.")
class ParameterViolation:
    """Built from a violation."""

    pointer: str = strawberry.field(description="JSON Pointer (RFC 6901) into what was given.")
    message: str = strawberry.field(description="What is wrong there.")


@strawberry.type(description="Parameters, or credentials, break their schema. All mistakes are reported together.")
class InvalidParameters(UserError):
    """From domain.errors.InvalidParameters."""

    violations: list[ParameterViolation] = strawberry.field(description="Every mistake.")


@strawberry.type(description="An input field is not acceptable; `path` names it.")
class InvalidInput(UserError):
    """From domain.errors.InvalidInput."""


@strawberry.type(description="There is no such thing, or it is not yours: the two look alike.")
class NotFound(UserError):
    """From domain.errors.NotFound."""


@strawberry.type(description="It contradicts what is already there.")
class Conflict(UserError):
    """From domain.errors.Conflict."""


@strawberry.type(description="No rule allows this.")
class PermissionDenied(UserError):
    """From domain.errors.PermissionDenied."""

    reason: str = strawberry.field(description="The rule that decided.")
    checks: list[PlanCheck] = strawberry.field(description="All rules that were looked at, in order.")


@strawberry.type(
    description="A person must connect the integration, choose between accounts, or renew the connection. "
    "`connect` is the way out."
)
class ConnectionRequired(UserError):
    """From domain.errors.ConnectionRequired."""

    noun: strawberry.Private[domain.ConnectionRequired]
    missing_scopes: list[str] = strawberry.field(description="Permissions to ask for when reconnecting.")

    @strawberry.field(description="The service to connect.")
    def integration(self, info: Info) -> Integration:
        """From memory."""
        return Integration.of(info.context.loaders.integration(self.noun.integration))

    @strawberry.field(description="The connection to renew; null when a new one is needed.")
    async def connection(self, info: Info) -> Connection | None:
        """None when a new one is needed."""
        if self.noun.connection_id is None:
            return None
        found = await info.context.loaders.connections.load(self.noun.connection_id)
        return Connection.of(found) if found else None


@strawberry.type(description="The service said no while we connected, tested or disconnected an account.")
class ProviderRefused(UserError):
    """From domain.errors.ProviderRefused."""

    provider_code: str | None = strawberry.field(description="What it comes down to, e.g. PROVIDER_UNAVAILABLE.")
    provider_status: int | None = strawberry.field(description="The HTTP status the service answered with.")
    retry_at: datetime | None = strawberry.field(description="When to try again, when the service said so.")


@strawberry.type(description="The grant's budget is used up.")
class BudgetExceeded(UserError):
    """From domain.errors.BudgetExceeded."""

    resets_at: datetime | None = strawberry.field(description="When it comes back by itself; null when it does not.")


@strawberry.type(description="Too much at once: wait until `retryAt`. Nothing was done.")
class RateLimited(UserError):
    """From domain.errors.RateLimited."""

    retry_at: datetime = strawberry.field(description="When asking again is admitted.")


#: For the schema, which cannot find implementations that only an interface leads to.
KINDS = [
    InvalidParameters,
    InvalidInput,
    NotFound,
    Conflict,
    PermissionDenied,
    ConnectionRequired,
    BudgetExceeded,
    RateLimited,
    ProviderRefused,
]


def error_of(refusal: domain.Refusal) -> UserError:
    """A refusal as its type in the schema."""
    code, message, path = refusal.code, refusal.message, list(refusal.path) or None
    match refusal:
        case domain.InvalidParameters():
            violations = [ParameterViolation(pointer=each.pointer, message=each.message) for each in refusal.violations]
            return InvalidParameters(code=code, message=message, path=path, violations=violations)
        case domain.NotFound():
            return NotFound(code=code, message=message, path=path)
        case domain.Conflict():
            return Conflict(code=code, message=message, path=path)
        case domain.PermissionDenied():
            checks = [PlanCheck.of(each) for each in refusal.checks]
            return PermissionDenied(code=code, message=message, path=path, reason=refusal.reason, checks=checks)
        case domain.ConnectionRequired():
            scopes = list(refusal.missing_scopes)
            return ConnectionRequired(code=code, message=message, path=path, noun=refusal, missing_scopes=scopes)
        case domain.BudgetExceeded():
            return BudgetExceeded(code=code, message=message, path=path, resets_at=refusal.resets_at)
        case domain.RateLimited():
            return RateLimited(code=code, message=message, path=path, retry_at=refusal.retry_at)
        case domain.ProviderRefused():
            return provider_refused(message, refusal.problem, path)
    return InvalidInput(code=code, message=message, path=path)


def provider_refused(message: str, problem: domain.ProviderProblem | None, path: list[str] | None) -> ProviderRefused:
    """A service's no."""
    return ProviderRefused(
        code=domain.ProviderRefused.code,
        message=message,
        path=path,
        provider_code=problem.code if problem else None,
        provider_status=problem.status if problem else None,
        retry_at=problem.retry_at if problem else None,
    )
