"""Forms that nest, lists that go on after their last element, and keys for the steps of one action."""

import pytest

from adapters._kit.brackets import bracketed
from domain.errors import AnswerGarbled
from domain.json import Json
from tests.adapters.kit.sample import BASE_URL, KEY, call, in_turn, manifest, reply, urls, yes_to_all

KEYED = manifest(http={"base_url": BASE_URL, "idempotency_header": "idempotency-key", "idempotency_methods": ["POST"]})
ENDED = manifest(
    http={
        "base_url": BASE_URL,
        "pages": {"style": "cursor", "size_parameter": "limit", "more": "more", "last": "id", "parameter": "after"},
    }
)


@pytest.mark.parametrize(
    ("values", "flat"),
    [
        ({"a": {"b": {"c": 1}}}, {"a[b][c]": 1}),
        ({"a": [{"b": "x"}, {"b": "y"}]}, {"a[0][b]": "x", "a[1][b]": "y"}),
        ({"a": ["x", True]}, {"a[0]": "x", "a[1]": True}),
        ({"a": None, "b": {"c": None}, "d": [None, "x"]}, {"d[1]": "x"}),
        ({"a": "", "b": 0, "c": False}, {"a": "", "b": 0, "c": False}),
        ({"a": [], "b": {}}, {}),
        ({"a": {"k [0]=&": "v"}}, {"a[k [0]=&]": "v"}),
    ],
)
def test_nested_values_get_flat_names(values: dict[str, Json], flat: dict[str, Json]) -> None:
    assert bracketed(**values) == flat


def test_a_fraction_has_no_one_way_to_be_written() -> None:
    with pytest.raises(TypeError, match=r"a\[b\]: .* float"):
        bracketed(a={"b": 1.5})


async def test_brackets_are_escaped_like_everything_else() -> None:
    transport = yes_to_all()
    await call(transport).post("boats", form=bracketed(items=[{"name": "a&b=c"}], fit=True))
    assert transport.requests[0].body == b"items%5B0%5D%5Bname%5D=a%26b%3Dc&fit=true"


async def test_each_step_of_an_action_has_a_key_of_its_own() -> None:
    transport = yes_to_all()
    way = call(transport, KEYED)
    await way.post("boats", step="boat")
    await way.send("POST", "berths", step="berth")
    await way.post("moorings")
    assert [each.headers["idempotency-key"] for each in transport.requests] == [f"{KEY}-boat", f"{KEY}-berth", str(KEY)]


async def test_a_key_is_sent_with_the_methods_that_honour_it() -> None:
    transport = yes_to_all()
    way = call(transport, KEYED)
    for method in ("PUT", "PATCH", "DELETE"):
        await way.send(method, "boats")
    await way.get("boats")
    assert all("idempotency-key" not in each.headers for each in transport.requests)


async def test_a_list_goes_on_after_its_last_element_while_there_is_more() -> None:
    transport = in_turn(
        reply(200, {"data": [{"id": "a"}, {"id": "b"}], "more": True}),
        reply(200, {"data": [{"id": "c"}], "more": False}),
    )
    found = await call(transport, ENDED).pages("boats", limit=9, items="data")
    assert [each["id"] for each in found] == ["a", "b", "c"]
    assert urls(transport) == ["/boats?limit=9", "/boats?limit=9&after=b"]


@pytest.mark.parametrize("body", [{"data": [], "more": True}, {"data": [{"id": "a"}]}, {"data": [{}], "more": True}])
async def test_a_list_without_more_or_without_a_last_element_ends(body: Json) -> None:
    transport = in_turn(reply(200, body))
    await call(transport, ENDED).pages("boats", limit=9, items="data")
    assert len(transport.requests) == 1


async def test_a_list_that_is_none_is_garbled() -> None:
    with pytest.raises(AnswerGarbled):
        await call(in_turn(reply(200, {"data": 7, "more": True})), ENDED).pages("boats", limit=9, items="data")
