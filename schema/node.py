"""The interface of everything that has an id."""

import strawberry


@strawberry.interface(
    description="Anything with an id. Ids are opaque, globally unique, and prefixed by kind: "
    "con_, grt_, exe_, agt_, key_, evt_, ses_, int_, act_, apr_, alr_, whk_, dlv_."
)
class Node:
    """As Relay defines it."""

    id: strawberry.ID = strawberry.field(description="Opaque, and good for `node`.")
