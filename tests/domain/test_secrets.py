"""A secret can be used where it is needed and is shown nowhere."""

import copy
import json
import logging
import pickle
import pprint
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial

import orjson
import pytest
import structlog

from domain.catalogue import AuthScheme, Credential
from domain.secrets import Secret

TEXT = "canary-7f3a9c"
SECRET = Secret(TEXT)
SECRETS = [SECRET]


@dataclass(frozen=True)
class Holder:
    token: Secret


def test_its_text_is_had_by_asking_for_it() -> None:
    assert SECRET.reveal() == TEXT


SHOWN: dict[str, Callable[[], str]] = {
    "str": lambda: str(SECRET),
    "repr": lambda: repr(SECRET),
    "ascii": lambda: ascii(SECRET),
    "f-string": lambda: f"{SECRET}",
    "f-string with !r": lambda: f"{SECRET!r}",
    "f-string with width": lambda: f"{SECRET:>40}",
    "str.format": lambda: "{} {0!s}".replace("{}", "{0}").format(SECRET),
    "percent": lambda: "%s %r" % (SECRET, SECRET),  # noqa: UP031 - one of the ways
    "in a list": lambda: str([SECRET]),
    "in a dataclass": lambda: repr(Holder(SECRET)),
    "asdict": lambda: str(asdict(Holder(SECRET))),
    "in a credential": lambda: repr(Credential(AuthScheme.API_KEY, {"token": SECRET}, {})),
    "pprint": lambda: pprint.pformat({"token": SECRET}),
    "json with default": lambda: json.dumps({"token": SECRET}, default=str),
    "orjson with default": lambda: orjson.dumps({"token": SECRET}, default=str).decode(),
    "in an exception": lambda: repr(ValueError(SECRET)),
    "its directory": lambda: str(dir(SECRET)),
}


@pytest.mark.parametrize("show", SHOWN.values(), ids=SHOWN.keys())
def test_every_way_of_showing_it_shows_a_stand_in(show: Callable[[], str]) -> None:
    assert "canary" not in show()


REFUSED: dict[str, Callable[[], object]] = {
    "json": lambda: json.dumps({"token": SECRET}),
    "json keys": lambda: json.dumps({SECRET: 1}),
    "orjson": lambda: orjson.dumps(Holder(SECRET)),
    "join": lambda: ", ".join(["a", *SECRETS]),  # type: ignore[list-item]  # the mistake under test
    "join itself": lambda: "".join(SECRET),
    "list": lambda: list(SECRET),
    "concatenation": lambda: "a" + SECRET,  # type: ignore[operator]  # the mistake under test
    "bytes": lambda: bytes(SECRET),
    "vars": lambda: vars(SECRET),
    **{f"pickle {n}": partial(pickle.dumps, SECRET, n) for n in range(pickle.HIGHEST_PROTOCOL + 1)},
    "pickle inside": lambda: pickle.dumps(Holder(SECRET)),
}


@pytest.mark.parametrize("take", REFUSED.values(), ids=REFUSED.keys())
def test_what_would_take_its_text_elsewhere_is_refused_without_telling_it(take: Callable[[], object]) -> None:
    with pytest.raises(TypeError) as refused:
        take()
    assert "canary" not in str(refused.value)


def test_copies_are_the_secret_itself() -> None:
    assert copy.copy(SECRET) is SECRET
    assert copy.deepcopy([SECRET])[0] is SECRET


def test_a_log_line_does_not_hold_it(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("test").debug("token %s in %r", SECRET, {"token": SECRET})
    assert "canary" not in caplog.text


def test_structured_logs_do_not_hold_it() -> None:
    kept: list[str] = []

    class Keeping:
        def msg(self, message: str) -> None:
            kept.append(message)

    for renderer in (structlog.processors.JSONRenderer(), structlog.processors.KeyValueRenderer()):
        log = structlog.wrap_logger(Keeping(), processors=[renderer], wrapper_class=structlog.BoundLogger)
        log.msg("connected", token=SECRET, holder=Holder(SECRET))
    assert len(kept) == 2
    assert not any("canary" in line for line in kept)


def test_a_traceback_with_its_variables_does_not_hold_it() -> None:
    def fail(token: Secret) -> None:
        holder = Holder(token)
        raise ValueError(f"{holder}")

    with pytest.raises(ValueError, match="Secret") as failed:
        fail(SECRET)
    told = "".join(traceback.TracebackException.from_exception(failed.value, capture_locals=True).format())
    assert "token = Secret(…)" in told
    # The module's own constant is not a local of any frame, so the text can only come from the secret.
    assert "canary" not in told


def test_secrets_are_equal_by_their_text_and_never_to_text() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert Secret("ä") != Secret("a")
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2


def test_an_empty_secret_is_false() -> None:
    assert not Secret("")
    assert Secret("a")


def test_a_secret_that_utf_8_cannot_hold_is_compared_all_the_same() -> None:
    assert Secret("\ud800") == Secret("\ud800")
    assert Secret("\ud800") != Secret("a")


def test_its_hash_does_not_give_the_text_away() -> None:
    assert hash(Secret("a")) != hash("a")
