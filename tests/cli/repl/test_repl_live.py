# ruff: noqa: RUF001 (the prompt sign is what is meant)
"""The live prompt as a user sees it, in this process, on a screen that obeys escapes."""

from __future__ import annotations

from pathlib import Path

import pyte
import pytest

from agent_shell import Lane, ModelUnreachable
from agent_shell_cli.exits import Exit
from agent_shell_cli.options import OnFailed
from campaign.terminals import Emulator
from support_repl import ALT_ENTER, CTRL_C, CTRL_D, ENTER, UP, Stage, options, stage


async def ask(shell: Stage, *texts: str) -> None:
    """Sends inputs and waits until the first one's turn runs and the others wait."""
    before = len(shell.agent.turns)
    shell.type(*(f"{text}{ENTER}" for text in texts))
    await shell.until(lambda: len(shell.agent.turns) > before)
    await shell.until(*(f"  {text}" for text in texts))


async def test_answer_streams_above_the_draft(tmp_path: Path) -> None:
    """An answer grows while a draft is typed; neither touches the other."""
    async with stage(tmp_path) as shell:
        await ask(shell, "hello")
        shell.agent.say("one ")
        shell.type("my dr")
        await shell.until("one", "❯ my dr")
        shell.agent.say("two\nthr")
        shell.type("aft")
        await shell.until("one two\nthr\n❯ my draft")
        shell.agent.end("ee")
        await shell.until("one two\nthree\n❯ my draft")


async def test_inputs_wait_in_numbered_lines_and_run_one_by_one(tmp_path: Path) -> None:
    """What is typed during an answer waits in sight, and each answer names its input."""
    async with stage(tmp_path) as shell:
        await ask(shell, "first", "second", "third")
        await shell.until("❯ 1  first", "\n  2  second\n  3  third\n❯")
        shell.agent.end("answer one")
        await shell.until("❯ 1  first\nanswer one\n\n❯ 2  second\n  3  third\n❯")
        shell.agent.end("answer two")
        shell.agent.end("answer three")
        await shell.until("❯ 2  second\nanswer two\n\n❯ 3  third\nanswer three\n❯")
        assert shell.agent.turns == ["first", "second", "third"]


async def test_many_waiting_inputs_are_folded(tmp_path: Path) -> None:
    """However many wait, the lines stay few and say how many more there are."""
    async with stage(tmp_path) as shell:
        await ask(shell, "go")
        shell.type(*(f"input {i}{ENTER}" for i in range(300)))
        await shell.until("… 292 more\n❯")


async def test_ctrl_c_clears_then_interrupts_then_leaves(tmp_path: Path) -> None:
    """Each Ctrl-C does the smallest thing that is left to do."""
    async with stage(tmp_path) as shell:
        await ask(shell, "first", "second")
        shell.agent.say("partial")
        shell.type("draft")
        await shell.until("❯ draft", "partial")
        shell.type(CTRL_C)
        await shell.until(lambda: shell.screen.text.endswith("\n❯"))
        assert "interrupted" not in shell.screen.text
        shell.type(CTRL_C)
        await shell.until("partial\n✗ interrupted — 1 follow-up is held; /resume runs it")
        await shell.until("  2  second\n‖ held: the answer was interrupted")
        shell.type(CTRL_C)
        await shell.until("press Ctrl+C again to leave")
        shell.type(CTRL_C)
        assert await shell.code() == Exit.INCOMPLETE
        assert "1 follow-up dropped, which no turn answered:\n  2  second" in shell.screen.text


async def test_ctrl_c_warning_is_over_when_the_user_types(tmp_path: Path) -> None:
    """A key after the warning takes it back: the next Ctrl-C does not leave."""
    async with stage(tmp_path) as shell:
        shell.type(CTRL_C)
        await shell.until("press Ctrl+C again to leave")
        shell.type("x")
        await shell.until(lambda: shell.screen.text.endswith("\n❯ x"))
        shell.type(CTRL_C, CTRL_C)
        await shell.until("press Ctrl+C again to leave")


async def test_resume_and_empty_enter_go_on(tmp_path: Path) -> None:
    """After an interrupt the queue waits for `/resume` or an empty Enter."""
    async with stage(tmp_path) as shell:
        await ask(shell, "one", "two", "three")
        shell.type(CTRL_C)
        await shell.until("‖ held")
        shell.type(ENTER)
        await shell.until("❯ 2  two")
        shell.type(CTRL_C)
        await shell.until("interrupted — 1 follow-up")
        shell.type("/resume", ENTER)
        await shell.until("❯ 3  three")
        assert shell.agent.turns == ["one", "two", "three"]


async def test_input_after_an_interrupt_runs(tmp_path: Path) -> None:
    """An interrupt with nothing waiting does not hold the next input back."""
    async with stage(tmp_path) as shell:
        await ask(shell, "one")
        shell.type(CTRL_C)
        await shell.until("✗ interrupted\n❯")
        await ask(shell, "two")
        assert shell.agent.turns == ["one", "two"]


async def test_failure_holds_and_says_why(tmp_path: Path) -> None:
    """A failed turn keeps the queue, with its reason and what to do."""
    async with stage(tmp_path) as shell:
        await ask(shell, "one", "two")
        shell.agent.fail()
        await shell.until("✗ failed: the puppet's string broke — 1 follow-up is held")
        await shell.until("‖ held: the last turn failed")
        shell.type(ENTER)
        await shell.until("❯ 2  two")


async def test_unreachable_model_keeps_the_input(tmp_path: Path) -> None:
    """An input that no model could take goes back, and can be tried again."""
    async with stage(tmp_path) as shell:
        await ask(shell, "one")
        shell.agent.fail(ModelUnreachable("no weights"))
        await shell.until("✗ not answered: no weights — 1 follow-up is held")
        shell.type(ENTER)
        shell.agent.end("better")
        await shell.until("❯ 1  one\nbetter")


async def test_on_failure_stop_leaves(tmp_path: Path) -> None:
    """With `--on-failure stop` a failed turn ends the shell, which lists what is left."""
    async with stage(tmp_path, options(on_failure=OnFailed.STOP)) as shell:
        await ask(shell, "one", "two")
        shell.agent.fail()
        assert await shell.code() == Exit.INCOMPLETE
        assert "dropped, which no turn answered:\n  2  two" in shell.screen.text


async def test_clear_withdraws_what_waits(tmp_path: Path) -> None:
    """`/clear` empties the queue, says how many, and lets the answer go on."""
    async with stage(tmp_path) as shell:
        await ask(shell, "one", "two", "three")
        shell.type("/clear", ENTER)
        await shell.until("2 follow-ups withdrawn")
        shell.agent.end("done")
        await shell.until("done\n❯")
        shell.type("/clear", ENTER)
        await shell.until("nothing waits")
        shell.type(CTRL_D)
        assert await shell.code() == Exit.OK
        assert shell.agent.turns == ["one"]


async def test_hold_collects_inputs(tmp_path: Path) -> None:
    """`/hold` on an idle shell keeps what is typed until `/resume`."""
    async with stage(tmp_path) as shell:
        shell.type("/hold", ENTER)
        await shell.until("‖ held by you · /resume or Enter goes on")
        shell.type("one", ENTER, "two", ENTER, "/queue", ENTER)
        await shell.until("  1  one\n  2  two\n  1  one\n  2  two\n‖ held by you · 2 follow-ups")
        assert shell.agent.turns == []
        shell.type("/resume", ENTER)
        await shell.until("❯ 1  one")


async def test_ctrl_d_leaves_after_the_queue(tmp_path: Path) -> None:
    """Ctrl-D finishes what waits, says so, refuses more input, and ends with code 0."""
    async with stage(tmp_path) as shell:
        await ask(shell, "one", "two")
        shell.type(CTRL_D)
        await shell.until("leaving after 2 follow-ups · Ctrl+C leaves now")
        shell.type("more", ENTER)
        await shell.until("leaving: no more input is taken", "❯ more")
        shell.agent.end("answer one")
        shell.agent.end("answer two")
        assert await shell.code() == Exit.OK
        assert "❯ 2  two\nanswer two" in shell.screen.text


async def test_ctrl_c_while_leaving_leaves_now(tmp_path: Path) -> None:
    """The wait for the queue can be cut short; what is left is listed."""
    async with stage(tmp_path) as shell:
        await ask(shell, "one", "two")
        shell.agent.say("part")
        shell.type("/exit", ENTER)
        await shell.until("leaving after 2 follow-ups", "part")
        shell.type(CTRL_C)
        assert await shell.code() == Exit.INCOMPLETE
        text = shell.screen.text
        assert "part\n✗ interrupted: the shell was left" in text
        assert "1 follow-up dropped, which no turn answered:\n  2  two" in text


async def test_terminal_that_goes_away_ends_the_shell(tmp_path: Path) -> None:
    """When the keys end, the shell stops its turn and ends as if terminated."""
    async with stage(tmp_path) as shell:
        await ask(shell, "one", "two")
        shell.hang_up()
        assert await shell.code() == Exit.TERMINATED


async def test_steering_and_interrupting(tmp_path: Path) -> None:
    """`--busy` gives Enter its meaning during a turn."""
    async with stage(tmp_path / "a", options(busy=Lane.STEER)) as shell:
        await ask(shell, "one")
        shell.type("to the left", ENTER)
        await shell.until("❯ 1  one\n↳ 2  to the left\n❯")
        shell.agent.end("\nleft", "!")
        await shell.until("❯ 1  one\n↳ 2  to the left\nleft!\n❯")
    async with stage(tmp_path / "b", options(busy=Lane.INTERRUPT)) as shell:
        await ask(shell, "one")
        shell.type("two", ENTER)
        await shell.until("✗ interrupted by a newer input\n\n❯ 2  two")


async def test_several_lines_are_one_input(tmp_path: Path) -> None:
    """A paste keeps its lines, and Alt+Enter makes one."""
    async with stage(tmp_path) as shell:
        shell.type("\x1b[200~first\r\nsecond\rthird\x1b[201~", ALT_ENTER, "fourth")
        await shell.until("❯ first\n  second\n  third\n  fourth")
        shell.type(ENTER)
        await shell.until(lambda: shell.agent.turns == ["first\nsecond\nthird\nfourth"])


async def test_earlier_inputs_come_back(tmp_path: Path) -> None:
    """Up brings back what was sent, in this shell and in the next one."""
    async with stage(tmp_path) as shell:
        await ask(shell, "remember me")
        shell.type(UP)
        await shell.until("❯ remember me")
    async with stage(tmp_path) as shell:
        shell.type(UP)
        await shell.until("❯ remember me")


async def test_no_escape_reaches_the_terminal(tmp_path: Path) -> None:
    """What an input or an answer holds can neither steer the terminal nor reorder a line."""
    evil = "a\x1b]0;title\x07b\x1b[2Jc\u202ed\x9b31m"
    async with stage(tmp_path) as shell:
        shell.type("\x1b[200~", evil, "\x1b[201~")
        await shell.until("❯ a^[]0;title^Gb")
        shell.type(ENTER)
        shell.agent.say(evil, "\n", evil)
        await shell.until("a␛]0;title␇b␛[2Jc<U+202E>d<U+009B>31m\na␛]0")
        shell.agent.end()
        await shell.until(lambda: shell.screen.text.count("<U+202E>d<U+009B>31m\n") == 3)
        for forbidden in ("\x1b]", "\x07", "\x1b[2J", "\u202e", "\x9b"):
            assert forbidden not in shell.screen.raw


async def test_refused_input_comes_back(tmp_path: Path) -> None:
    """An input that can't be accepted is refused aloud and stays in the draft."""
    async with stage(tmp_path) as shell:
        shell.type("half \udcff", ENTER)
        await shell.until("not accepted: the text is not Unicode", "❯ half")
        assert shell.agent.turns == []


async def test_unknown_command_stays_in_the_draft(tmp_path: Path) -> None:
    """A mistyped command can be mended; it is not sent."""
    async with stage(tmp_path) as shell:
        shell.type("/qeue", ENTER)
        await shell.until("there is no command /qeue; did you mean /queue?", "❯ /qeue")
        assert shell.agent.turns == []


async def test_history_that_cannot_be_kept_is_said(tmp_path: Path) -> None:
    """A folder that can't be used is said, and the shell goes on."""
    (tmp_path / "file").write_text("")
    async with stage(tmp_path / "file") as shell:
        await ask(shell, "one")
        shell.agent.end("answer")
        await shell.until("inputs are not kept over restarts", "answer")


async def test_prompt_of_the_command_line_is_the_first_input(tmp_path: Path) -> None:
    """`agent-shell chat PROMPT` answers it first."""
    async with stage(tmp_path, options(prompt="first of all")) as shell:
        shell.agent.end("yes")
        await shell.until("❯ 1  first of all\nyes")


async def test_no_cursor_position_is_asked_for(tmp_path: Path) -> None:
    """A terminal that can't say where its cursor stands costs no wait and no warning."""
    async with stage(tmp_path) as shell:
        await ask(shell, "one")
        assert "\x1b[6n" not in shell.screen.raw


async def test_finished_text_and_prompt_change_in_one_write(tmp_path: Path) -> None:
    """A commit never leaves the tail nowhere, or the pasting of lines switched off."""
    async with stage(tmp_path) as shell:
        await ask(shell, "one")
        for i in range(20):
            shell.agent.say(f"line {i}\n")
            await shell.until(f"line {i}\n")
        shell.agent.say(*(f"{'long ' * 15}{i}\n\n" for i in range(60)))  # more than one write
        await shell.until("long 59\n")
        off, on = "\x1b[?2004l", "\x1b[?2004h"
        assert all(on in write.partition(off)[2] for write in shell.writes if off in write)


async def test_cursor_rests_at_the_top_of_the_frame_while_an_answer_grows(tmp_path: Path) -> None:
    """There a resize cannot move the frame away from it; a cell of the draft stands for it."""
    async with stage(tmp_path) as shell:
        await ask(shell, "one")
        shell.agent.say("grows")
        shell.type("dra")
        await shell.until("grows", "❯ dra")
        screen = shell.screen.screen
        row = next(y for y, line in enumerate(screen.display) if line.startswith("❯ dra"))
        assert screen.display[screen.cursor.y].startswith("grows")
        assert screen.cursor.x == 0
        assert screen.cursor.hidden
        assert screen.buffer[row][5].reverse
        shell.agent.end()
        await shell.until(lambda: not screen.cursor.hidden and screen.cursor.x == 5)
        assert screen.display[screen.cursor.y].startswith("❯ dra")
        assert not screen.buffer[screen.cursor.y][5].reverse


@pytest.mark.parametrize("key", ["x", ALT_ENTER], ids=["the same rows", "one row more"])
async def test_window_too_low_for_the_frame_keeps_no_row_of_it(tmp_path: Path, key: str) -> None:
    """Also while the terminal has not told that it is low: tmux takes a quarter of a second."""
    async with stage(tmp_path, size=(40, 80)) as shell:
        await ask(shell, "one")
        shell.agent.say("\n".join(f"tail {i}" for i in range(6)))
        shell.type(*(f"waits {i}{ENTER}" for i in range(9)), "dra")
        await shell.until("tail 0\n", "  10  waits 8\n❯ dra")
        window = Emulator(40, 80)
        stream = pyte.Stream(window)
        stream.feed(shell.screen.raw)
        window.resize(10, 80)
        drawn = len(shell.screen.raw)
        shell.type(key, "ft")
        await shell.until("❯ draxft" if key == "x" else "❯ dra\n  ft")
        stream.feed(shell.screen.raw[drawn:])
        shown = window.everything()
        assert [shown.count(line) for line in ("❯ 1  one", "tail 0", "tail 5")] == [1, 1, 1]
        assert window.display[window.cursor.y].rstrip() == "tail 0"  # what comes next begins there
