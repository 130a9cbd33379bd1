"""Python packages that cannot live beside ours: a virtual environment of their own, made once and kept."""

import fcntl
import hashlib
import subprocess
import sys
from pathlib import Path


class CannotInstall(Exception):
    """pip could not install what the requirements name; the message ends with pip's own words."""


def python_with(requirements: Path) -> Path:
    """The interpreter of `.venv` beside the requirements, with exactly those installed.

    Safe to call from several processes at once: one installs, the others wait. Raises CannotInstall.
    """
    folder = requirements.parent / ".venv"
    python, stamp = folder / "bin" / "python", folder / ".installed"
    wanted = hashlib.sha256(requirements.read_bytes()).hexdigest()
    with (requirements.parent / ".installing").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text() != wanted:
            _run(sys.executable, "-m", "venv", "--clear", str(folder))
            _run(str(python), "-m", "pip", "install", "--quiet", "--requirement", str(requirements))
            stamp.write_text(wanted)
    return python


def _run(*words: str) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CannotInstall(f"{words[2]} failed; these tests need a package registry once.\n{done.stderr}")
