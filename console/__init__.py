"""Pages for people, built beforehand and served as they are: a gateway needs no Node to show them."""

from pathlib import Path


def static_dir() -> Path:
    """The folder of built files.

    Its `graphiql/` holds `index.html`, one script, one style sheet and the licences of what is inside them.
    `index.html` belongs at the GraphQL address itself, to which it sends what its user types; it loads the
    other two from `graphiql/` beside that address.
    """
    return Path(__file__).parent / "static"
