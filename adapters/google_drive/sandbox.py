"""A practice Google Drive: consent, tokens, files, search, uploads in one request, exports and sharing.

It covers what Mandate's actions use of the Drive API v3. Permissions are as strict as Google's: with `drive.file` alone
only what was made through the API is seen, and other files cannot be changed. Not there: shared drives, resumable
uploads, revisions, comments, changes; Office formats of exports.

Invented people: Mara Keel, whose Drive has folders, documents and a file that Jon Reef shared with her.
"""

import time
from collections.abc import Callable
from pathlib import Path

from adapters._kit.sandbox import SandboxApp, StateFile
from adapters._kit.sandbox_google import GoogleDesk
from adapters._kit.sandbox_oauth import OAuthClient
from adapters.google_drive.sandbox_files import file_routes
from adapters.google_drive.sandbox_sharing import Sharing
from adapters.google_drive.sandbox_state import CONTAINS, SCOPES, World, seeded_world


def sandbox(
    state_file: Path | None = None,
    *,
    faults: bool = True,
    clients: list[OAuthClient] | None = None,
    rate_limit: int = 600,
    now: Callable[[], float] = time.time,
) -> SandboxApp:
    """An ASGI application that behaves like Google Drive under whatever prefix and host it is reached by.

    State is in memory, and in `state_file` when one is given. `rate_limit` is per person and minute, `now` in epoch
    seconds. `faults` opens the control routes under `/_sandbox/`: for loopback only.
    """
    desk = GoogleDesk.opened(
        "google_drive",
        StateFile(state_file, World),
        seeded_world,
        clients=clients,
        scopes=SCOPES,
        contains=CONTAINS,
        now=now,
        rate_limit=rate_limit,
    )
    return desk.app([*file_routes(desk), *Sharing(desk).routes()], faults=faults)
