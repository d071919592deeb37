"""Projects from export files: JSON, NDJSON, or a folder of .tsx files.

Code is taken byte for byte: nothing translates its line ends or drops its byte order mark. What cannot be read
is said with its file, line and column, and its neighbours are read. No file is read for longer than its limit, and
no symbolic link is followed below what was named. Not here: projects of the app's database.
"""

from __future__ import annotations

import errno
import json
import os
import re
import reprlib
import stat
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from community_pipelines.settings import SnapshotSettings
from community_pipelines.snapshots.project import Finding, Project, Scene
from community_pipelines.snapshots.source import is_uuid
from community_pipelines.snapshots.wording import MOST_TYPED, MOST_TYPED_TAGS

# Five seconds at 30 frames a second, for a .tsx file that does not say `// duration: 90`.
DEFAULT_DURATION = 150
# One export may be so many times as large as the code of a template: JSON writes a character in up to six bytes.
EXPORT_FACTOR = 16
# Far more than what is allowed is not read only to be refused; what is nearly allowed is refused with all its findings.
TOO_MUCH = 2

_JSON, _LINES, _TSX = (".json",), (".ndjson", ".jsonl"), ".tsx"
_PROJECT_FILE = "project.json"
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_DURATION = re.compile(r"//\s*duration:(.*)", re.IGNORECASE)
# Of every text that an export may hold, its most characters; of a list its most texts and theirs.
_LONGEST_NAME, _LONGEST_WORD = 255, 50
_TEXTS = {
    **{name: MOST_TYPED[name] for name in ("title", "description", "category")},
    "visibility": _LONGEST_WORD,
    "userId": _LONGEST_NAME,
}
_LISTS = {"tags": (MOST_TYPED_TAGS, MOST_TYPED["tag"]), "formats": (_LONGEST_WORD, _LONGEST_WORD)}


@dataclass(frozen=True)
class Unreadable:
    """An export that holds no project that could be published, and why."""

    label: str
    findings: tuple[Finding, ...]


class _Refused(Exception):
    """Carries the findings of one export to where it becomes an `Unreadable`."""

    def __init__(self, *findings: Finding) -> None:
        self.findings = findings


@dataclass(frozen=True)
class _Asked:
    """Who owns what is read, whatever a file says; what may be read; whether a person named this very path."""

    owner: str | None
    limits: SnapshotSettings
    named: bool = True

    @property
    def most_bytes(self) -> int:
        """Of the export of one project."""
        return EXPORT_FACTOR * self.limits.bytes_per_template


def read_exports(path: Path, owner: str | None, limits: SnapshotSettings) -> Iterator[Project | Unreadable]:
    """The projects of a file or folder, in the order of their names; one that cannot be read is an `Unreadable`.

    All are the `owner`'s; where none is given, a file may name one. What is larger than `limits` is not read, and
    below `path` symbolic links are refused by name. Scenes of a folder last as long as `project.json` or their
    leading comment `// duration: 90` say, else 150 frames (5 s at 30 fps).
    """
    yield from _exports(path, _Asked(owner, limits))


def _exports(path: Path, asked: _Asked) -> Iterator[Project | Unreadable]:
    if path.suffix in _LINES:
        yield from _lines(path, asked)
    elif path.suffix not in _JSON and _is_folder(path):
        yield from _folder(path, asked)
    elif path.suffix == _TSX:
        message = "a scene alone is no project: name the folder that it lies in"
        yield Unreadable(_shown(path), (Finding(_shown(path), "export-format", message),))
    else:
        yield _one(_shown(path), lambda: _json_file(path, asked))


def _folder(path: Path, asked: _Asked) -> Iterator[Project | Unreadable]:
    label = _shown(path)
    try:
        _no_link(path, asked.named)
        inside = sorted((one for one in path.iterdir() if not one.name.startswith(".")), key=_natural)
    except OSError as error:
        yield Unreadable(label, (_unreadable(label, error),))
        return
    below = replace(asked, named=False)
    # Also what cannot be read: a project without one of its scenes would be another project.
    scenes = [one for one in inside if one.suffix == _TSX]
    if scenes:
        about = next((one for one in inside if one.name == _PROJECT_FILE), None)
        yield _one(label, lambda: _of_scenes(path, about, scenes, below))
        return
    found = [one for one in inside if one.suffix in (*_JSON, *_LINES) or _may_hold_scenes(one)]
    for one in found:
        yield from _exports(one, below)
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
    """Whether it is a folder of scenes; one that may not be looked into is read, so that the reason is said."""
    try:
        return path.is_dir() and (
            path.is_symlink() or any(one.suffix == _TSX and one.name[0] != "." for one in path.iterdir())
        )
    except OSError:
        return True


def _one(label: str, read: Callable[[], Project]) -> Project | Unreadable:
    try:
        return read()
    except _Refused as refused:
        return Unreadable(label, refused.findings)


def _json_file(path: Path, asked: _Asked) -> Project:
    label = _shown(path)
    data = _bytes(path, label, asked.most_bytes, asked.named)
    return _project(_parsed(_decoded(label, data), label, 1), label, asked)


def _lines(path: Path, asked: _Asked) -> Iterator[Project | Unreadable]:
    label = _shown(path)
    most = asked.most_bytes
    try:
        with _opened(path, label, asked.named) as file:
            begun = number = 0
            while line := file.readline(most + 1):
                number += 1
                if len(line) > most:
                    yield _one(f"{label}:{number}", partial(_too_long_line, label, number, most))
                    begun += len(line) + _rest_of_line(file, line)
                    continue
                if line.strip():
                    yield _one(f"{label}:{number}", partial(_line, line, label, number, begun, asked))
                if number == 1 and line[:2] in _UTF_16:
                    return
                begun += len(line)
    except OSError as error:
        yield Unreadable(label, (_unreadable(label, error),))
    except _Refused as refused:
        yield Unreadable(label, refused.findings)


def _line(line: bytes, file: str, number: int, begun: int, asked: _Asked) -> Project:
    return _project(_parsed(_decoded(file, line, number, begun), file, number), f"{file}:{number}", asked)


def _too_long_line(file: str, number: int, most: int) -> Project:
    raise _Refused(Finding(file, "too-large", f"more than {most:,} bytes on one line: it is not read", line=number))


def _rest_of_line(file: BinaryIO, begin: bytes) -> int:
    """Passes over what is left of a line; its bytes."""
    size, part = 0, begin
    while part and not part.endswith(b"\n"):
        part = file.readline(1_000_000)
        size += len(part)
    return size


def _of_scenes(path: Path, beside: Path | None, files: Sequence[Path], asked: _Asked) -> Project:
    folder = _shown(path)
    limits = asked.limits
    _not_too_many(folder, len(files), limits)
    about: Mapping[str, Any] = {}
    durations: Mapping[str, Any] = {}
    if beside is not None:
        label = f"{folder}/{_PROJECT_FILE}"
        about = _parsed(_decoded(label, _bytes(beside, label, limits.bytes_per_scene, asked.named)), label, 1)
        durations = about.get("durations", {}) if isinstance(about, dict) else {}
        if not isinstance(about, dict) or not isinstance(durations, dict):
            raise _Refused(Finding(label, "export-format", "an object with title, tags, … is expected"))
    scenes: list[Scene] = []
    findings: list[Finding] = []
    size = 0
    for file in files:
        label = f"{folder}/{_shown(file)}"
        try:
            name = _code(re.sub(r"^\d+[-_. ]+", "", file.stem) or file.stem, label)
            data = _bytes(file, label, limits.bytes_per_scene, asked.named)
            size += len(data)
            code = _code(_decoded(label, data, keep_mark=True), label)
            duration = durations[file.name] if file.name in durations else _written_duration(code, label)
            scenes.append(Scene(label, name, code, _frames(duration, label)))
        except _Refused as refused:
            findings += refused.findings
        if size > TOO_MUCH * limits.bytes_per_template:
            message = f"more than {size:,} bytes of code, at most {limits.bytes_per_template:,}"
            raise _Refused(*findings, Finding(folder, "template-too-large", message))
    if findings:
        raise _Refused(*findings)
    title = re.sub(r"[-_]+", " ", path.resolve().name).strip()
    return _described({"title": title[:1].upper() + title[1:], **about}, folder, asked.owner, scenes)


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


def _project(data: Any, label: str, asked: _Asked) -> Project:
    about = data.get("project") if isinstance(data, dict) else None
    scenes = data.get("scenes") if isinstance(data, dict) else None
    if not isinstance(about, dict) or not isinstance(scenes, list):
        message = 'an object {"project": {…}, "scenes": […]} is expected'
        raise _Refused(Finding(label, "export-format", message))
    _not_too_many(label, len(scenes), asked.limits)
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
        findings.append(Finding(label, "export-format", f"two scenes have the same order: {reprlib.repr(orders)}"))
    if findings:
        raise _Refused(*findings)
    ordered = read if None in orders else sorted(read, key=lambda one: one[0] or 0)
    return _described(about, label, asked.owner, [scene for _, scene in ordered])


def _not_too_many(label: str, scenes: int, limits: SnapshotSettings) -> None:
    if scenes > TOO_MUCH * limits.scenes_per_template:
        message = f"{scenes:,} scenes, at most {limits.scenes_per_template:,} are allowed"
        raise _Refused(Finding(label, "too-many-scenes", message))


def _scene(data: Any, label: str) -> tuple[int | None, Scene]:
    if not isinstance(data, dict):
        raise _Refused(Finding(label, "export-format", "a scene is no object"))
    name = data.get("name")
    findings = []
    if isinstance(name, str) and len(name) > _LONGEST_NAME:
        findings.append(_too_long(label, "name", name, _LONGEST_NAME))
    elif isinstance(name, str) and name:
        label = f"{label} ({_code(name, f'{label} name')})"
    if not isinstance(data.get("tsxCode"), str):
        findings.append(Finding(label, "export-format", "tsxCode: a text is expected"))
    if not isinstance(name, str | None):
        findings.append(Finding(label, "export-format", "name: a text is expected"))
    order = data.get("order")
    if order is not None and not _is_integer(order):
        findings.append(
            Finding(label, "export-format", f"order: a whole number is expected, not {reprlib.repr(order)}")
        )
    try:
        duration = _frames(data.get("duration"), label)
    except _Refused as refused:
        findings += refused.findings
    if findings:
        raise _Refused(*findings)
    return order, Scene(label, name, _code(data["tsxCode"], label), duration)


def _described(about: Mapping[str, Any], label: str, owner: str | None, scenes: Sequence[Scene]) -> Project:
    findings = []
    for name, most in _TEXTS.items():
        text = about.get(name)
        if not isinstance(text, str | None):
            findings.append(Finding(label, "export-format", f"{name}: a text is expected"))
        elif text is not None and len(text) > most:
            findings.append(_too_long(label, name, text, most))
    lists = {"tags": about.get("tags") or [], "formats": about.get("formats") or about.get("supportedFormats") or []}
    for name, values in lists.items():
        most_texts, most = _LISTS[name]
        if not isinstance(values, list) or not all(isinstance(one, str) for one in values):
            findings.append(Finding(label, "export-format", f"{name}: a list of texts is expected"))
        elif len(values) > most_texts:
            findings.append(Finding(label, "too-long", f"{name}: {len(values):,} texts, at most {most_texts:,}"))
        else:
            findings += [_too_long(label, name, one, most) for one in values if len(one) > most]
    key = about.get("id")
    if key is not None and not (isinstance(key, str) and is_uuid(key)):
        findings.append(Finding(label, "export-format", f"id: a UUID is expected, not {reprlib.repr(key)}"))
    if findings:
        raise _Refused(*findings)
    title = about.get("title") or ""
    for name in _TEXTS:
        _code(about.get(name) or "", f"{label} {name}")
    for name, values in lists.items():
        for value in values:
            _code(value, f"{label} {name}")
    named = about.get("userId")
    whose = owner or named
    warnings = []
    if named and named != whose:
        message = f"the file names the owner {named!r}: it is {whose!r}'s, who was named for it"
        warnings.append(Finding(label, "other-owner", message, "warning"))
    project_id = str(uuid.UUID(key)) if key is not None else None
    return Project(
        project_id or key_of(whose, title), project_id, whose, title, tuple(scenes),
        about.get("description"), tuple(lists["tags"]), about.get("category"), tuple(lists["formats"]),
        about.get("visibility") or "public", tuple(warnings),
    )  # fmt: skip


def key_of(owner: str | None, title: str) -> str:
    """What a project is known by that has no id."""
    return f"export:{owner or '-'}:{title}"


def _too_long(label: str, name: str, text: str, most: int) -> Finding:
    return Finding(label, "too-long", f"{name}: {len(text):,} characters, at most {most:,}")


def _bytes(path: Path, label: str, most: int, named: bool) -> bytes:
    try:
        with _opened(path, label, named) as file:
            # Not every file says how large it is, and one that is being written grows.
            data = file.read(most + 1)
            size = max(len(data), os.fstat(file.fileno()).st_size)
    except OSError as error:
        raise _Refused(_unreadable(label, error)) from None
    if len(data) > most:
        raise _Refused(Finding(label, "too-large", f"{size:,} bytes, at most {most:,} are read"))
    return data


@contextmanager
def _opened(path: Path, label: str, named: bool) -> Iterator[BinaryIO]:
    """A file to read. What is none is refused before it is opened: a pipe would be waited for."""
    try:
        _no_link(path, named)
        found = path.stat()
        if stat.S_ISDIR(found.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "it is no regular file")
        # Another file may have taken its place since.
        opened = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | (0 if named else os.O_NOFOLLOW)), "rb")
    except (OSError, ValueError) as error:
        raise _Refused(_unreadable(label, error)) from None
    with opened as file:
        yield file


def _no_link(path: Path, named: bool) -> None:
    """Raises OSError for a symbolic link that no person named: it could lead to any file of this machine."""
    if not named and path.is_symlink():
        raise OSError(errno.ELOOP, "it is a symbolic link, which is not followed: put the file itself there")


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
            Finding(
                label, "export-format", f"duration: frames as a whole number are expected, not {reprlib.repr(value)}"
            )
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
