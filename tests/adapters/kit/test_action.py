"""A typed function is the definition: its schemas, its checks, its digest."""

import pytest

from adapters._kit import Annotated, Call, Effect, Field, Part, Result, action
from adapters._kit.action import ActionDefinition, Deed, TypedAction
from adapters._kit.http import AnswerLost as Lost
from domain.errors import AnswerGarbled, AnswerLost, Violation
from tests.adapters.kit.sample import call, in_turn, reply

Length = Annotated[int, Field(description="In metres.", ge=1, le=400)]


class Boat(Part):
    name: Annotated[str, Field(description="As painted on it.", max_length=10)]
    length: Length = 5


class Berth(Result):
    number: int
    is_free: bool = Field(validation_alias="free")


@action(effect=Effect.WRITE, scopes=("berths",), look_for="the boat in its berth")
async def moor(
    call: Call,
    *,
    quay: Annotated[str, Field(description="Which quay.", pattern="^[a-z]+$")],
    boats: Annotated[list[Boat], Field(description="Who is coming.", max_length=3)],
    length: Length | None = None,
) -> Berth:
    """Moor boats.

    They stay until they leave.
    """
    return Berth.of((await call.post("quays/{quay}", json={"boats": len(boats)}, quay=quay)).json)


def typed(definition: ActionDefinition = moor) -> TypedAction:
    return TypedAction("harbour", "Harbour", definition)


def redefined(deed: Deed, effect: Effect = Effect.WRITE, scopes: tuple[str, ...] = ("berths",)) -> str:
    deed.__name__ = "moor"
    return typed(action(effect=effect, scopes=scopes, look_for="the boat")(deed)).digest


# ------------------------------------------------------------------------------------------------- parameters


def test_all_mistakes_come_back_at_once_each_with_a_pointer() -> None:
    mistakes = typed().check(
        {"boats": [{"name": "Far too long a name"}, {"name": "Ida", "length": 0}], "lenght": 3, "length": "9"}
    )
    assert {each.pointer for each in mistakes} == {
        "/quay",
        "/boats/0/name",
        "/boats/1/length",
        "/lenght",
        "/length",
    }


def test_a_misspelt_parameter_is_told_the_right_spelling() -> None:
    mistakes = typed().check({"quay": "a", "boats": [], "lenght": 3})
    assert mistakes == (Violation("/lenght", "There is no such parameter. Did you mean `length`?"),)


def test_a_missing_parameter_is_said_plainly() -> None:
    assert typed().check({"boats": []}) == (Violation("/quay", "This parameter is required."),)


def test_a_pointer_escapes_what_a_pointer_must() -> None:
    (mistake,) = typed().check({"quay": "a", "boats": [], "a/b~c": 1})
    assert mistake.pointer == "/a~1b~0c"


def test_nothing_is_guessed_numbers_are_not_text_and_text_no_numbers() -> None:
    assert [each.pointer for each in typed().check({"quay": "a", "boats": [], "length": "5"})] == ["/length"]
    assert [each.pointer for each in typed().check({"quay": 5, "boats": []})] == ["/quay"]
    assert [each.pointer for each in typed().check({"quay": "a", "boats": [], "length": True})] == ["/length"]


def test_a_mistake_never_repeats_the_value() -> None:
    mistakes = typed().check({"quay": "S3CRET!", "boats": "S3CRET!", "length": "S3CRET!"})
    assert len(mistakes) == 3
    assert "S3CRET!" not in repr(mistakes)


@pytest.mark.parametrize("parameters", [None, [], "text", 3])
def test_parameters_that_are_no_object_are_a_mistake(parameters: list[int] | str | int | None) -> None:
    assert len(typed().check(parameters)) == 1


def test_parameters_nested_without_end_are_a_mistake() -> None:
    nested: list[object] = []
    for _ in range(100_000):
        nested = [nested]
    assert len(typed().check({"quay": "a", "boats": nested})) >= 1  # type: ignore[dict-item] # nested on purpose


def test_good_parameters_pass() -> None:
    assert typed().check({"quay": "a", "boats": [{"name": "Ida"}], "length": None}) == ()


# ---------------------------------------------------------------------------------------------------- schemas


def test_the_schema_describes_every_parameter_where_a_reader_looks_first() -> None:
    schema = typed().parameters_schema
    assert schema["additionalProperties"] is False
    assert schema["required"] == ["quay", "boats"]
    properties = schema["properties"]
    assert isinstance(properties, dict)
    assert {name: each["description"] for name, each in properties.items()} == {
        "quay": "Which quay.",
        "boats": "Who is coming.",
        "length": "In metres.",
    }


def test_the_result_schema_uses_our_names() -> None:
    schema = typed().result_schema
    assert schema is not None
    assert schema["required"] == ["number", "is_free"]


def test_the_docstring_is_title_and_description() -> None:
    assert typed().title == "Moor boats"
    assert typed().description == "Moor boats.\n\nThey stay until they leave."
    assert typed().what_to_check == "Look at Harbour for the boat in its berth."


# ---------------------------------------------------------------------------------------------------- digest


def test_the_digest_is_the_same_for_the_same_definition() -> None:
    assert typed().digest == typed().digest

    async def first(call: Call, *, quay: str) -> None:
        """Moor."""

    async def second(call: Call, *, quay: str) -> None:
        """Moor."""
        raise NotImplementedError

    assert redefined(first) == redefined(second)


def test_the_digest_changes_with_whatever_a_person_relies_on() -> None:
    async def plain(call: Call, *, quay: str) -> None:
        """Moor."""

    async def told(call: Call, *, quay: str) -> None:
        """Moor for good."""

    async def more(call: Call, *, quay: str, boat: str = "") -> None:
        """Moor."""

    async def answering(call: Call, *, quay: str) -> Berth:
        """Moor."""
        raise NotImplementedError

    digests = [redefined(deed) for deed in (plain, told, more, answering)]
    digests += [redefined(plain, Effect.DESTRUCTIVE), redefined(plain, scopes=())]
    assert len(set(digests)) == 6


# ----------------------------------------------------------------------------------------------- declarations


def test_what_changes_something_must_say_what_to_look_for() -> None:
    async def sink(call: Call) -> None: ...

    with pytest.raises(TypeError, match="look_for"):
        action(effect=Effect.DESTRUCTIVE)(sink)


def test_reading_is_idempotent_and_cannot_be_declared_otherwise() -> None:
    async def look(call: Call) -> None: ...

    assert action(effect=Effect.READ)(look).is_idempotent
    with pytest.raises(TypeError, match="idempotent"):
        action(effect=Effect.READ, idempotent=False)(look)


def test_parameters_by_position_are_refused() -> None:
    async def look(call: Call, quay: str) -> None: ...

    with pytest.raises(TypeError, match="keyword-only"):
        _ = typed(action(effect=Effect.READ)(look)).parameters_schema


# --------------------------------------------------------------------------------------------------- running


async def test_a_result_is_json_under_our_names() -> None:
    result = await typed().run(
        call(in_turn(reply(200, {"number": 4, "free": True, "x": 1}))), {"quay": "a", "boats": []}
    )
    assert result == {"number": 4, "is_free": True}


async def test_an_unreadable_answer_to_a_write_may_have_happened() -> None:
    with pytest.raises(AnswerGarbled) as garbled:
        await typed().run(call(in_turn(reply(200, {"number": "four"}))), {"quay": "a", "boats": []})
    assert garbled.value.may_have_happened
    assert "four" not in garbled.value.message


async def test_reading_never_may_have_happened() -> None:
    @action(effect=Effect.READ)
    async def look(call: Call) -> Berth:
        """Look."""
        return Berth.of((await call.post("look")).json)

    with pytest.raises(AnswerGarbled) as garbled:
        await typed(look).run(call(in_turn(reply(200, {}))), {})
    assert not garbled.value.may_have_happened
    with pytest.raises(AnswerLost) as lost:
        await typed(look).run(call(in_turn(Lost("timed_out"))), {})
    assert not lost.value.may_have_happened


async def test_a_garbled_reading_before_the_write_has_not_happened() -> None:
    @action(effect=Effect.WRITE, look_for="the boat")
    async def look_then_moor(call: Call) -> Berth:
        """Moor."""
        Berth.of((await call.get("look")).json)
        return Berth.of((await call.post("moor")).json)

    with pytest.raises(AnswerGarbled) as garbled:
        await typed(look_then_moor).run(call(in_turn(reply(200, {}))), {})
    assert not garbled.value.may_have_happened
