"""A practice Gmail with contacts: stateful, honest about being a sandbox, and strict where the real one is strict.

It covers Google's consent and tokens (offline access, PKCE, expiry, revocation of the whole consent), mail (reading,
search, sending, drafts, labels, trash) and contacts. Mail stays inside: what is sent to somebody in the sandbox arrives
there, everything else is only kept in Sent. It is not there: settings, history, push, uploads, filters. Of Gmail's
search words it knows from, to, cc, subject, is, in, label, has:attachment, after, before and rfc822msgid.

Invented people: Mara Keel, who has mail and contacts, and Jon Reef, who starts with an empty mailbox.
"""

import time
from collections.abc import Callable
from pathlib import Path

from adapters._kit.sandbox import SandboxApp, StateFile
from adapters._kit.sandbox_google import GoogleDesk
from adapters._kit.sandbox_oauth import OAuthClient
from adapters.gmail.sandbox_mail import mail_routes
from adapters.gmail.sandbox_people import people_routes
from adapters.gmail.sandbox_state import CONTAINS, SCOPE_WORDS, World, seeded_world


def sandbox(
    state_file: Path | None = None,
    *,
    faults: bool = True,
    clients: list[OAuthClient] | None = None,
    rate_limit: int = 1200,
    now: Callable[[], float] = time.time,
) -> SandboxApp:
    """An ASGI application that behaves like Gmail and the People API under whatever prefix it is reached by.

    State is in memory; with `state_file` it is written there after every change and read at the start. `clients`
    replaces the seeded OAuth application. `faults` opens the control routes under `/_sandbox/`: for loopback only.
    `rate_limit` is calls per person and minute. `now` is the clock, in epoch seconds.
    """
    desk = GoogleDesk.opened(
        "gmail",
        StateFile(state_file, World),
        lambda: seeded_world(clients),
        clients=clients,
        scopes=SCOPE_WORDS,
        contains=CONTAINS,
        now=now,
        rate_limit=rate_limit,
    )
    return desk.app([*mail_routes(desk), *people_routes(desk)], faults=faults)
