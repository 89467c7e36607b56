"""`--report FILE.html`: a page with the figures and the plots of a flood, which loads nothing."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Sequence
from html import escape
from pathlib import Path

from agent_shell.paths import expanded
from agent_shell_cli.exits import UsageError
from agent_shell_cli.stress.baseline import Baseline
from agent_shell_cli.stress.chart import chart
from agent_shell_cli.stress.result import Result
from agent_shell_cli.stress.summary import Curves, curves, headline, rows, verdict

__all__ = ["as_json", "page", "place_of", "write"]

_STYLE = """
:root { color-scheme: light dark; --ink: #1c1e21; --quiet: #6b7280; --line: #d7dae0;
  --c0: #15803d; --c1: #c2410c; --c2: #2563eb; --paper: #fff; }
@media (prefers-color-scheme: dark) { :root { --ink: #e5e7eb; --quiet: #9ca3af; --line: #374151;
  --c0: #4ade80; --c1: #fb923c; --c2: #60a5fa; --paper: #111418; } }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem;
  color: var(--ink); background: var(--paper); }
.ok { color: var(--c0); font-weight: 600; } .fault { color: var(--c1); font-weight: 600; }
table { border-collapse: collapse; } th { text-align: left; font-weight: 500; }
th, td { border-top: 1px solid var(--line); padding: .2rem 1rem .2rem 0; vertical-align: top; }
svg { width: 100%; height: auto; } h2 { font-size: 1rem; margin: 2rem 0 .2rem; }
.key span { margin-right: 1rem; } .key i { display: inline-block; width: 1rem; height: 3px;
  margin: 0 .4rem .25rem 0; } .key .c0 i { background: var(--c0); }
.key .c1 i { background: var(--c1); } .key .c2 i { background: var(--c2); }
polyline { fill: none; stroke-width: 2; } .grid { stroke: var(--line); fill: none; }
polyline.c0 { stroke: var(--c0); } polyline.c1 { stroke: var(--c1); }
polyline.c2 { stroke: var(--c2); } circle.c1 { fill: var(--c1); } circle.c2 { fill: var(--c2); }
text { fill: var(--quiet); font-size: 12px; } .y { text-anchor: end; } .x { text-anchor: middle; }
pre { overflow: auto; font-size: 12px; color: var(--quiet); }
"""


def place_of(path: str) -> Path:
    """Where the report is to be; raises `UsageError` where it could not be written."""
    place = expanded(path)
    problem = ""
    if place.is_dir():
        problem = "it is a folder; name a file in it"
    elif not place.parent.is_dir():
        problem = f"there is no folder {place.parent}"
    elif not os.access(place if place.exists() else place.parent, os.W_OK):
        problem = "it may not be written"
    if problem:
        raise UsageError(f"--report {path}: {problem}")
    return place


def write(place: Path, text: str) -> None:
    """Puts the page there, whole or not at all; raises `UsageError`."""
    draft = place.with_name(f".{place.name}.{secrets.token_hex(4)}")
    try:
        draft.write_text(text, encoding="utf-8")
        draft.replace(place)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise UsageError(f"--report {place}: it could not be written: {error.strerror}") from error


def as_json(result: Result, baselines: Sequence[Baseline]) -> dict[str, object]:
    """The object that `--json` prints; with what stands beside it, under `compare`."""
    plain = result.as_json()
    return {**plain, "compare": {b.kind: b.as_json() for b in baselines}} if baselines else plain


def page(result: Result, baselines: Sequence[Baseline]) -> str:
    """The whole page."""
    table = "".join(
        f"<tr><th>{escape(name)}</th><td>{escape(text)}</td></tr>"
        for name, text in rows(result, baselines)
    )
    figures = json.dumps(as_json(result, baselines), indent=2)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width">
<title>agent-shell stress</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>agent-shell stress</h1>
<p>{escape(headline(result))}</p>
<p class="{"ok" if result.ok else "fault"}">{escape(verdict(result))}</p>
<table>{table}</table>
{"".join(map(_section, curves(result, baselines)))}
<h2>All figures</h2>
<pre>{escape(figures)}</pre>
</body>
</html>
"""


def _section(curve: Curves) -> str:
    key = "".join(
        f'<span class="c{number}"><i></i>{escape(name)}</span>'
        for number, name in enumerate(("handoff", *curve.beside))
    )
    drawn = chart([curve.points, *curve.beside.values()])
    return f'<h2>{escape(curve.title)}, over handoffs</h2><p class="key">{key}</p>{drawn}'
