"""Actions: a typed function is the definition. Its signature is the schema, its docstring the description.

    @action(effect=Effect.WRITE, scopes=("repo",), look_for="an issue with this title in the repository")
    async def create_issue(call: Call, *, owner: Owner, title: Annotated[str, Field(...)]) -> Issue:
        \"\"\"Open an issue.

        What an agent must know beside the schema goes here.
        \"\"\"

The docstring's first line is the title for people; the whole of it is what agents read.
"""

import difflib
import hashlib
import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cached_property
from typing import cast, get_type_hints

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError, create_model
from pydantic_core import PydanticSerializationError, to_json

from adapters._kit.call import Call
from domain.catalogue import Effect, Probed
from domain.errors import ProviderProblem, Violation
from domain.json import Json, JsonObject, canonical

Deed = Callable[..., Awaitable[object]]

_STRICT = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)


class Part(BaseModel):
    """What nests inside an action's parameters: as strict as the parameters themselves."""

    model_config = _STRICT


@dataclass(frozen=True, slots=True)
class ActionDefinition:
    """What `@action` leaves in the module: the deed and what is declared about it."""

    deed: Deed
    effect: Effect
    scopes: tuple[str, ...]
    is_idempotent: bool
    look_for: str
    probe: Deed | None = None


class NotDone:
    """What a probe answers when it is certain that nothing was done: rarely can it be."""


def action(
    *,
    effect: Effect,
    scopes: tuple[str, ...] = (),
    idempotent: bool | None = None,
    look_for: str = "",
    probe: Deed | None = None,
) -> Callable[[Deed], ActionDefinition]:
    """Declare an action.

    `scopes`: all are needed, the narrowest that suffice. `idempotent`: doing it twice is like doing it
    once, or the service recognises our key; reading always is. `look_for`: what a person looks for at the
    service when the answer was lost; every action that is not READ must say. `probe`: looks for that by itself. It
    takes the call, whose key is that of the lost one, and whichever of the action's parameters it names; it only
    reads. It answers with the action's result when it found it, with None when that proves nothing, and with
    `NotDone()` when it is certain.
    """

    def declare(deed: Deed) -> ActionDefinition:
        if effect is not Effect.READ and not look_for:
            raise TypeError(
                f"{deed.__name__} changes something: say in `look_for` how a person sees whether it happened"
            )
        if effect is Effect.READ and idempotent is False:
            raise TypeError(f"{deed.__name__} reads, so it is idempotent")
        if probe is not None and (effect is Effect.READ or not _named_by(probe) <= _named_by(deed)):
            raise TypeError(f"the probe of {deed.__name__} looks for an effect, by parameters that the action has")
        return ActionDefinition(deed, effect, scopes, effect is Effect.READ or bool(idempotent), look_for, probe)

    return declare


class TypedAction:
    """A bound action: implements `domain.catalogue.Action`. Schemas are built on first use."""

    def __init__(self, integration: str, service: str, definition: ActionDefinition) -> None:
        self._definition = definition
        self._service = service
        self.integration = integration
        self.slug = f"{integration}.{definition.deed.__name__}"
        self.effect = definition.effect
        self.is_idempotent = definition.is_idempotent
        self.required_scopes = definition.scopes
        self.description = inspect.cleandoc(definition.deed.__doc__ or "")
        self.title = self.description.partition("\n")[0].rstrip(".")

    @property
    def what_to_check(self) -> str:
        """The sentence for a person who must find out whether it happened."""
        return f"Look at {self._service} for {self._definition.look_for}."

    @property
    def has_probe(self) -> bool:
        """Whether it can look for its own effect."""
        return self._definition.probe is not None

    @property
    def parameter_names(self) -> tuple[str, ...]:
        """In the order of the signature."""
        return tuple(inspect.signature(self._definition.deed).parameters)[1:]

    @cached_property
    def _model(self) -> type[BaseModel]:
        hints = get_type_hints(self._definition.deed, include_extras=True)
        fields: dict[str, tuple[object, object]] = {}
        for parameter in list(inspect.signature(self._definition.deed).parameters.values())[1:]:
            if parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
                raise TypeError(f"{self.slug}: parameters after `call` are keyword-only")
            default = ... if parameter.default is inspect.Parameter.empty else parameter.default
            fields[parameter.name] = (hints[parameter.name], default)
        # create_model's overloads cannot express fields that are known only at run time.
        make = cast(Callable[..., type[BaseModel]], create_model)
        return make(_camel(self._definition.deed.__name__), __config__=_STRICT, **fields)

    @cached_property
    def _answer(self) -> TypeAdapter[object]:
        return TypeAdapter(get_type_hints(self._definition.deed)["return"])

    @cached_property
    def parameters_schema(self) -> JsonObject:
        """JSON Schema 2020-12 of the parameters."""
        return cast(JsonObject, _tidy(cast(Json, self._model.model_json_schema())))

    @cached_property
    def result_schema(self) -> JsonObject | None:
        """JSON Schema 2020-12 of the result; None when there is none."""
        schema = cast(JsonObject, _tidy(cast(Json, self._answer.json_schema(mode="serialization"))))
        return None if schema == {"type": "null"} else schema

    @cached_property
    def digest(self) -> str:
        """Fingerprint of everything a person relies on when granting this action."""
        definition: Json = [
            self.slug,
            self.description,
            self.effect.name,
            self.is_idempotent,
            list(self.required_scopes),
            self.parameters_schema,
            self.result_schema,
        ]
        return hashlib.sha256(canonical(definition)).hexdigest()[:32]

    def check(self, parameters: Json) -> tuple[Violation, ...]:
        """Every mistake in the parameters."""
        try:
            self._read(parameters)
        except ValidationError as error:
            mistakes = error.errors(include_url=False, include_context=False, include_input=False)
            return tuple(self._violation(each["type"], each["loc"], each["msg"]) for each in mistakes)
        except (PydanticSerializationError, ValueError, RecursionError):
            return (Violation("", "The parameters are not JSON, or nested too deeply."),)
        return ()

    async def run(self, call: Call, parameters: Json) -> Json:
        """Do it. The parameters have passed `check`."""
        model = self._read(parameters)
        values = {name: getattr(model, name) for name in type(model).model_fields}
        try:
            answer = await self._definition.deed(call, **values)
        except ProviderProblem as problem:
            # An answer that arrived and could not be read is a lost effect only if something was changed.
            problem.may_have_happened = call.has_acted and self.effect is not Effect.READ
            raise
        return cast(Json, self._answer.dump_python(answer, mode="json", by_alias=True))

    async def probe(self, call: Call, parameters: Json) -> Probed | None:
        """Look for the effect of a run with the call's key. None when nothing is proved. Raises ProviderProblem."""
        look = self._definition.probe
        if look is None:
            return None
        model = self._read(parameters)
        found = await look(call, **{name: getattr(model, name) for name in _named_by(look)})
        if found is None:
            return None
        if isinstance(found, NotDone):
            return Probed(has_happened=False)
        return Probed(has_happened=True, result=cast(Json, self._answer.dump_python(found, mode="json", by_alias=True)))

    def _read(self, parameters: Json) -> BaseModel:
        return self._model.model_validate_json(to_json(parameters), strict=True)

    def _violation(self, kind: str, location: tuple[int | str, ...], message: str) -> Violation:
        if kind == "missing":
            message = "This parameter is required."
        elif kind == "extra_forbidden":
            near = difflib.get_close_matches(str(location[-1]), list(self._model.model_fields), n=1)
            message = "There is no such parameter." + (f" Did you mean `{near[0]}`?" if near else "")
        return Violation(_pointer(location), message)


def _named_by(deed: Deed) -> set[str]:
    """The parameters after the call."""
    return set(list(inspect.signature(deed).parameters)[1:])


def _pointer(location: tuple[int | str, ...]) -> str:
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in location)


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def _tidy(schema: Json) -> Json:
    """Without the titles pydantic makes from names, and with every description where a reader looks first."""
    if isinstance(schema, dict):
        schema = _with_description(schema)
        return {
            key: {name: _tidy(each) for name, each in value.items()}
            if key in ("properties", "$defs") and isinstance(value, dict)
            else _tidy(value)
            for key, value in schema.items()
            if not (key == "title" and isinstance(value, str))
        }
    if isinstance(schema, list):
        return [_tidy(each) for each in schema]
    return schema


def _with_description(schema: JsonObject) -> JsonObject:
    """A parameter that may be left out is `X or null` to pydantic, which leaves the description with X."""
    choices = schema.get("anyOf")
    if "description" in schema or not isinstance(choices, list) or choices[1:] != [{"type": "null"}]:
        return schema
    told = choices[0]
    if not isinstance(told, dict) or "description" not in told:
        return schema
    rest = {key: value for key, value in told.items() if key != "description"}
    return {**schema, "anyOf": [rest, *choices[1:]], "description": told["description"]}
