"""What the README says is what the program does."""

from __future__ import annotations

from pathlib import Path

from agent_shell_cli.verbs import tables_for_readme

README = Path(__file__).parents[1] / "README.md"


def test_the_keys_and_commands_are_those_of_the_program() -> None:
    """The README's tables are made from the table that the bindings and `/help` read.

    After a change of it: `python -c "from agent_shell_cli.verbs import tables_for_readme;
    print(tables_for_readme())"`, between the two marks.
    """
    text = README.read_text(encoding="utf-8")
    shown = text.partition("<!-- keys -->\n")[2].partition("\n<!-- end -->")[0]
    assert shown == tables_for_readme()
