"""Reading Stripe's forms in the sandbox: `items[0][price]=...` becomes what it stands for, and is held to its types."""

import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from adapters.stripe.sandbox_state import Shape

#: Text, or members by name, or elements by place.
Tree: TypeAlias = "str | dict[str, Tree]"

_NAME = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")


class Wrong(Exception):
    """A parameter that is missing, unknown or of the wrong kind."""

    def __init__(self, code: str, param: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.param = param
        self.message = message


def nested(pairs: Mapping[str, Sequence[str]]) -> dict[str, Tree]:
    """The tree behind flat names. Raises Wrong for a name whose brackets make no sense."""
    tree: dict[str, Tree] = {}
    for name, values in pairs.items():
        found = _NAME.fullmatch(name)
        if found is None:
            raise Wrong("parameter_unknown", name, f"Received unknown parameter: {name[:100]}")
        steps = [found[1], *re.findall(r"\[([^\[\]]*)\]", found[2])]
        for value in values:
            _plant(tree, steps, value, name)
    return tree


def _plant(tree: dict[str, Tree], steps: list[str], value: str, name: str) -> None:
    here = tree
    for step in steps[:-1]:
        below = here.setdefault(step, {})
        if isinstance(below, str):
            raise Wrong("parameter_invalid_empty", name, f"Invalid object: {name[:100]}")
        here = below
    here[steps[-1] or str(len(here))] = value


class Form:
    """The parameters of one call. Each is asked for once; what nobody asked for is unknown."""

    def __init__(self, tree: dict[str, Tree], place: str = "") -> None:
        self._tree = tree
        self._place = place
        self._asked: set[str] = set()

    @property
    def names(self) -> list[str]:
        """What was given, as it was named."""
        return [*self._tree]

    def finish(self) -> None:
        """Raises Wrong for a parameter that nobody asked for."""
        for name in self._tree:
            if name not in self._asked:
                where = self._at(name)
                raise Wrong("parameter_unknown", where, f"Received unknown parameter: {where}")

    def has(self, name: str) -> bool:
        """Whether it was given."""
        self._asked.add(name)
        return name in self._tree

    def text(self, name: str) -> str | None:
        """Text; None when it was not given."""
        self._asked.add(name)
        value = self._tree.get(name)
        if isinstance(value, dict):
            raise Wrong("parameter_invalid_string", self._at(name), f"Invalid string: {self._at(name)}")
        return value

    def needed(self, name: str) -> str:
        """Text that must be there."""
        value = self.text(name)
        if not value:
            where = self._at(name)
            raise Wrong("parameter_missing", where, f"Missing required param: {where}.")
        return value

    def number(self, name: str, least: int = 0) -> int | None:
        """A whole number; None when it was not given."""
        value = self.text(name)
        if value is None:
            return None
        if not re.fullmatch(r"-?[0-9]{1,15}", value) or int(value) < least:
            raise Wrong("parameter_invalid_integer", self._at(name), f"Invalid integer: {value[:100]}")
        return int(value)

    def flag(self, name: str) -> bool | None:
        """True or false; None when it was not given."""
        value = self.text(name)
        if value not in (None, "true", "false"):
            raise Wrong("parameter_invalid_empty", self._at(name), f"Invalid boolean: {value[:100]}")
        return None if value is None else value == "true"

    def one_of(self, name: str, *words: str) -> str | None:
        """One of these words; None when it was not given."""
        value = self.text(name)
        if value is not None and value not in words:
            where = self._at(name)
            raise Wrong("parameter_unknown", where, f"Invalid {where}: must be one of {', '.join(words)}")
        return value

    def part(self, name: str) -> "Form | None":
        """A nested object; None when it was not given."""
        self._asked.add(name)
        value = self._tree.get(name)
        if value is None:
            return None
        if isinstance(value, str):
            raise Wrong("parameter_invalid_empty", self._at(name), f"Invalid object: {self._at(name)}")
        return Form(value, self._at(name))

    def parts(self, name: str) -> "list[Form]":
        """A list of nested objects, in order."""
        whole = self.part(name)
        if whole is None:
            return []
        order = sorted(whole.names, key=lambda each: int(each) if each.isdigit() else 10**9)
        return [found for each in order if (found := whole.part(each)) is not None]

    def texts(self, name: str) -> list[str] | None:
        """A list of texts; None when it was not given."""
        whole = self.part(name)
        return None if whole is None else [whole.needed(each) for each in whole.names]

    def notes(self, before: Shape | None = None) -> Shape:
        """`metadata`, put upon what was there: an empty value takes a note away."""
        whole = self.part("metadata")
        told = {} if whole is None else {each: whole.text(each) or "" for each in whole.names}
        if len(told) > 50 or any(len(key) > 40 or len(value) > 500 for key, value in told.items()):
            raise Wrong("parameter_invalid_string_empty", "metadata", "Metadata has too many or too long entries.")
        return {key: value for key, value in {**(before or {}), **told}.items() if value != ""}

    def _at(self, name: str) -> str:
        return f"{self._place}[{name}]" if self._place else name
