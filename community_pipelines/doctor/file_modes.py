"""Who else on this machine may read the state folder, the lake, and files with passwords."""

from __future__ import annotations

import re
import shlex
import stat
from collections.abc import Iterator
from pathlib import Path

from community_pipelines.doctor.diagnosis import MACHINE, Diagnosis
from community_pipelines.private import UMASK
from community_pipelines.settings import CONFIG_FILE, Settings

# Others may pass through such a folder, and neither list nor change it.
PASSING = 0o011
# A password in a URL, or a webhook's own URL, which is a secret as a whole.
_SECRET = re.compile(r"://[^/\s:@\"']*:[^@\s\"']+@|password\s*=|webhook_url")


def modes(settings: Settings) -> Iterator[Diagnosis]:
    """Names what is open to other users of this machine, with the command that closes it."""
    yield from _folder("home modes", settings.home)
    if not _behind(settings.home.absolute(), settings.lake_folder.absolute()):
        yield from _folder("lake modes", settings.lake_folder)
    for file in {Path(CONFIG_FILE).absolute(), (settings.home / CONFIG_FILE).absolute()}:
        if file.is_file() and _mode(file) & UMASK and _SECRET.search(file.read_text(errors="replace")):
            seen = f"{file} holds secrets, and other users of this machine may open it ({_mode(file):04o})"
            yield Diagnosis(MACHINE, "settings file", "warning", seen, f"chmod go= {shlex.quote(str(file))}")


def _behind(home: Path, lake: Path) -> bool:
    """Whether nobody else gets to the lake, since a folder of the home that it is in is closed."""
    inside = [path for path in lake.parents if path.is_relative_to(home)]
    return lake.is_relative_to(home) and any(path.is_dir() and not _mode(path) & PASSING for path in inside)


def _folder(subject: str, folder: Path) -> Iterator[Diagnosis]:
    if not folder.is_dir():
        return
    wide = dict(_wide(folder.absolute()))
    if not wide:
        yield Diagnosis(MACHINE, subject, "ok", f"{folder} is open to its owner alone")
        return
    listed = ", ".join(f"{path} ({_mode(path):04o})" for path in wide)
    yield Diagnosis(
        MACHINE, subject, "warning", f"other users of this machine may open {listed}", "\n".join(wide.values())
    )


def _wide(folder: Path) -> Iterator[tuple[Path, str]]:
    """What is open to others, as far as they get, each with the command that closes it.

    PostgreSQL's own user passes through the folder where its data are, where that is another than the owner.
    """
    mode, name = _mode(folder), shlex.quote(str(folder))
    passed = any(path.is_dir() and path.stat().st_uid != folder.stat().st_uid for path in folder.glob("postgres"))
    if passed:
        if mode & UMASK & ~PASSING:
            yield folder, f"chmod go-rw {name}"
        for path in sorted(folder.iterdir()):
            if _mode(path) & UMASK and not path.is_symlink():
                yield path, f"chmod {'-R ' if path.is_dir() else ''}go= {shlex.quote(str(path))}"
    elif mode & UMASK:
        yield folder, f"chmod -R go= {name}"


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)
