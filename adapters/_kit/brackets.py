"""Forms whose parameters nest: `items[0][price]`, as Stripe and others read them. No RFC describes it."""

from collections.abc import Iterator

from adapters._kit.call import Scalar
from domain.json import Json


def bracketed(**values: Json) -> dict[str, Scalar]:
    """Flat names for nested values: members in brackets, elements of lists by their place. What is None is left out.

    An empty list or object leaves nothing behind: a form has no word for it. Raises TypeError for a fraction, which
    each service writes in its own way.
    """
    return {name: value for key, each in values.items() for name, value in _flat(key, each)}


def _flat(name: str, value: Json) -> Iterator[tuple[str, Scalar]]:
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _flat(f"{name}[{key}]", each)
    elif isinstance(value, list):
        for place, each in enumerate(value):
            yield from _flat(f"{name}[{place}]", each)
    elif isinstance(value, (str, bool, int)):
        yield name, value
    elif value is not None:
        raise TypeError(f"{name}: a form has no one way to write {type(value).__name__}")
