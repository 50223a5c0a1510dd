"""The npm packages that tests are held against, installed once per lock file into the user's cache."""

import fcntl
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from reports.html import Node

HERE = Path(__file__).parent
INSTALLED_FROM = ("package.json", "package-lock.json", ".npmrc")
INSTALLED_WITHIN = 300  # seconds


def installed(package: str) -> Path:
    """A folder whose node_modules hold what a folder beside this file asks for; other processes wait for the first."""
    source = HERE / package
    digest = hashlib.sha256((source / "package-lock.json").read_bytes()).hexdigest()[:12]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "constancia"
    cache.mkdir(parents=True, exist_ok=True)
    folder = cache / f"tests-{package}-{digest}"
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            unfinished = folder.with_suffix(".unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir()
            for name in INSTALLED_FROM:
                shutil.copy(source / name, unfinished)
            # Not `npm ci`: it insists on optional packages of other platforms, which some registries do not have.
            command = [*Node.found().npm, "install", "--omit=optional", "--ignore-scripts", "--loglevel=error"]
            subprocess.run(command, cwd=unfinished, check=True, timeout=INSTALLED_WITHIN, stdout=subprocess.DEVNULL)
            unfinished.rename(folder)
    return folder
