"""Standard Webhooks, held against the standard's own library."""

import json
import re
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from domain.webhooks import GIVE_UP_AFTER, is_pattern, new_secret, signatures, wait_after
from tests.house.tree import ROOT
from tests.support.node import NODE

PAGE = ROOT / "docs" / "alerts.md"
BODY = '{"type":"agent.created","data":{"reason":"Schäfer"}}'.encode()


def _headers(signature: str, sent_at: datetime, id: str = "evt_1") -> dict[str, str]:
    return {
        "webhook-id": id,
        "webhook-timestamp": str(int(sent_at.timestamp())),
        "webhook-signature": signature,
    }


def test_the_standards_own_library_accepts_what_is_signed() -> None:
    secret, now = new_secret(), datetime.now(UTC)
    verified = Webhook(secret.reveal()).verify(BODY, _headers(signatures([secret], "evt_1", now, BODY), now))
    assert verified["type"] == "agent.created"


@pytest.mark.parametrize("fault", ["body", "id", "time", "secret", "late"])
def test_it_refuses_what_was_changed_on_the_way(fault: str) -> None:
    secret, now = new_secret(), datetime.now(UTC) - timedelta(minutes=10 if fault == "late" else 0)
    headers = _headers(signatures([secret], "evt_1", now, BODY), now, "evt_2" if fault == "id" else "evt_1")
    if fault == "time":
        headers["webhook-timestamp"] = str(int(now.timestamp()) + 1)
    held = new_secret() if fault == "secret" else secret
    with pytest.raises(WebhookVerificationError):
        Webhook(held.reveal()).verify(BODY + b" " if fault == "body" else BODY, headers)


def test_while_a_secret_takes_anothers_place_both_verify() -> None:
    old, new, now = new_secret(), new_secret(), datetime.now(UTC)
    headers = _headers(signatures([new, old], "evt_1", now, BODY), now)
    for each in (old, new):
        Webhook(each.reveal()).verify(BODY, headers)


def test_secrets_differ_and_show_nothing_by_accident() -> None:
    one, other = new_secret(), new_secret()
    assert one != other
    assert one.reveal().startswith("whsec_")
    assert one.reveal() not in repr(one)


def test_the_waits_grow_and_end_three_days_after_the_first_attempt() -> None:
    begun = now = datetime.now(UTC)
    waits: list[timedelta] = []
    while (wait := wait_after(len(waits) + 1, begun, now)) is not None:
        waits.append(wait)
        now += wait
    assert now - begun == GIVE_UP_AFTER
    assert waits[0] == timedelta(seconds=5)
    assert waits[:-1] == sorted(waits[:-1])
    assert 8 <= len(waits) <= 10


@pytest.mark.parametrize("text", ["connection.expired", "connection.*", "connect_session.completed", "agent"])
def test_types_and_families_are_patterns(text: str) -> None:
    assert is_pattern(text)


@pytest.mark.parametrize("text", ["", "*", "*.expired", "Connection.expired", "a..b", "a.*.b", "a b", "a\n", "a" * 101])
def test_other_texts_are_none(text: str) -> None:
    assert not is_pattern(text)


@pytest.mark.parametrize("is_changed", [False, True])
def test_the_pages_example_for_node_verifies_what_is_signed(is_changed: bool, tmp_path: Path) -> None:
    code = re.search(r"```js\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert code is not None
    secret, other, now = new_secret(), new_secret(), datetime.now(UTC)
    headers = _headers(signatures([other, secret], "evt_1", now, BODY), now)
    given = [secret.reveal(), headers, BODY.decode() + (" " if is_changed else "")]
    program = tmp_path / "verify.mjs"
    program.write_text(code[1] + f"console.log(verify(...{json.dumps(given)}).type);\n")
    done = subprocess.run([NODE, program], capture_output=True, text=True, check=False)
    assert done.stdout == ("" if is_changed else "agent.created\n"), done.stderr
    assert ("not signed by us" in done.stderr) is is_changed
