"""The program: from the arguments to an exit code.

Thin on purpose, for it is loaded before all else: what is asked for says what is needed.
"""

from __future__ import annotations

import errno
import itertools
import os
import sys
import warnings
from collections.abc import Iterator

from agent_shell_cli.starting import importing

__all__ = ["main"]


def _with_command(arguments: list[str]) -> list[str]:
    """The arguments with what they leave out: a command, and the ID of `--resume`.

    No command is `chat`; `--stress` instead of one is `stress`.
    """
    arguments = list(_with_id(arguments))
    if arguments and not arguments[0].startswith("-"):
        return arguments
    if "--stress" in arguments:
        return ["stress", *(argument for argument in arguments if argument != "--stress")]
    if arguments and arguments[0] in _ROOT_OPTIONS:
        return arguments
    return ["chat", *arguments]


def _with_id(arguments: list[str]) -> Iterator[str]:
    # Options whose value may be left out are none of typer's.
    for argument, behind in itertools.zip_longest(arguments, arguments[1:], fillvalue="-"):
        yield argument
        if argument == "--resume" and behind.startswith("-"):
            from agent_shell_cli.resuming import CHOOSE

            yield CHOOSE


_ROOT_OPTIONS = ("-h", "--help", "--version", "--install-completion", "--show-completion")
# Set by the shell that asks what a word could become.
_COMPLETION = "_AGENT_SHELL_COMPLETE"
_NO_ROOM = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.EIO)


def main() -> None:
    """The program: runs what the command line says and ends with the right exit code."""
    if not sys.warnoptions:  # what libraries warn of is for who writes programs
        warnings.simplefilter("ignore")
    try:
        arguments = _with_command(sys.argv[1:])
        with importing():
            from agent_shell_cli.command_line import command_line

            program = command_line(_named(arguments))
        program(arguments, prog_name="agent-shell")
    except KeyboardInterrupt:
        sys.exit(130)  # perhaps before there was anything that could name it
    except BrokenPipeError:
        sys.exit(1)
    except Exception as error:
        sys.exit(_failed(error))
    finally:
        _let_ctrl_c_end_it()


def _let_ctrl_c_end_it() -> None:
    """All is in order, and the interpreter ends: one Ctrl-C more would be a traceback in it."""
    import signal

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def _named(arguments: list[str]) -> str | None:
    """The command that is called; `None` where all are to be known, as for the help."""
    return None if _COMPLETION in os.environ else arguments[0]


def _failed(error: Exception) -> int:
    """Says what ended the program; the exit code."""
    from agent_shell import AgentShellError
    from agent_shell_cli.exits import Exit, exit_of

    if isinstance(error, AgentShellError):
        _say(str(error))
        return exit_of(error)
    if isinstance(error, OSError) and error.filename is None and error.errno in _NO_ROOM:
        # What writes a file says so by itself.
        _say(f"standard output can't be written: {error.strerror}")
        return Exit.INCOMPLETE
    kind = type(error).__name__
    _say(f"internal error: {kind}: {error}; run again with --debug to see where")
    return Exit.INCOMPLETE


def _say(text: str) -> None:
    from agent_shell_cli.printable import printable

    stderr = sys.stderr
    if stderr is not None:  # as it is where the parent closed it
        if "--debug" in sys.argv:
            import traceback

            traceback.print_exc()
        print(f"agent-shell: {printable(text)}", file=stderr)
