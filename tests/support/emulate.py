"""emulate: GitHub and Slack as other people wrote them, for tests to talk to.

emulate (npm, Apache-2.0) keeps state in memory for the life of the test process and is shared by its tests,
so a test gives what it creates a name of its own. Beware where it differs from the services it stands for:
any bearer token passes on GitHub, so a revoked or a wrong one cannot be tested there; neither checks PKCE;
Slack's methods exist as POST only. Slack's scopes are enforced.
"""

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import httpx2
import pytest

from tests.support.consent import consent
from tests.support.node import NODE, CannotInstall, install_locked

__all__ = ["GITHUB", "SLACK", "Emulate", "Emulated", "OAuthApp", "consent", "emulate", "emulated"]

FOREIGN = Path(__file__).parents[1] / "foreign"
_SETUP_TOKEN = "setup-token-of-octavia"


@dataclass(frozen=True)
class OAuthApp:
    """An app registered with an emulated service."""

    client_id: str
    client_secret: str


GITHUB = OAuthApp("Iv1.mandate-tests", "github-client-secret-for-tests")
SLACK = OAuthApp("1001.2002", "slack-client-secret-for-tests")


@dataclass(frozen=True)
class Emulate:
    """The running services.

    People: `octavia` and `bruno` on GitHub, `ada` and `grace` on Slack. GitHub repositories:
    `octavia/lighthouse` (public, branches main and draft, the files README.md and src/lamp.py) and
    `octavia/cellar` (private). Slack channels: `general`, `random`, `harbour`.
    """

    github: str
    """Base URL of GitHub's API and of its OAuth pages, without a slash at the end."""
    slack: str
    """Base URL of Slack; its methods are below `/api/`."""
    _asks: IO[str]
    _answers: IO[str]

    def allow_redirect(self, uri: str) -> None:
        """Register a redirect address with the apps of every service.

        Scheme, host, port and path must match exactly; a query string and a slash at the end are ignored.

        Raises:
            EmulateStopped: the process is gone.
        """
        _say(self._asks, {"allow_redirect": uri})
        _hear(self._answers)


@pytest.fixture(scope="session")
def emulate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulate]:
    """The emulated services of this test process, on free loopback ports. Installed on first use."""
    with _running(tmp_path_factory.mktemp("emulate") / "stderr.txt") as services:
        _fill_repositories(services.github)
        yield services


@contextmanager
def _running(log: Path) -> Iterator[Emulate]:
    with emulated(_seed(), log) as services:
        yield Emulate(services.urls["github"], services.urls["slack"], services.asks, services.answers)


@dataclass(frozen=True)
class Emulated:
    """Services started from a seed of a test's own; `urls` by their names, without a slash at the end."""

    urls: Mapping[str, str]
    asks: IO[str]
    answers: IO[str]

    def allow_redirect(self, uri: str) -> None:
        """See Emulate."""
        _say(self.asks, {"allow_redirect": uri})
        _hear(self.answers)


@contextmanager
def emulated(seed: Mapping[str, object], log: Path) -> Iterator[Emulated]:
    """Start every service that the seed has a part for. They are installed on first use; `log` gets their words."""
    try:
        install_locked(FOREIGN)
    except CannotInstall as problem:
        pytest.fail(str(problem), pytrace=False)
    with log.open("w") as errors, _node(errors) as process:
        assert process.stdin
        assert process.stdout
        try:
            _say(process.stdin, seed)
            yield Emulated(_hear(process.stdout), process.stdin, process.stdout)
        except EmulateStopped:
            pytest.fail(f"emulate stopped unexpectedly:\n{log.read_text()}", pytrace=False)
        finally:
            _stop(process)


def _node(errors: IO[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [NODE, "serve_emulate.mjs"],
        cwd=FOREIGN,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
    )


def _stop(process: subprocess.Popen[str]) -> None:
    """The end of its input ends the process; if not, it is killed. Its `with` block waits for it."""
    assert process.stdin
    try:
        process.stdin.close()
        process.wait(timeout=5)
    except (BrokenPipeError, subprocess.TimeoutExpired):
        process.kill()


class EmulateStopped(Exception):
    """The process of the emulated services ended instead of answering."""


def _say(asks: IO[str], message: object) -> None:
    try:
        print(json.dumps(message), file=asks, flush=True)
    except BrokenPipeError as problem:
        raise EmulateStopped from problem


def _hear(answers: IO[str]) -> dict[str, str]:
    line = answers.readline()
    if not line:
        raise EmulateStopped
    answer: dict[str, str] = json.loads(line)
    return answer


def _seed() -> dict[str, object]:
    return {
        "tokens": {_SETUP_TOKEN: {"login": "octavia", "scopes": ["repo"]}},
        "github": {
            "users": [
                {"login": "octavia", "name": "Octavia Reed", "email": "octavia@example.com"},
                {"login": "bruno", "name": "Bruno Vale", "email": "bruno@example.com"},
            ],
            "repos": [
                {"owner": "octavia", "name": "lighthouse", "description": "Keeps ships off the rocks."},
                {"owner": "octavia", "name": "cellar", "private": True},
            ],
            "oauth_apps": [_app(GITHUB)],
        },
        "slack": {
            "team": {"name": "Harbour Works", "domain": "harbour-works"},
            "users": [
                {"name": "ada", "real_name": "Ada Lind", "email": "ada@example.com"},
                {"name": "grace", "real_name": "Grace Moor", "email": "grace@example.com"},
            ],
            "channels": [{"name": "harbour", "topic": "Tides and arrivals"}],
            "bots": [{"name": "mandate"}],
            "oauth_apps": [{**_app(SLACK), "bot_name": "mandate", "scopes": _SLACK_SCOPES}],
            "strict_scopes": True,
        },
    }


_SLACK_SCOPES = [
    "channels:history",
    "channels:join",
    "channels:manage",
    "channels:read",
    "chat:write",
    "files:read",
    "files:write",
    "groups:read",
    "reactions:write",
    "team:read",
    "users:read",
    "users:read.email",
]


def _app(app: OAuthApp) -> dict[str, object]:
    return {
        "name": "Mandate",
        "client_id": app.client_id,
        "client_secret": app.client_secret,
        "redirect_uris": [],
    }


def _fill_repositories(github: str) -> None:
    """Give `octavia/lighthouse` a second file and a second branch: emulate's seed knows of neither."""
    repository = f"{github}/repos/octavia/lighthouse"
    with httpx2.Client(headers={"authorization": f"Bearer {_SETUP_TOKEN}"}) as client:
        lamp = {"message": "Light the lamp", "content": "cHJpbnQoImxpZ2h0IikK"}
        written = client.put(f"{repository}/contents/src/lamp.py", json=lamp).raise_for_status()
        draft = {"ref": "refs/heads/draft", "sha": written.json()["commit"]["sha"]}
        client.post(f"{repository}/git/refs", json=draft).raise_for_status()
