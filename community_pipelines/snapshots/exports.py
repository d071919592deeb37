"""Projects from export files: JSON, NDJSON, or a folder of .tsx files.

Code is taken byte for byte: nothing translates its line ends or drops its byte order mark. What cannot be read
is said with its file, line and column, and its neighbours are read. Not here: projects of the app's database.
"""

from __future__ import annotations

import errno
import json
import os
import re
import stat
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from community_pipelines.snapshots.project import Finding, Project, Scene
from community_pipelines.snapshots.source import is_uuid

# Five seconds at 30 frames a second, for a .tsx file that does not say `// duration: 90`.
DEFAULT_DURATION = 150
# Of a whole export file; single scenes are limited by configuration.
MOST_EXPORT_BYTES = 256 * 1024 * 1024

_JSON, _LINES, _TSX = (".json",), (".ndjson", ".jsonl"), ".tsx"
_PROJECT_FILE = "project.json"
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_DURATION = re.compile(r"//\s*duration:(.*)", re.IGNORECASE)
_TEXTS = {"title": "a text", "description": "a text", "category": "a text", "visibility": "a text", "userId": "a text"}


@dataclass(frozen=True)
class Unreadable:
    """An export that holds no project that could be published, and why."""

    label: str
    findings: tuple[Finding, ...]


class _Refused(Exception):
    """Carries the findings of one export to where it becomes an `Unreadable`."""

    def __init__(self, *findings: Finding) -> None:
        self.findings = findings


def read_exports(path: Path, owner: str | None, most_bytes: int) -> Iterator[Project | Unreadable]:
    """The projects of a file or folder, in the order of their names; one that cannot be read is an `Unreadable`.

    `owner` is taken where a file names none; a .tsx file of more than `most_bytes` is not read. Scenes of a folder
    last as long as `project.json` or their leading comment `// duration: 90` say, else 150 frames (5 s at 30 fps).
    """
    if path.suffix in _LINES:
        yield from _lines(path, owner)
    elif path.suffix not in _JSON and _is_folder(path):
        yield from _folder(path, owner, most_bytes)
    elif path.suffix == _TSX:
        message = "a scene alone is no project: name the folder that it lies in"
        yield Unreadable(_shown(path), (Finding(_shown(path), "export-format", message),))
    else:
        yield _one(_shown(path), lambda: _json_file(path, owner))


def _folder(path: Path, owner: str | None, most_bytes: int) -> Iterator[Project | Unreadable]:
    label = _shown(path)
    try:
        inside = sorted((one for one in path.iterdir() if not one.name.startswith(".")), key=_natural)
    except OSError as error:
        yield Unreadable(label, (_unreadable(label, error),))
        return
    # Also what cannot be read: a project without one of its scenes would be another project.
    scenes = [one for one in inside if one.suffix == _TSX]
    if scenes:
        about = next((one for one in inside if one.name == _PROJECT_FILE), None)
        yield _one(label, lambda: _of_scenes(path, about, scenes, owner, most_bytes))
        return
    found = [one for one in inside if one.suffix in (*_JSON, *_LINES) or _may_hold_scenes(one)]
    for one in found:
        yield from read_exports(one, owner, most_bytes)
    if not found:
        message = (
            "nothing to publish here: .tsx files, exports as .json or .ndjson, or folders of .tsx files are expected"
        )
        yield Unreadable(label, (Finding(label, "empty-folder", message),))


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False


def _may_hold_scenes(path: Path) -> bool:
    """Whether it is a folder of scenes; one that cannot be looked into is read, so that the reason is said."""
    try:
        return path.is_dir() and any(one.suffix == _TSX and one.name[0] != "." for one in path.iterdir())
    except OSError:
        return True


def _one(label: str, read: Callable[[], Project]) -> Project | Unreadable:
    try:
        return read()
    except _Refused as refused:
        return Unreadable(label, refused.findings)


def _json_file(path: Path, owner: str | None) -> Project:
    label = _shown(path)
    return _project(_parsed(_decoded(label, _bytes(path, label, MOST_EXPORT_BYTES)), label, 1), label, owner)


def _lines(path: Path, owner: str | None) -> Iterator[Project | Unreadable]:
    label = _shown(path)
    try:
        _size(path, label)
        with path.open("rb") as file:
            begun = 0
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield _one(f"{label}:{number}", partial(_line, line, label, number, begun, owner))
                if number == 1 and line[:2] in _UTF_16:
                    return
                begun += len(line)
    except OSError as error:
        yield Unreadable(label, (_unreadable(label, error),))
    except _Refused as refused:
        yield Unreadable(label, refused.findings)


def _line(line: bytes, file: str, number: int, begun: int, owner: str | None) -> Project:
    return _project(_parsed(_decoded(file, line, number, begun), file, number), f"{file}:{number}", owner)


def _of_scenes(path: Path, beside: Path | None, files: Sequence[Path], owner: str | None, most_bytes: int) -> Project:
    folder = _shown(path)
    about: Mapping[str, Any] = {}
    durations: Mapping[str, Any] = {}
    if beside is not None:
        label = f"{folder}/{_PROJECT_FILE}"
        about = _parsed(_decoded(label, _bytes(beside, label, most_bytes)), label, 1)
        durations = about.get("durations", {}) if isinstance(about, dict) else {}
        if not isinstance(about, dict) or not isinstance(durations, dict):
            raise _Refused(Finding(label, "export-format", "an object with title, tags, … is expected"))
    scenes: list[Scene] = []
    findings: list[Finding] = []
    for file in files:
        label = f"{folder}/{_shown(file)}"
        try:
            name = _code(re.sub(r"^\d+[-_. ]+", "", file.stem) or file.stem, label)
            code = _code(_decoded(label, _bytes(file, label, most_bytes), keep_mark=True), label)
            duration = durations[file.name] if file.name in durations else _written_duration(code, label)
            scenes.append(Scene(label, name, code, _frames(duration, label)))
        except _Refused as refused:
            findings += refused.findings
    if findings:
        raise _Refused(*findings)
    title = re.sub(r"[-_]+", " ", path.resolve().name).strip()
    return _described({"title": title[:1].upper() + title[1:], **about}, folder, owner, scenes)


def _written_duration(code: str, label: str) -> int:
    """What the comments say that the code begins with."""
    for number, line in enumerate(re.split(r"\r\n?|\n", code.removeprefix("\ufeff")), start=1):
        text = line.strip()
        if text and not text.startswith("//"):
            break
        written = _DURATION.match(text)
        if written:
            said = written.group(1).strip()
            if not re.fullmatch("[0-9]{1,10}", said):
                message = f"duration: frames as a whole number are expected, not {said[:40]!r}"
                raise _Refused(Finding(label, "export-format", message, line=number))
            return int(said)
    return DEFAULT_DURATION


def _project(data: Any, label: str, owner: str | None) -> Project:
    about = data.get("project") if isinstance(data, dict) else None
    scenes = data.get("scenes") if isinstance(data, dict) else None
    if not isinstance(about, dict) or not isinstance(scenes, list):
        message = 'an object {"project": {…}, "scenes": […]} is expected'
        raise _Refused(Finding(label, "export-format", message))
    read: list[tuple[int | None, Scene]] = []
    findings: list[Finding] = []
    for place, one in enumerate(scenes, start=1):
        try:
            read.append(_scene(one, f"{label} scene {place}"))
        except _Refused as refused:
            findings += refused.findings
    orders = [order for order, _ in read]
    if None in orders and set(orders) != {None}:
        findings.append(Finding(label, "export-format", "some scenes have an order and some have none"))
    elif None not in orders and len(set(orders)) < len(orders):
        findings.append(Finding(label, "export-format", f"two scenes have the same order: {orders}"))
    if findings:
        raise _Refused(*findings)
    ordered = read if None in orders else sorted(read, key=lambda one: one[0] or 0)
    return _described(about, label, owner, [scene for _, scene in ordered])


def _scene(data: Any, label: str) -> tuple[int | None, Scene]:
    if not isinstance(data, dict):
        raise _Refused(Finding(label, "export-format", "a scene is no object"))
    name = data.get("name")
    if isinstance(name, str) and name:
        label = f"{label} ({_code(name, f'{label} name')})"
    findings = []
    if not isinstance(data.get("tsxCode"), str):
        findings.append(Finding(label, "export-format", "tsxCode: a text is expected"))
    if not isinstance(name, str | None):
        findings.append(Finding(label, "export-format", "name: a text is expected"))
    order = data.get("order")
    if order is not None and not _is_integer(order):
        findings.append(Finding(label, "export-format", f"order: a whole number is expected, not {order!r}"))
    try:
        duration = _frames(data.get("duration"), label)
    except _Refused as refused:
        findings += refused.findings
    if findings:
        raise _Refused(*findings)
    return order, Scene(label, name, _code(data["tsxCode"], label), duration)


def _described(about: Mapping[str, Any], label: str, owner: str | None, scenes: Sequence[Scene]) -> Project:
    findings = [
        Finding(label, "export-format", f"{name}: {expected} is expected")
        for name, expected in _TEXTS.items()
        if not isinstance(about.get(name), str | None)
    ]
    lists = {"tags": about.get("tags") or [], "formats": about.get("formats") or about.get("supportedFormats") or []}
    for name, values in lists.items():
        if not isinstance(values, list) or not all(isinstance(one, str) for one in values):
            findings.append(Finding(label, "export-format", f"{name}: a list of texts is expected"))
    key = about.get("id")
    if key is not None and not (isinstance(key, str) and is_uuid(key)):
        findings.append(Finding(label, "export-format", f"id: a UUID is expected, not {key!r}"))
    if findings:
        raise _Refused(*findings)
    title = about.get("title") or ""
    for name in _TEXTS:
        _code(about.get(name) or "", f"{label} {name}")
    for name, values in lists.items():
        for value in values:
            _code(value, f"{label} {name}")
    whose = about.get("userId") or owner
    project_id = str(uuid.UUID(key)) if key is not None else None
    return Project(
        project_id or f"export:{whose or '-'}:{title}", project_id, whose, title, tuple(scenes),
        about.get("description"), tuple(lists["tags"]), about.get("category"), tuple(lists["formats"]),
        about.get("visibility") or "public",
    )  # fmt: skip


def _bytes(path: Path, label: str, most: int) -> bytes:
    size = _size(path, label)
    if size > most:
        raise _Refused(Finding(label, "too-large", f"{size:,} bytes, at most {most:,} are read"))
    try:
        return path.read_bytes()
    except OSError as error:
        raise _Refused(_unreadable(label, error)) from None


def _size(path: Path, label: str) -> int:
    """Bytes of a file. What is none is refused: a pipe would be waited for."""
    try:
        found = path.stat()
        if stat.S_ISDIR(found.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "it is no regular file")
    except (OSError, ValueError) as error:
        raise _Refused(_unreadable(label, error)) from None
    return found.st_size


def _decoded(file: str, data: bytes, line: int = 1, begun: int = 0, keep_mark: bool = False) -> str:
    """The text of bytes that begin in that line and at that byte of a file."""
    if data[:2] in _UTF_16:
        raise _Refused(Finding(file, "encoding", "the file is UTF-16: save it as UTF-8", line=line))
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        where = line + data[: error.start].count(b"\n")
        message = f"byte {begun + error.start} is no UTF-8: save the file as UTF-8"
        raise _Refused(Finding(file, "encoding", message, line=where)) from None
    return text if keep_mark else text.removeprefix("\ufeff")


def _parsed(text: str, file: str, line: int) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        where = line + error.lineno - 1
        raise _Refused(Finding(file, "json", f"no JSON: {error.msg}", line=where, column=error.colno)) from None
    except RecursionError:
        raise _Refused(Finding(file, "json", "no export: nested too deeply", line=line)) from None
    except ValueError:
        # Python converts no number of more than 4,300 digits.
        raise _Refused(Finding(file, "json", "no export: a number has too many digits", line=line)) from None


def _code(text: str, label: str) -> str:
    """The text, if PostgreSQL can hold it."""
    wrong = re.search("[\0\ud800-\udfff]", text)
    if wrong is None:
        return text
    line = text.count("\n", 0, wrong.start()) + 1
    column = wrong.start() - text.rfind("\n", 0, wrong.start())
    if wrong.group() == "\0":
        raise _Refused(Finding(label, "nul-character", "a NUL character, which a database cannot hold",
                               line=line, column=column))  # fmt: skip
    raise _Refused(Finding(label, "lone-surrogate", "half a character (a lone surrogate)", line=line, column=column))


def _frames(value: Any, label: str) -> int:
    # What is not positive is refused with all else that is wrong; no integer of the database is larger than this.
    if not _is_integer(value) or abs(value) >= 2**31:
        raise _Refused(
            Finding(label, "export-format", f"duration: frames as a whole number are expected, not {value!r}")
        )
    return int(value)


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _natural(path: Path) -> tuple[list[tuple[int, str]], str]:
    """So that 2-x comes before 10-x; the name itself decides between 1-x and 01-x."""
    parts = re.split(r"(\d+)", path.name.lower())
    return [(int(part), "") if place % 2 else (-1, part) for place, part in enumerate(parts)], path.name


def _shown(path: Path) -> str:
    """A file's name, which need not be UTF-8, as it can be printed."""
    return (path.name or str(path)).encode("utf-8", "backslashreplace").decode()


def _unreadable(label: str, error: OSError | ValueError) -> Finding:
    reason = error.strerror if isinstance(error, OSError) else error
    return Finding(label, "unreadable", f"cannot be read: {reason}")
