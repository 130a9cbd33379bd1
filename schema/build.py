"""The schema, put together once."""

from functools import cache

import strawberry
from strawberry.extensions import MaxTokensLimiter, ParserCache, ValidationCache
from strawberry.schema.config import StrawberryConfig

from schema import errors
from schema.faults import Faults
from schema.mutation import Mutation
from schema.query import Query
from schema.scalars import JSON, json_scalar
from schema.subscription import Subscription

MOST_TOKENS = 2_000
KEPT_DOCUMENTS = 1_000


@cache
def schema() -> strawberry.Schema:
    """Parsed and validated documents are kept, bounded; every error is told or masked by `Faults`."""
    return strawberry.Schema(
        query=Query,
        mutation=Mutation,
        subscription=Subscription,
        types=errors.KINDS,
        extensions=[
            lambda: MaxTokensLimiter(max_token_count=MOST_TOKENS),
            lambda: ParserCache(maxsize=KEPT_DOCUMENTS),
            lambda: ValidationCache(maxsize=KEPT_DOCUMENTS),
            Faults,
        ],
        config=StrawberryConfig(scalar_map={JSON: json_scalar}),
    )


def printed() -> str:
    """The schema as SDL, as committed in `schema.graphql`."""
    return schema().as_str() + "\n"
