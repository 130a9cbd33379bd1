"""One PostgreSQL data folder and the server over it: create, start, stop, and clear up after a crash.

Nothing here takes locks: the launcher calls these while it holds `start.lock`, so one process at a time is
inside.
"""

import os
import re
import shlex
import stat
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Final
from urllib.parse import quote

from db.embedded.programs import MAJOR, EmbeddedPostgresFailed, Programs

_START_TIMEOUT_S: Final = 120  # crash recovery replays at most a checkpoint's worth of log
_STOP_TIMEOUT_S: Final = 60
_RETRY_FOR_S: Final = 15  # the processes of a killed server need a moment to notice and let go of its memory
_PORT: Final = 5432  # only part of the socket's name; no port is opened

# A socket's path has 104 bytes on macOS and 108 on Linux, the closing zero included. To client libraries `,`
# and `:` in a host have a meaning, so a folder with other than plain characters is not used either.
_LONGEST_SOCKET_PATH: Final = 103
_PLAIN_PATH: Final = re.compile(r"[A-Za-z0-9/._-]+")

_READY, _REJECTING = 0, 1  # what pg_isready returns; 2 is "no response"

# Statements and row values stay out of the server's log: they may hold what callers consider theirs.
_SETTINGS: Final = """\
# Written by Mandate at every start; changes made here are lost.
listen_addresses = ''
unix_socket_permissions = 0700
max_connections = 200
shared_buffers = 128MB
fsync = on
synchronous_commit = on
full_page_writes = on
jit = off
timezone = 'UTC'
log_timezone = 'UTC'
lc_messages = 'C'
log_checkpoints = off
log_error_verbosity = terse
log_min_error_statement = panic
"""


class Cluster:
    """The data folder below `home` and its server.

    `home` exists, is ours, and the server's user may pass through it.
    """

    def __init__(self, home: Path, programs: Programs) -> None:
        self._home = home
        self._programs = programs
        self._data = home / "cluster"
        self._log = self._data / "server.log"
        self._sockets = self._socket_folder()

    @property
    def dsn(self) -> str:
        """Its address, by socket: it holds no password, since the folder of the socket is its lock."""
        return f"postgresql://postgres@/postgres?host={quote(str(self._sockets))}"

    def ensure_running(self) -> None:
        """Return with a server that answers. Raises `EmbeddedPostgresFailed`."""
        if not self._data.exists():
            self._create()
        self._refuse_foreign_data()
        late = time.monotonic() + _RETRY_FOR_S
        while not self._answers():
            self._clear_remains()
            self._launch()
            if not self._answers() and time.monotonic() > late:
                raise EmbeddedPostgresFailed(
                    f"PostgreSQL did not start: the reason is at the end of {self._log}; mend it or set DATABASE_URL."
                )

    def stop(self) -> None:
        """End the server, if it runs: open transactions are rolled back, committed ones are on disk."""
        if (self._data / "postmaster.pid").exists():
            self._control("stop", "-m", "fast", "-t", str(_STOP_TIMEOUT_S), timeout_s=_STOP_TIMEOUT_S + 10)

    def _create(self) -> None:
        half = Path(tempfile.mkdtemp(prefix="cluster-half-", dir=self._home))
        self._programs.user.own_folder(half)
        words = [
            "--auth-local=trust",
            "--auth-host=reject",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "-U",
            "postgres",
        ]
        done = self._programs.run("initdb", *words, "-D", half, timeout_s=_START_TIMEOUT_S)
        if done.returncode != 0:
            raise EmbeddedPostgresFailed(
                f"PostgreSQL could not create its data in {self._home} ({_last_line(done.stderr)}): "
                "make room there, choose another MANDATE_DATA_DIR, or set DATABASE_URL."
            )
        half.rename(self._data)  # in one step: a creation cut short leaves no half-made cluster behind

    def _refuse_foreign_data(self) -> None:
        if self._data.stat().st_uid != self._programs.user.uid:
            raise EmbeddedPostgresFailed(
                f"The database in {self._data} belongs to another system user: start Mandate as that user, "
                "or choose another MANDATE_DATA_DIR."
            )
        major = (self._data / "PG_VERSION").read_text().strip()
        if major != MAJOR:
            raise EmbeddedPostgresFailed(
                f"The database in {self._data} was made by PostgreSQL {major} and this is {MAJOR}: dump it "
                "with the older Mandate and restore it here, or choose another MANDATE_DATA_DIR."
            )

    def _answers(self) -> bool:
        """Ask the server itself: `pg_ctl status` takes a dead, unreaped process for a running server."""
        late = time.monotonic() + _START_TIMEOUT_S
        while (state := self._ask()) == _REJECTING and time.monotonic() < late:
            time.sleep(0.05)  # it is starting, recovering or shutting down, and has no way to tell us when it is done
        return state == _READY

    def _ask(self) -> int:
        words = [
            "-q",
            "-t",
            "5",
            "-U",
            "postgres",
            "-d",
            "postgres",
            "-p",
            str(_PORT),
            "-h",
            str(self._sockets),
        ]
        return self._programs.run("pg_isready", *words, timeout_s=30).returncode

    def _launch(self) -> None:
        settings = self._home / "postgresql.conf"
        settings.write_text(f"{_SETTINGS}unix_socket_directories = '{self._sockets}'\nport = {_PORT}\n")
        settings.chmod(0o644)
        if self._log.exists():
            self._log.replace(self._log.with_suffix(".log.before"))
        options = f"-c config_file={shlex.quote(str(settings))}"  # pg_ctl passes this through a shell
        words: list[str | Path] = ["-o", options, "-l", self._log, "-t", str(_START_TIMEOUT_S)]
        self._control("start", *words, timeout_s=_START_TIMEOUT_S + 10)

    def _control(self, verb: str, *words: str | Path, timeout_s: float) -> None:
        # Its return code is not believed: whoever calls asks the server afterwards.
        try:
            self._programs.run("pg_ctl", verb, "-s", "-w", "-D", self._data, *words, timeout_s=timeout_s)
        except subprocess.TimeoutExpired:
            raise EmbeddedPostgresFailed(
                f"PostgreSQL did not {verb} within {timeout_s:.0f} s: see {self._log}, then try again."
            ) from None

    def _clear_remains(self) -> None:
        """Remove what a killed server left, which would make the next one refuse to start."""
        record = self._data / "postmaster.pid"
        if not record.exists():
            return
        pid = int(record.read_text().partition("\n")[0] or 0)
        if _runs_over(pid, self._data):
            self.stop()  # alive but deaf, as when its socket was swept away
        for left in (record, self._socket, self._socket.with_name(f"{self._socket.name}.lock")):
            left.unlink(missing_ok=True)

    @property
    def _socket(self) -> Path:
        return self._sockets / _socket_name()

    def _socket_folder(self) -> Path:
        beside = self._home / "socket"
        length = len(os.fsencode(beside / _socket_name()))
        if length <= _LONGEST_SOCKET_PATH and _PLAIN_PATH.fullmatch(str(beside)):
            self._programs.user.own_folder(beside)
            return beside
        return self._short_socket_folder()

    def _short_socket_folder(self) -> Path:
        """A private folder with a short name, remembered in a file so that all processes agree on it."""
        note = self._home / "socket-folder"
        if note.exists() and self._is_private(remembered := Path(note.read_text())):
            return remembered
        # Not where TMPDIR points: that is long on macOS and may differ between two processes.
        made = Path(tempfile.mkdtemp(prefix="mandate-", dir="/tmp"))
        self._programs.user.own_folder(made)
        note.write_text(str(made))
        return made

    def _is_private(self, folder: Path) -> bool:
        try:
            found = folder.lstat()
        except OSError:
            return False
        return found.st_mode == stat.S_IFDIR | 0o700 and found.st_uid == self._programs.user.uid


def _socket_name() -> str:
    return f".s.PGSQL.{_PORT}"


def _runs_over(pid: int, data: Path) -> bool:
    """Is `pid` a living PostgreSQL server over `data`? Not a zombie, not a stranger of the same number."""
    if pid <= 0:
        return False
    process = Path(f"/proc/{pid}")
    if not Path("/proc/self/stat").exists():
        return _runs_per_ps(pid)
    try:
        name, _, rest = (process / "stat").read_text().partition("(")[2].rpartition(")")
        return name == "postgres" and rest.split()[0] not in "ZX" and (process / "cwd").readlink() == data.resolve()
    except OSError:
        return False  # gone, or another user's process, which cannot be over our data


def _runs_per_ps(pid: int) -> bool:
    command = ["/bin/ps", "-o", "stat=,comm=", "-p", str(pid)]
    shown = subprocess.run(command, capture_output=True, text=True, check=False)
    state, _, name = shown.stdout.strip().partition(" ")
    return not state.startswith("Z") and name.strip().rpartition("/")[2] == "postgres"


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if "error" in line or "FATAL" in line]
    return lines[-1] if lines else "no reason given"
