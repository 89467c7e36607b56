"""The configuration: from any bytes to settings, or to what is wrong where."""

from __future__ import annotations

import tempfile
import tomllib
from pathlib import Path
from typing import Any

from agent_shell_cli.config import KEYS, Places, listing, load, loading, settings, textfile
from fuzz.target import MEMORY, Take, Target

__all__ = ["CONFIG"]

_NAMES = frozenset(key.name for key in KEYS)
_COMPLAINT = 600


def _load(data: bytes) -> None:
    take = Take(data)
    of_project = bool(take.byte() % 2)
    content = take.rest()
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        user, project = Path(folder, "user"), Path(folder, "project")
        user.mkdir()
        project.mkdir()
        file = (project if of_project else user) / "config.toml"
        file.write_bytes(content)
        loaded = load(Places(user, project), {})
        for problem in loaded.problems:
            assert problem.startswith(str(file)), f"does not name the file: {problem}"
            assert len(problem) <= _COMPLAINT + len(str(file)), f"{len(problem)} characters long"
        said = _parsed(content)
        if said is None:
            assert loaded.problems, "what is no TOML is taken in silence"
            assert not loaded.sources
        else:
            _check_keys(said, loaded.problems)
        for key in KEYS:
            value = getattr(loaded.settings, key.name)
            if not key.kind.entries and key.name in loaded.sources:
                plain = list(value) if isinstance(value, tuple) else value
                assert key.kind.fits(plain), f"{key.name} = {value!r}"
        listing(loaded)


def _parsed(content: bytes) -> dict[str, Any] | None:
    try:
        return tomllib.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return None


def _check_keys(said: dict[str, Any], problems: tuple[str, ...]) -> None:
    for name in said:
        if name not in _NAMES:
            named = any(name[:9] in problem for problem in problems)
            assert named, f"an unknown key is ignored in silence: {name!r}"


CONFIG = Target(
    "config",
    _load,
    [loading, settings, textfile],
    seeds=[
        b'\0model = "echo"\nbusy = "steer"\n',
        b'\0[colors]\nmark = "bold red"\n',
        *(b"\0" + key.name.encode() + b' = "x"\n' for key in KEYS),
        *(b"\1" + key.name.encode() + b" = 1\n" for key in KEYS),
        b"\0\xef\xbb\xbfmodel = ''\r\n\xff",
    ],
    tokens=[
        *(key.name.encode() for key in KEYS),
        *(option.encode() for key in KEYS for option in key.kind.options),
        *(entry.encode() for key in KEYS for entry in key.kind.entries),
        b" = true\n",
        b" = 1\n",
        b' = ""\n',
        b"[[",
        b"]]\n",
        b'"""\n',
        b"= nan",
        b"= 1979-05-27T07:32:00Z",
        b"{ x = 1 }",
        b"\\u0000",
        b"\\U0010ffff",
        b"~/",
        b"~nobody/",
        b"[" * 99,
    ],
)
