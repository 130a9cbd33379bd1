"""Inputs, read by a plan that is made once for each type.

Strawberry finds out anew for every request what each field of an input is; that took a fifth of the time of a mutation.
What each field needs is known when the schema is: most values are what graphql-core has made of them already.
"""

from collections.abc import Callable, Mapping
from dataclasses import MISSING
from enum import Enum

from strawberry.schema.config import StrawberryConfig
from strawberry.types.arguments import InputContext
from strawberry.types.base import StrawberryList, StrawberryObjectDefinition, StrawberryOptional
from strawberry.types.enum import StrawberryEnumDefinition

_Read = Callable[[type, Mapping[str, object], InputContext], object]


def plan_inputs(definitions: list[StrawberryObjectDefinition], config: StrawberryConfig) -> None:
    """Give every input type its plan."""
    for each in definitions:
        if each.is_input:
            each.from_input = _reader(each, config)


def _reader(definition: StrawberryObjectDefinition, config: StrawberryConfig) -> _Read:
    names = config.name_converter
    types = [field.resolve_type(type_definition=definition) for field in definition.fields]
    plan = [
        (names.from_field(field), field.python_name, None if _is_made(kind) else kind)
        for field, kind in zip(definition.fields, types, strict=True)
    ]
    # What may be left out and has no default of its own is null, as Strawberry has it.
    absent = {
        field.python_name: None
        for field in definition.fields
        if field.default_value is MISSING and field.default_factory is MISSING
    }

    def read(made: type, given: Mapping[str, object], context: InputContext) -> object:
        values: dict[str, object] = dict(absent)
        for name, python_name, kind in plan:
            if name in given:
                value = given[name]
                values[python_name] = value if kind is None else context.convert(value, kind, name)
        return made(**values)

    return read


def _is_made(kind: object) -> bool:
    """Whether graphql-core's value is the one we want: scalars, enums, and null for either."""
    if isinstance(kind, StrawberryOptional):
        kind = kind.of_type
    if isinstance(kind, (StrawberryList, StrawberryObjectDefinition)):
        return False
    is_enum = isinstance(kind, StrawberryEnumDefinition) or (isinstance(kind, type) and issubclass(kind, Enum))
    return is_enum or not hasattr(kind, "__strawberry_definition__")
