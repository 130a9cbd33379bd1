"""A practice Google Analytics: consent, tokens, settings of properties, and reports on invented visits.

It covers what Mandate's actions use of the Data API v1beta and the Admin API v1beta and v1alpha, below
`/analyticsdata` and `/analyticsadmin`. Key events that are set up count in reports at once; rules and audiences are
kept but do nothing. See `sandbox_reports` for the fields it counts with and `sandbox_traffic` for the visits.

Invented people: Mara Keel (edits the property Harbour Office, reads Tide Tables) and Jon Reef.
"""

import time
from collections.abc import Callable
from pathlib import Path

from adapters._kit.sandbox import SandboxApp, StateFile
from adapters._kit.sandbox_google import GoogleDesk
from adapters._kit.sandbox_oauth import OAuthClient
from adapters.google_analytics.sandbox_admin import Admin
from adapters.google_analytics.sandbox_reports import Reports
from adapters.google_analytics.sandbox_state import SCOPES, World, seeded_world


def sandbox(
    state_file: Path | None = None,
    *,
    faults: bool = True,
    clients: list[OAuthClient] | None = None,
    rate_limit: int = 600,
    now: Callable[[], float] = time.time,
) -> SandboxApp:
    """An ASGI application that behaves like Google Analytics under whatever prefix and host it is reached by.

    State is in memory, and in `state_file` when one is given. `rate_limit` is per person and minute, `now` in epoch
    seconds. `faults` opens the control routes under `/_sandbox/`: for loopback only.
    """
    desk = GoogleDesk.opened(
        "google_analytics",
        StateFile(state_file, World),
        seeded_world,
        clients=clients,
        scopes=SCOPES,
        contains={},
        now=now,
        rate_limit=rate_limit,
    )
    return desk.app([*Reports(desk).routes(), *Admin(desk).routes()], faults=faults)
