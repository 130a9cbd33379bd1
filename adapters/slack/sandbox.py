"""A practice Slack: stateful, honest about being a sandbox, and strict where the real one is strict.

It covers the OAuth flow of an app (bot and person's token in one answer, with and without token rotation),
scopes, rate limits per method, and the methods that Mandate's Slack actions use. It is not there: private
channels, group direct messages, blocks, events and webhooks, Slack Connect, the content of files.

The workspace is `Harbour Works`; invented people: Lin Harbour, Sam Quay, and Ida Mole, who has left. The app is
in `general` and `harbour`, not in `pilots`. Tokens: see `sandbox_state`.
"""

import time
from collections.abc import Callable
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from adapters._kit.sandbox import RateLimits, SandboxApp, SandboxControl, StateFile
from adapters._kit.sandbox_oauth import OAuthClient, OAuthServer
from adapters.slack.sandbox_api import api_route, refuse_fault
from adapters.slack.sandbox_channels import channel_methods
from adapters.slack.sandbox_files import file_methods, upload_route
from adapters.slack.sandbox_messages import deliver_due, message_methods
from adapters.slack.sandbox_oauth import facts
from adapters.slack.sandbox_people import people_methods
from adapters.slack.sandbox_state import Hub, World, seeded_world

MINUTE_SECONDS = 60


class SlackSandbox(SandboxApp):
    """Delivers scheduled messages whose time has come before it answers."""

    hub: Hub

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See SandboxApp."""
        if scope["type"] == "http":
            deliver_due(self.hub)
        await super().__call__(scope, receive, send)


def sandbox(
    state_file: Path | None = None,
    *,
    faults: bool = True,
    clients: list[OAuthClient] | None = None,
    per_minute: int = 100,
    now: Callable[[], float] = time.time,
) -> SlackSandbox:
    """An ASGI application that behaves like Slack under whatever prefix and host it is reached by.

    State is in memory; with `state_file` it is written there (mode 0600, in one step) after every change and
    read at the start. `clients` replaces the seeded apps. `faults` opens the control routes under
    `/_sandbox/`: for loopback only. `per_minute` is how often a token may call each method. `now` is the
    clock, in epoch seconds.
    """
    file = StateFile(state_file, World)
    world = file.load() or seeded_world(clients)
    if clients is not None:
        world.oauth.clients = clients
    control = SandboxControl("slack", refuse_fault, _unknown, lambda token: oauth.revoke(token))
    oauth = OAuthServer(facts(world), world.oauth, now=now, effects=control.effects, save=lambda: file.save(world))
    hub = Hub(world, file, now, RateLimits(per_minute, MINUTE_SECONDS, now), control, oauth)
    file.save(world)
    methods = {**people_methods(), **channel_methods(), **message_methods(), **file_methods()}
    routes = [
        *oauth.routes(faults=faults),
        api_route(hub, methods),
        upload_route(hub),
        Route("/", _about, methods=["GET"]),
    ]
    app = SlackSandbox(control, routes, faults=faults)
    app.hub = hub
    return app


def _unknown() -> Response:
    return JSONResponse({"ok": False, "error": "not_found"}, 404)


def _about(_request: Request) -> Response:
    """What this is, for whoever opens its address."""
    words = "This is a sandbox that comes with Mandate. It is not Slack; the people and messages in it are invented."
    return JSONResponse({"sandbox": True, "message": words})
