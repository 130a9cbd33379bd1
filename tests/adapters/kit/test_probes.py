"""An action that left a mark can look for it: what a probe is given, and what its answers mean."""

import pytest

from adapters._kit import Call, Effect, NotDone, Result, action
from adapters._kit.action import Deed, TypedAction
from domain.catalogue import Probed
from tests.adapters.kit.sample import call, in_turn, reply


class Berth(Result):
    number: int


def moor(probe: Deed | None) -> TypedAction:
    """An action with this probe."""

    @action(effect=Effect.WRITE, look_for="the boat", probe=probe)
    async def moor(call: Call, *, quay: str, boat: str = "Ida") -> Berth:
        """Moor."""
        raise AssertionError("it is not done again")

    return TypedAction("harbour", "Harbour", moor)


async def test_it_is_given_the_call_and_the_parameters_that_it_names() -> None:
    async def look(call: Call, *, boat: str) -> Berth:
        return Berth.of((await call.get("boats/{boat}", boat=boat)).json)

    found = await moor(look).probe(call(in_turn(reply(body={"number": 7}))), {"quay": "a"})
    assert found == Probed(has_happened=True, result={"number": 7})


async def test_nothing_found_proves_nothing_and_a_certain_no_is_said_as_one() -> None:
    async def empty(call: Call) -> None:
        return None

    async def certain(call: Call) -> NotDone:
        return NotDone()

    assert await moor(empty).probe(call(in_turn()), {"quay": "a"}) is None
    assert await moor(certain).probe(call(in_turn()), {"quay": "a"}) == Probed(has_happened=False)
    assert (moor(empty).has_probe, moor(None).has_probe) == (True, False)
    assert await moor(None).probe(call(in_turn()), {"quay": "a"}) is None


def test_a_probe_names_no_parameter_that_the_action_lacks_and_reading_has_none() -> None:
    async def look(call: Call, *, captain: str) -> None:
        return None

    with pytest.raises(TypeError):
        moor(look)
    with pytest.raises(TypeError):

        @action(effect=Effect.READ, probe=look)
        async def see(call: Call, *, captain: str) -> None:
            """See."""


def test_a_probe_is_no_part_of_what_a_person_relies_on() -> None:
    async def look(call: Call) -> None:
        return None

    assert moor(look).digest == moor(None).digest
