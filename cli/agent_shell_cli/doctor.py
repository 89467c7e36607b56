"""`agent-shell doctor`: what is wrong with this installation, and how to mend it."""

from __future__ import annotations

import enum
import importlib.util
import os
import shutil
import sqlite3
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from agent_shell import AgentShellError
from agent_shell.agents.embedded import find_weights, require_xllamacpp
from agent_shell.journal.sqlite import catalog, recovery
from agent_shell.journal.sqlite.catalog import Sign
from agent_shell.records import record
from agent_shell.tools.sandbox import find_sandbox
from agent_shell_cli.exits import Exit
from agent_shell_cli.sessions.output import note, write, write_json

__all__ = ["run"]

_LOW_BYTES = 200_000_000
_FULL_BYTES = 10_000_000
# Larger ones are checked without their indices: that takes seconds, not minutes.
_THOROUGH_BYTES = 256_000_000
_NAMED = 10


class _Grade(enum.StrEnum):
    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@record
class _Finding:
    """One thing that was looked at; `advice` says what to do, where something is to do."""

    name: str
    grade: _Grade
    detail: str
    advice: str = ""


def run(path: Path, *, recover: bool, as_json: bool) -> int:
    """Prints what was found, after a recovery where that is asked for; the exit code."""
    if recover:
        _recover(path, say=note if as_json else write)
    findings = list(_findings(path))
    failed = any(finding.grade is _Grade.FAIL for finding in findings)
    if as_json:
        checks = [
            {"name": f.name, "status": f.grade, "detail": f.detail, "advice": f.advice}
            for f in findings
        ]
        write_json({"ok": not failed, "checks": checks})
    else:
        for finding in findings:
            write(f"{finding.grade:<4}  {finding.name}: {finding.detail}")
            if finding.advice:
                write(f"      → {finding.advice}")
    return Exit.INCOMPLETE if failed else Exit.OK


def _recover(path: Path, say: Callable[[str], None]) -> None:
    if not path.exists() or not recovery.examine(path).damaged:
        say(f"nothing to recover: {path} is {'in order' if path.exists() else 'not there'}")
        return
    done = recovery.recover(path)
    say(
        f"recovered {done.sessions:,} sessions with {done.follow_ups:,} follow-ups and "
        f"{done.turns:,} turns; {done.inbox:,} in inboxes"
    )
    for count, what in (
        (len(done.lost_ids), "follow-ups, known by their ids alone"),
        (done.lost_texts, "texts of follow-ups whose turns are there"),
        (done.lost_answers, "answers"),
    ):
        if count:
            say(f"lost: {count:,} {what}")
    if done.lost_ids:
        more = " …" if len(done.lost_ids) > _NAMED else ""
        say(f"the ids: {', '.join(done.lost_ids[:_NAMED])}{more}")
    say(f"the damaged file is kept as {done.aside}")


def _findings(path: Path) -> Iterator[_Finding]:
    yield _python()
    yield _terminal()
    yield _model()
    yield _sandbox()
    yield from _journal(path)


def _python() -> _Finding:
    # An older one than this program is made for could not have loaded it.
    version = sys.version.split()[0]
    return _Finding("Python", _Grade.OK, f"{version}, SQLite {sqlite3.sqlite_version}")


def _terminal() -> _Finding:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return _Finding("terminal", _Grade.OK, "none here: chat would run in scripted mode")
    encoding = sys.stdout.encoding.lower().replace("-", "")
    kind = os.environ.get("TERM", "")
    columns, rows = shutil.get_terminal_size()
    detail = f"{kind or 'of no kind'}, {columns}x{rows}, {encoding}"
    if encoding != "utf8":
        advice = "set a UTF-8 locale, as LANG=C.UTF-8: other letters can't be shown"
        return _Finding("terminal", _Grade.WARN, detail, advice)
    if os.name == "posix" and kind in ("", "dumb"):
        advice = "set TERM to what the terminal is, as TERM=xterm-256color"
        return _Finding("terminal", _Grade.WARN, detail, advice)
    return _Finding("terminal", _Grade.OK, detail)


def _model() -> _Finding:
    other = "or use another model with --model; echo needs nothing"
    if importlib.util.find_spec("xllamacpp") is None:
        return _Finding(
            "local model",
            _Grade.WARN,
            "its runtime is not installed",
            f"pip install xllamacpp, where it is made for this platform; {other}",
        )
    try:
        require_xllamacpp()
        weights = find_weights()
    except AgentShellError as error:
        return _Finding("local model", _Grade.FAIL, str(error), other)
    if weights is None:
        advice = "it is fetched on first use, or now with: agent-shell models pull"
        return _Finding("local model", _Grade.OK, "installed, not fetched yet", advice)
    return _Finding("local model", _Grade.OK, str(weights))


def _sandbox() -> _Finding:
    found = find_sandbox()
    if found.program is not None:
        return _Finding("sandbox", _Grade.OK, found.why)
    detail = f"none for commands of tools: {found.why}"
    advice = "they can do all that you can, once they are allowed"
    if sys.platform != "linux":
        return _Finding("sandbox", _Grade.OK, detail, advice)
    if found.missing:
        advice = f"install bubblewrap (Debian: apt install bubblewrap); until then {advice}"
    return _Finding("sandbox", _Grade.WARN, detail, advice)


def _journal(path: Path) -> Iterator[_Finding]:
    if not path.exists():
        yield _Finding("journal", _Grade.OK, f"{path} is not there; it is made on first use")
        yield from _room(path)
        return
    yield _contents(path)
    yield _modes(path)
    yield from _room(path)
    yield _owners(path)


def _contents(path: Path) -> _Finding:
    try:
        size = path.stat().st_size
        found = recovery.examine(path, thorough=size < _THOROUGH_BYTES)
    except (OSError, AgentShellError) as error:
        return _Finding("journal", _Grade.FAIL, f"{path}: {error}", "check its permissions")
    if found.damaged:
        advice = (
            "end every agent-shell, then: agent-shell doctor --recover "
            "(keeps the damaged file, and saves what can be read)"
        )
        problem = found.problems[0].splitlines()[-1]
        more = f" and {len(found.problems) - 1} more" if len(found.problems) > 1 else ""
        return _Finding("journal", _Grade.FAIL, f"{path} is damaged: {problem}{more}", advice)
    if found.problems:
        advice = "name another one with --journal PATH"
        return _Finding("journal", _Grade.FAIL, found.problems[0], advice)
    return _Finding("journal", _Grade.OK, f"{path}, version {found.version}, {size / 1e6:,.1f} MB")


def _modes(path: Path) -> _Finding:
    file, folder = (stat.S_IMODE(p.stat().st_mode) for p in (path, path.parent))
    detail = f"file {file:04o}, folder {folder:04o}"
    if os.name != "posix" or not file & 0o077:
        return _Finding("privacy", _Grade.OK, detail)
    advice = f"others can read what you typed: chmod 600 {path}"
    return _Finding("privacy", _Grade.WARN, detail, advice)


def _room(path: Path) -> Iterator[_Finding]:
    folder = next((p for p in path.absolute().parents if p.is_dir()), Path("/"))
    free = shutil.disk_usage(folder).free
    detail = f"{free / 1e6:,.0f} MB free for the journal"
    grade = _Grade.FAIL if free < _FULL_BYTES else _Grade.WARN if free < _LOW_BYTES else _Grade.OK
    yield _Finding("disk", grade, detail, "" if grade is _Grade.OK else "free room on it")
    if not os.access(folder, os.W_OK):
        advice = "name another place with --journal PATH"
        yield _Finding("folder", _Grade.FAIL, f"{folder} can't be written", advice)


def _owners(path: Path) -> _Finding:
    signs = list(catalog.signs(path).values())
    working, stopped = signs.count(Sign.WORKS), signs.count(Sign.STOPPED)
    dead = signs.count(Sign.DEAD)
    detail = f"{working} open it now"
    if stopped:
        advice = "resume them (fg) or end them: others may take their sessions over"
        return _Finding("processes", _Grade.WARN, f"{detail}, {stopped} are stopped", advice)
    if dead:
        detail += f", {dead} ended without a farewell"
        advice = f"harmless; with no agent-shell running, {path}.owners may be deleted"
        return _Finding("processes", _Grade.WARN, detail, advice)
    return _Finding("processes", _Grade.OK, detail)
