"""What a session has from before: it is said, and runs first, for nobody is there to decide."""

from __future__ import annotations

from agent_shell import FollowUp, Journal, Session
from agent_shell_cli.counting import counted
from agent_shell_cli.options import ChatOptions, OnInterrupted, OutputForm
from agent_shell_cli.printable import printable_line
from agent_shell_cli.scripted.outputs import Output
from agent_shell_cli.scripted.report import Report

__all__ = ["take_up"]


async def take_up(
    session: Session, journal: Journal, options: ChatOptions, report: Report, output: Output
) -> bool:
    """Lets what waits from before run, in its order; whether there is any.

    A turn that was cut off runs again with `--interrupted retry`; else its follow-up
    gets its receipt and no turn. Raises `JournalError`.
    """
    if session.hold is None:
        return False
    if options.output is OutputForm.JSON:
        output.restored(await _all_of(session, journal))
    _decide_on_cut_off(session, options, report)
    waiting = session.waiting_count
    if waiting:
        verb = "is" if waiting == 1 else "are"
        report.say(
            f"{counted(waiting, 'follow-up')} {verb} in session {options.session!r} from before; "
            f"{'it runs' if waiting == 1 else 'they run'} first"
        )
    session.release("scripted mode")
    return waiting > 0


def _decide_on_cut_off(session: Session, options: ChatOptions, report: Report) -> None:
    cut_off = session.cut_off
    if cut_off is None:
        return
    what = f"turn {cut_off.turn} ({cut_off.id} {printable_line(cut_off.text, 40)!r}) was cut off"
    if options.interrupted is OnInterrupted.RETRY:
        report.say(f"{what}; it runs again")
    else:
        report.say(f"{what}; it is skipped (--interrupted retry runs such a turn again)")
        session.skip_cut_off()


async def _all_of(session: Session, journal: Journal) -> list[FollowUp]:
    """What waits, also beyond what the session has in memory."""
    if session.waiting_count == len(session.waiting):
        return list(session.waiting)
    return await journal.fetch(session.key, None, session.waiting_count)
