"""`agent-shell sessions export`: a session as Markdown, as a page or as JSON."""

from __future__ import annotations

import html
import json
import re
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from agent_shell import Entry
from agent_shell.agents.provider.steps import Said, Steered, Step, Used
from agent_shell.journal.sqlite import catalog
from agent_shell.paths import expanded
from agent_shell_cli.exits import UsageError
from agent_shell_cli.printable import printable, printable_line
from agent_shell_cli.sessions.document import Document, document_of, read, title_of
from agent_shell_cli.sessions.finding import find, require_file
from agent_shell_cli.sessions.output import as_json, iso, title_line, write, write_json
from agent_shell_cli.sessions.showing import outcome
from agent_shell_cli.sessions.steps import in_words

__all__ = ["export", "fenced"]


def export(path: Path, name: str, form: str, output: str | None) -> None:
    """Writes the session in the form `md`, `html` or `json`, to a file or standard output."""
    require_file(path)
    with catalog.reading(path) as c:
        document = read(c, path, find(c, name))
    if form == "json" and output is None:
        write_json(document_of(document))
        return
    text = _FORMS[form](document)
    if output is None:
        write(text.rstrip("\n"))
    else:
        _save(expanded(output), text)


def _save(path: Path, text: str) -> None:
    """Writes the file whole or not at all: an older one is only replaced by a complete one."""
    temporary: Path | None = None
    try:
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", newline="", dir=path.parent, prefix=".export-", delete=False
        ) as file:
            temporary = Path(file.name)
            file.write(text)
        temporary.replace(path)
    except OSError as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        raise UsageError(f"{path} can't be written: {error.strerror}; name another file") from error


def _json(document: Document) -> str:
    return as_json(document_of(document)) + "\n"


def _markdown(document: Document) -> str:
    title = title_line(title_of(document)) or document.status.key
    lines = [f"# {_inline(title)}", "", f"Session {_inline(document.status.key)}.", ""]
    for number, entry in enumerate(document.entries, 1):
        lines += [f"## {number}. {_inline(_head(entry))}", "", fenced(entry.text), ""]
        for step in document.steps(entry):
            lines += [*_step(step), ""]
    return "\n".join(lines)


def _step(step: Step) -> list[str]:
    match step:
        case Said():
            return ["Answer:", "", fenced(step.text, "markdown")]
        case Steered():
            return ["Steered by:", "", fenced(step.text)]
        case Used():
            arguments = fenced(json.dumps(step.arguments, ensure_ascii=False, indent=2), "json")
            result = ["", fenced(step.text)] if step.text else []
            return [f"Used {_inline(in_words(step))}", "", arguments, *result]


def fenced(text: str, language: str = "text") -> str:
    """`text` as a code block that nothing in it can end."""
    text = printable(text)
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def _inline(text: str) -> str:
    # What could begin markup, a link or an entity is only itself behind a backslash.
    return re.sub(r"([\\`*_{}\[\]<>#!|~&])", r"\\\1", printable_line(text))


def _head(entry: Entry) -> str:
    ended = iso(entry.ended_at) or iso(entry.accepted_at)
    return f"{outcome(entry)} · {ended}"


def _page(document: Document) -> str:
    title = html.escape(title_line(title_of(document)) or document.status.key)
    body = "\n".join(_article(entry, document.steps(entry)) for entry in document.entries)
    return _PAGE.replace("{title}", title, 2).replace("{body}", body, 1)


def _article(entry: Entry, steps: Sequence[Step]) -> str:
    return "\n".join(_parts(entry, steps))


def _parts(entry: Entry, steps: Sequence[Step]) -> Iterator[str]:
    yield f'<article id="{html.escape(printable_line(entry.id), quote=True)}">'
    yield f'<pre class="asked">{html.escape(printable(entry.text))}</pre>'
    for step in steps:
        match step:
            case Said():
                yield f"<pre>{html.escape(printable(step.text))}</pre>"
            case Steered():
                yield f'<pre class="asked">{html.escape(printable(step.text))}</pre>'
            case Used():
                summary = html.escape(printable_line(in_words(step)))
                yield f"<details><summary>{summary}</summary>"
                yield f"<pre>{html.escape(printable(step.text))}</pre></details>"
    yield f"<p>{html.escape(printable_line(_head(entry)))}</p>"
    yield "</article>"


# Nothing is loaded and nothing is run, whatever was said in the session.
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 48rem; margin: 2rem auto; padding: 0 1rem }
pre { font: inherit; white-space: pre-wrap; overflow-wrap: anywhere; margin: 0 0 .5rem }
article { border-top: 1px solid #8884; padding: 1rem 0 }
.asked { font-weight: 600 }
p { color: #777; font-size: .85rem; margin: 0 }
@media (prefers-color-scheme: dark) { body { background: #111; color: #ddd } }
</style>
</head>
<body>
<h1>{title}</h1>
{body}
</body>
</html>
"""

_FORMS = {"md": _markdown, "html": _page, "json": _json}
