"""Actions as agents' frameworks call them: one flat function with one flat set of arguments.

A tool is an action that a caller may run now, together with the accounts it may run on. Its arguments are the action's
parameters, and beside them what `execute` takes: which account, and an idempotency key. Should an action have a
parameter of the same name, ours gives way (`mandate_connection`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final
from uuid import UUID

from domain.catalogue import Action, Catalogue, Effect, Integration
from domain.connections import Connection
from domain.errors import NotFound, Violation
from domain.ids import Kind, public_id, read_id
from domain.json import Json, JsonObject

#: With more accounts than this, a tool says how many there are instead of naming them.
MOST_NAMED_ACCOUNTS: Final = 20
#: The shortest limit among vendors (OpenAI, Anthropic, Gemini).
LONGEST_NAME: Final = 64
_LONGEST_LABEL: Final = 60
_LONGEST_KEY: Final = 200


@dataclass(frozen=True)
class Tool:
    """An action the caller may run. `must_choose`: none of its accounts goes without saying."""

    integration: Integration
    action: Action
    accounts: Sequence[Connection]
    must_choose: bool

    @cached_property
    def name(self) -> str:
        """Unique in the catalogue; letters, digits and underscores only."""
        return tool_name(self.action)

    @property
    def description(self) -> str:
        """What it does, and as whom."""
        return f"{self.action.description}\n\n{self._acts_on()}"

    @property
    def arguments_schema(self) -> JsonObject:
        """The action's parameters with ours beside them, as one JSON Schema of an object."""
        schema = self.action.parameters_schema
        names = own_names(self.action)
        properties = {**_object(schema.get("properties")), names.key: _KEY_SCHEMA}
        required = [*_list(schema.get("required"))]
        if len(self.accounts) > 1:
            properties[names.connection] = self._connection_schema()
            if self.must_choose:
                required.append(names.connection)
        return {**schema, "properties": properties, **({"required": required} if required else {})}

    @property
    def hints(self) -> "Hints":
        """How it behaves, from its effect."""
        effect = self.action.effect
        return Hints(
            reads_only=effect is Effect.READ,
            destroys=effect is Effect.DESTRUCTIVE,
            repeats_safely=effect is Effect.READ or self.action.is_idempotent,
        )

    @property
    def answer_schema(self) -> JsonObject:
        """Of an object always: the result, or why there is none. A result that is no object stands in `result`.

        Both are told because clients hold refusals, too, against what a tool said it would answer.
        """
        result = dict(self.action.result_schema or {})
        definitions = result.pop("$defs", None)
        if not is_object(self.action.result_schema):
            result = {"type": "object", "properties": {"result": result}, "required": ["result"]}
        schema: JsonObject = {"type": "object", "anyOf": [result, _REFUSAL_SCHEMA]}
        return {**schema, "$defs": definitions} if definitions else schema

    @property
    def accounts_told(self) -> str:
        """The accounts as the description names them; it changes when they do."""
        return self._acts_on()

    def _acts_on(self) -> str:
        count, service = len(self.accounts), self.integration.name
        if count == 1:
            return f"Acts on the {service} account {account_label(self.accounts[0])}."
        argument = own_names(self.action).connection
        if count > MOST_NAMED_ACCOUNTS:
            return f"Acts on one of {count} {service} accounts, named by its id in `{argument}`."
        return f"Acts on one of {count} {service} accounts, chosen by `{argument}`: {self._accounts()}."

    def _connection_schema(self) -> JsonObject:
        if len(self.accounts) > MOST_NAMED_ACCOUNTS:
            return {"type": "string", "description": "The id of the connection to act on (`con_…`)."}
        ids = [public_id(Kind.CONNECTION, each.id) for each in self.accounts]
        return {"type": "string", "enum": ids, "description": f"Which account to act on: {self._accounts()}."}

    def _accounts(self) -> str:
        default = {True: " (the default)", False: ""}
        return "; ".join(
            f"{public_id(Kind.CONNECTION, each.id)} is {account_label(each)}{default[each.is_default]}"
            for each in self.accounts
        )


@dataclass(frozen=True, slots=True)
class Hints:
    """What a client may show a person before a call. It always reaches out to a service of others."""

    reads_only: bool
    destroys: bool
    repeats_safely: bool


@dataclass(frozen=True, slots=True)
class OwnNames:
    """What our own arguments are called beside an action's parameters."""

    connection: str
    key: str


@dataclass(frozen=True, slots=True)
class Arguments:
    """A call's arguments, taken apart. `violations` are mistakes in ours; the action judges its own."""

    parameters: JsonObject
    connection_id: UUID | None
    idempotency_key: str | None
    violations: tuple[Violation, ...]


def tool_name(action: Action) -> str:
    """`github.create_issue` as `github_create_issue`: some vendors allow no dots."""
    return action.slug.replace(".", "_")


def named(catalogue: Catalogue) -> Mapping[str, Action]:
    """Every action by its tool's name. Raises ValueError when two would share one, or a vendor allows none so long."""
    found: dict[str, Action] = {}
    for integration in catalogue.integrations.values():
        for action in integration.actions.values():
            if len(tool_name(action)) > LONGEST_NAME:
                raise ValueError(f"{action.slug} is longer than the {LONGEST_NAME} characters of a tool's name.")
            other = found.setdefault(tool_name(action), action)
            if other is not action:
                raise ValueError(f"{other.slug} and {action.slug} would be one tool.")
    return found


def action_named(catalogue: Catalogue, name: str) -> Action | None:
    """The action that a tool's name, or the action's own, stands for."""
    found = catalogue.action(name)
    for slug in catalogue.integrations if found is None else ():
        if name.startswith(f"{slug}_"):
            found = found or catalogue.action(f"{slug}.{name.removeprefix(f'{slug}_')}")
    return found


def own_names(action: Action) -> OwnNames:
    """Ours, out of the way of the action's."""
    taken = _object(action.parameters_schema.get("properties"))
    connection, key = (f"mandate_{name}" if name in taken else name for name in ("connection", "idempotency_key"))
    return OwnNames(connection, key)


def taken_apart(action: Action, given: JsonObject, key: str | None = None) -> Arguments:
    """Parameters and ours. `key`: an idempotency key that came another way; the two may not differ.

    A connection may be named even where the tool offers no choice: the caller's list may be older than its grants.
    """
    names = own_names(action)
    parameters = {name: value for name, value in given.items() if name not in (names.connection, names.key)}
    violations: list[Violation] = []
    connection_id = _connection(given.get(names.connection), names.connection, violations)
    said = given.get(names.key)
    if said is not None and not (isinstance(said, str) and 0 < len(said) <= _LONGEST_KEY and said.isprintable()):
        violations.append(Violation(f"/{names.key}", f"1 to {_LONGEST_KEY} printable characters."))
        said = None
    if said is not None and key is not None and said != key:
        violations.append(Violation(f"/{names.key}", "The `Idempotency-Key` header says another. Send one of them."))
    own_key = said if isinstance(said, str) else key
    return Arguments(parameters, connection_id, own_key, tuple(violations))


def is_object(schema: JsonObject | None) -> bool:
    """Whether results of this schema are objects, and so need no wrapping."""
    return schema is not None and schema.get("type") == "object"


def account_label(connection: Connection) -> str:
    """Whose account, for the text of a tool: quoted, on one line and short, as the words are the service's."""
    account = connection.account.label if connection.account else "unknown"
    words = f"{connection.label} ({account})" if connection.label else account
    line = "".join(char if char.isprintable() and char not in '"`' else " " for char in words)
    short = line if len(line) <= _LONGEST_LABEL else line[: _LONGEST_LABEL - 1] + "…"
    return f'"{short}"' + (", simulated" if connection.is_sandbox else "")


_REFUSAL_SCHEMA: Final[JsonObject] = {
    "type": "object",
    "description": "Why there is no result, and what to do about it.",
    "properties": {
        "code": {"type": "string", "description": "Stable, e.g. PERMISSION_DENIED."},
        "message": {"type": "string"},
        "whatToCheck": {"type": "string", "description": "It may have happened: look here before repeating it."},
        "retryAt": {"type": "string", "format": "date-time"},
    },
    "required": ["code", "message"],
}
_KEY_SCHEMA: Final[JsonObject] = {
    "type": "string",
    "minLength": 1,
    "maxLength": _LONGEST_KEY,
    "description": "Your own name for this call. The same call with the same key is done once, however often it is "
    "sent: give one to whatever must not happen twice.",
}


def _connection(given: Json, name: str, violations: list[Violation]) -> UUID | None:
    if given is None:
        return None
    try:
        return read_id(Kind.CONNECTION, given if isinstance(given, str) else "")
    except NotFound:
        violations.append(Violation(f"/{name}", "This is not the id of a connection (`con_…`)."))
        return None


def _object(value: Json) -> JsonObject:
    return value if isinstance(value, Mapping) else {}


def _list(value: Json) -> Sequence[Json]:
    return value if isinstance(value, Sequence) and not isinstance(value, str) else []
