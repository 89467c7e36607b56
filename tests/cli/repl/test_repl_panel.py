# ruff: noqa: RUF001 (the prompt sign is what is meant)
"""The queue under the fingers: choosing, editing, moving and promoting what waits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.document import Document

from agent_shell_cli.config import Settings
from agent_shell_cli.exits import Exit
from agent_shell_cli.repl.arranger import Arranger
from agent_shell_cli.repl.folding import Folds
from agent_shell_cli.repl.panel import Panel
from agent_shell_cli.repl.speaker import Speaker
from agent_shell_cli.repl.view import View
from agent_shell_cli.verbs import KEYS, Act, Mode
from support import StepAgent, new_session
from support_repl import ALT_ENTER, CTRL_C, CTRL_D, ENTER, UP, Stage, options, stage

ALT_UP, ALT_DOWN, CTRL_UP, CTRL_DOWN = "\x1b[1;3A", "\x1b[1;3B", "\x1b[1;5A", "\x1b[1;5B"
DELETE, ESC, CTRL_S = "\x1b[3~", "\x1b", "\x13"
ALT_D, ALT_I, ALT_N, ALT_Z = "\x1bd", "\x1bi", "\x1bn", "\x1bz"


async def queue(shell: Stage, *texts: str) -> None:
    """Sends inputs: the first one's turn runs, and the others wait."""
    shell.type(*(f"{text}{ENTER}" for text in texts))
    await shell.until(lambda: shell.agent.turns == [texts[0]])
    await shell.until(*(f"{place}  {text}" for place, text in enumerate(texts, 1)))


async def test_alt_up_and_down_choose_what_waits(tmp_path: Path) -> None:
    """Alt+Up begins at the newest; below it, Alt+Down comes back to the draft."""
    async with stage(tmp_path) as shell:
        await queue(shell, "one", "two", "three")
        shell.type("draft", ALT_UP)
        await shell.until("\n❯ 3  three\nEnter edits", "❯ draft")
        shell.type(ALT_UP)
        await shell.until("\n❯ 2  two\n  3  three\nEnter edits")
        shell.type(ALT_UP, ALT_DOWN, ALT_DOWN)
        await shell.until("  2  two\n  3  three\n❯ draft")


async def test_typing_is_about_the_draft_again(tmp_path: Path) -> None:
    """No letter is taken for a command: whoever types has left the chosen input."""
    async with stage(tmp_path) as shell:
        await queue(shell, "one", "two")
        shell.type(ALT_UP)
        await shell.until("❯ 2  two")
        shell.type("d")
        await shell.until("  2  two\n❯ d")


async def test_an_input_is_edited_in_its_place(tmp_path: Path) -> None:
    """It does not run meanwhile, what is behind it does, and the draft comes back to the letter."""
    async with stage(tmp_path) as shell:
        await queue(shell, "one", "two", "three")
        shell.type("my draft", ALT_UP, ALT_UP, ENTER)
        await shell.until("2  being edited · two", "editing 2: it waits", "\n2 ❯ two")
        shell.agent.end("first")
        await shell.until(lambda: shell.agent.turns == ["one", "three"])
        shell.type(" and more", ENTER)
        await shell.until("  2  two and more\n❯ my draft")
        shell.agent.end("third")
        await shell.until(lambda: shell.agent.turns == ["one", "three", "two and more"])


async def test_a_number_alone_begins_an_edit(tmp_path: Path) -> None:
    """`/edit 2` is what Enter on the chosen input is; a text behind it is put in at once."""
    async with stage(tmp_path) as shell:
        await queue(shell, "one", "two", "three")
        shell.type("/edit 2", ENTER)
        await shell.until("2  being edited · two", "\n2 ❯ two")
        shell.type("!", ENTER)
        await shell.until("  2  two!\n  3  three\n❯")
        shell.type("/edit 3 other", ENTER)
        await shell.until("  2  two!\n  3  other\n❯")


@pytest.mark.parametrize("key", [ESC, CTRL_C])
async def test_an_edit_can_be_given_up(tmp_path: Path, key: str) -> None:
    """Esc and Ctrl-C leave the input as it was; the turn goes on."""
    async with stage(tmp_path) as shell:
        await queue(shell, "one", "two")
        shell.type("draft", ALT_UP, ENTER, "xyz")
        await shell.until("\n2 ❯ twoxyz")
        shell.type(key)
        await shell.until("  2  two\n❯ draft")
        shell.agent.end("first")
        await shell.until(lambda: shell.agent.turns == ["one", "two"])


async def test_what_is_withdrawn_comes_back_in_its_place(tmp_path: Path) -> None:
    """Delete withdraws the chosen input, Alt+Z puts its text back where it was."""
    async with stage(tmp_path) as shell:
        await queue(shell, "one", "two", "three", "four")
        shell.type(ALT_UP, ALT_UP, DELETE)
        await shell.until("  2  two\n❯ 4  four\nEnter edits")
        shell.type(ALT_Z)
        await shell.until("  2  two\n  5  three\n❯ 4  four", "1 input back in the queue")


async def test_changes_are_taken_back_one_by_one(tmp_path: Path) -> None:
    """Edits, moves and withdrawals are undone in the opposite order, until none is left."""
    async with stage(tmp_path) as shell:
        await queue(shell, "one", "two", "three")
        shell.type("/edit 2 TWO", ENTER, "/move 3 1", ENTER, "/clear", ENTER)
        await shell.until("2 follow-ups withdrawn (/undo brings them back)")
        shell.type("/undo", ENTER)
        await shell.until("  4  three\n  5  TWO")
        shell.type("/undo", ENTER)
        await shell.until("that can't be taken back: it has started, or was withdrawn")
        shell.type("/undo", ENTER)
        await shell.until("  4  three\n  5  TWO\nthat can't")
        shell.type("/undo", ENTER)
        await shell.until("there is nothing to take back")


async def test_the_chosen_input_is_moved(tmp_path: Path) -> None:
    """Ctrl+Up and Ctrl+Down move it by one place, Alt+N to the head of the queue."""
    async with stage(tmp_path) as shell:
        await queue(shell, "one", "two", "three", "four")
        shell.type(ALT_UP, CTRL_UP)
        await shell.until("  2  two\n❯ 4  four\n  3  three\n")
        shell.type(CTRL_DOWN)
        await shell.until("  2  two\n  3  three\n❯ 4  four\n")
        shell.type(ALT_N)
        await shell.until("❯ 4  four\n  2  two\n  3  three\n")
        shell.agent.end("first")
        await shell.until(lambda: shell.agent.turns == ["one", "four"])


async def test_the_chosen_input_steers_the_turn(tmp_path: Path) -> None:
    """Ctrl+S gives it to the running turn, which takes it in at its next safe point."""
    async with stage(tmp_path) as shell:
        await queue(shell, "one", "two", "three")
        shell.type(ALT_UP, CTRL_S)
        await shell.until("↳ 3  three\n  2  two\n❯")
        shell.agent.say("more")
        await shell.until("↳ 3  three\nmore\n  2  two")


async def test_the_chosen_input_interrupts_the_turn(tmp_path: Path) -> None:
    """Alt+I stops the running turn and runs it instead; the queue is not held."""
    async with stage(tmp_path) as shell:
        await queue(shell, "one", "two", "three")
        shell.type(ALT_UP, ALT_I)
        await shell.until("interrupted by a newer input", "❯ 3  three\n  2  two")
        assert shell.agent.turns == ["one", "three"]


async def test_the_same_by_commands(tmp_path: Path) -> None:
    """What the keys do to the chosen input, commands do to one that is named by its number."""
    async with stage(tmp_path) as shell:
        await queue(shell, "one", "two", "three", "four")
        shell.type("/next 4", ENTER)
        await shell.until("  4  four\n  2  two\n  3  three\n❯")
        shell.type("/move 2 3", ENTER)
        await shell.until("  4  four\n  3  three\n  2  two\n❯")
        shell.type("/steer 2", ENTER)
        await shell.until("↳ 2  two\n  4  four\n  3  three\n❯")
        shell.type("/interrupt 3", ENTER)
        await shell.until(lambda: shell.agent.turns == ["one", "three"])
        await shell.until("❯ 3  three\n  2  steer · two\n  4  four\n❯")


async def test_an_input_that_has_just_started_is_not_changed(tmp_path: Path) -> None:
    """The item is addressed by its id; the user is told that it has started."""
    async with stage(tmp_path) as shell:
        await queue(shell, "one", "two")
        shell.agent.end("first")
        await shell.until(lambda: shell.agent.turns == ["one", "two"])
        shell.type("/edit 2 other", ENTER)
        await shell.until("number 2 has started already: Esc interrupts it")
        shell.type("/drop 1", ENTER)
        await shell.until("number 1 does not wait: it has ended or never was")


async def test_what_waits_behind_a_model_that_there_is_not_is_held(tmp_path: Path) -> None:
    """It was meant for that model: the one that answered before does not get it."""
    async with stage(tmp_path) as shell:
        await queue(shell, "one", "/model nope", "for that model")
        shell.agent.end("first")
        await shell.until("no model is called 'nope'", "1 follow-up is held", "  3  for that model")
        assert shell.agent.turns == ["one"]
        shell.type(ENTER)
        await shell.until(lambda: shell.agent.turns == ["one", "for that model"])


async def test_the_choice_ends_when_the_chosen_one_starts(tmp_path: Path) -> None:
    """No key acts on another input because the queue moved underneath."""
    async with stage(tmp_path) as shell:
        await queue(shell, "one", "two", "three")
        shell.type(ALT_UP, ALT_UP)
        await shell.until("❯ 2  two\n  3  three")
        shell.agent.end("first")
        await shell.until("❯ 2  two\n  3  three\nwhat was chosen does not wait any more: Esc")
        shell.type(DELETE)
        await shell.until("number 2 has started already: Esc interrupts it\n❯")
        shell.type("x")
        await shell.until("  3  three\n❯ x")


@pytest.mark.parametrize("key", [ENTER, CTRL_S, CTRL_C, ESC, ALT_N])
async def test_a_key_for_what_was_chosen_does_nothing_else(tmp_path: Path, key: str) -> None:
    """It may be on its way when the chosen input starts: draft and turn stay as they are."""
    async with stage(tmp_path) as shell:
        await queue(shell, "one", "two")
        shell.type("half a draft", ALT_UP)
        await shell.until("❯ 2  two\nEnter edits")
        shell.agent.end("first")
        await shell.until("what was chosen does not wait any more")
        shell.type(key)
        await shell.until(lambda: "what was chosen" not in shell.screen.text)
        shell.type("!")
        await shell.until("❯ 2  two\n❯ half a draft!")
        assert shell.agent.turns == ["one", "two"]
        shell.type(ENTER)  # and the next key is about the draft
        await shell.until("  3  half a draft!\n❯")


@pytest.mark.parametrize("key", [ALT_N, ALT_I, "\x1bq", "\x1b[3;3~"])
async def test_no_key_with_alt_is_taken_for_an_esc(tmp_path: Path, key: str) -> None:
    """One that means nothing now says so: neither the turn nor an edit ends by it."""
    async with stage(tmp_path) as shell:
        await queue(shell, "one", "two")
        shell.type("draft", key)
        await shell.until("means nothing here\n❯ draft")
        shell.type(ALT_UP, ENTER, "!", key)
        await shell.until("Alt+", "means nothing here\n", "\n2 ❯ two!")
        shell.type(ENTER)
        await shell.until("  2  two!\n❯ draft")
        shell.agent.end("first")
        await shell.until(lambda: shell.agent.turns == ["one", "two!"])


async def test_what_comes_quickly_behind_an_esc_is_not_lost(tmp_path: Path) -> None:
    """A paste, or a second Esc, is no key with Alt, though it comes in one piece with the Esc."""
    async with stage(tmp_path) as shell:
        await queue(shell, "one", "two")
        shell.type(f"{ESC}\x1b[200~pasted\x1b[201~")
        await shell.until("✗ interrupted", "❯ pasted")
        shell.type(ALT_UP, f"{ESC}{ESC}")
        await shell.until("\n  2  two\n‖", "❯ pasted")


async def test_esc_and_enter_are_about_the_menu_first(tmp_path: Path, monkeypatch) -> None:
    """While an input is edited too: what was changed in it is not lost with the menu."""
    (tmp_path / "panel.py").write_text("")
    monkeypatch.chdir(tmp_path)
    async with stage(tmp_path) as shell:
        await queue(shell, "one", "two")
        shell.type(ALT_UP, ENTER, " @pa")
        await shell.until("\n2 ❯ two @pa", "panel.py")
        shell.type(ESC)
        await shell.until(lambda: "panel.py" not in shell.screen.text)
        shell.type("n")
        await shell.until("\n2 ❯ two @pan\n", "     panel.py")
        shell.type("\t")
        await shell.until("\n2 ❯ two @panel.py\n")
        shell.type(ENTER)
        await shell.until(lambda: shell.screen.text.endswith("\n2 ❯ two @panel.py"))
        shell.type(ENTER)
        await shell.until("  2  two @panel.py\n❯")


async def test_the_first_esc_of_vi_leaves_no_edit(tmp_path: Path) -> None:
    """It leaves the insertion, as everywhere in vi; the second one leaves the edit."""
    chosen = replace(options(), settings=Settings(status=(), keys="vi"))
    async with stage(tmp_path, chosen) as shell:
        await queue(shell, "one", "two")
        shell.type("/edit 2", ENTER)
        await shell.until("\n2 ❯ two")
        shell.type(f"{ESC}0x")
        await shell.until("\n2 ❮ wo")
        shell.type(ESC)
        await shell.until("  2  two\n❮")


@pytest.mark.parametrize("how", ["/edit 2 {}", "{}"])
async def test_who_answers_an_input_is_not_changed_by_an_edit(tmp_path: Path, how: str) -> None:
    """A line for the shell stays one, and no input for the model is taken for one."""
    async with stage(tmp_path) as shell:
        await queue(shell, "one", "!echo two")
        if how == "{}":
            shell.type("/edit 2", ENTER)
            await shell.until("2 ❯ !echo two")
        shell.type("\x15", how.format("hello"), ENTER)
        await shell.until("number 2 is a line for the shell: it stays a !COMMAND or /model NAME")
        shell.type("\x15", how.format("!echo three"), ENTER)
        await shell.until("  2  !echo three\n❯")
        shell.agent.end("first")
        await shell.until("\nthree\n❯")
        await queue_more(shell, "four", "five")
        for command in ("!ls", "/drop 4", "/model echo", "/nope"):
            shell.type("/edit 4", ENTER)
            await shell.until("4 ❯ five")
            shell.type("\x15", command, ENTER)
            await shell.until("number 4 is for the model, and no command can take its place")
            shell.type(ESC)
            await shell.until("  4  five\n❯")


async def queue_more(shell: Stage, running: str, waiting: str) -> None:
    """The same as `queue`, behind two inputs that have ended."""
    shell.type(running, ENTER, waiting, ENTER)
    await shell.until(f"❯ 3  {running}", f"  4  {waiting}\n❯")


async def test_a_line_for_the_shell_steers_no_model(tmp_path: Path) -> None:
    """It would be told to the model as a text, and not be run."""
    async with stage(tmp_path) as shell:
        await queue(shell, "one", "!echo two")
        shell.type("/steer 2", ENTER)
        await shell.until("number 2 is a line for the shell: it can't steer\n❯")
        shell.type(ALT_UP, CTRL_S)
        await shell.until("  2  !echo two\nnumber 2 is a line for the shell: it can't steer\n❯")
        shell.agent.end("first")
        await shell.until("\ntwo\n❯")


async def test_a_turn_is_not_run_again_twice(tmp_path: Path) -> None:
    """A second `/retry` has nothing to run, until what the first one sent has failed too."""
    async with stage(tmp_path) as shell:
        await queue(shell, "one")
        shell.type(ESC)
        await shell.until("✗ interrupted")
        shell.type("/retry", ENTER)
        await shell.until("❯ 2  one")
        shell.type("/retry", ENTER)
        await shell.until(
            "/retry is for a turn that was cut off or not answered, and there is none"
        )
        shell.type(ESC)
        await shell.until(lambda: shell.screen.text.count("✗ interrupted") == 2)
        shell.type(ENTER)
        await shell.until("❯ 3  one")


async def test_what_is_being_written_outlives_the_terminal(tmp_path: Path) -> None:
    """The draft, and the text of an input that was being edited, are among the earlier inputs."""
    async with stage(tmp_path) as shell:
        await queue(shell, "one", "two")
        shell.type("a long draft", ALT_UP, ENTER, " edited")
        await shell.until("\n2 ❯ two edited")
        shell.hang_up()
        await shell.code()
    async with stage(tmp_path) as shell:
        shell.type(UP)
        await shell.until("❯ a long draft")
        shell.type(UP)
        await shell.until("❯ two edited")


class FakeSpeaker:
    """Keeps what is said."""

    linear = False

    def __init__(self) -> None:
        self.notices: list[str] = []

    def notice(self, text: str) -> None:
        self.notices.append(text)

    def refresh(self) -> None:
        pass


async def test_what_is_edited_while_it_is_withdrawn_stays_in_the_draft() -> None:
    """Nothing typed is lost: Enter sends it as a new input, and then the draft comes back."""
    engine, session = new_session(StepAgent())
    await session.submit("one")
    id = (await session.submit("two")).id
    view, speaker, draft = View(), cast("Speaker", FakeSpeaker()), Buffer()
    panel = Panel(Arranger(session, view, speaker), view, speaker, draft, Folds(10, 2000))
    draft.document = Document("my draft", 2)
    panel.act(Act.UP, [id])
    panel.act(Act.EDIT, [id])
    assert (panel.mode, draft.text) == (Mode.EDITING, "two")
    draft.insert_text("!")
    session.remove(id)
    panel.gone(id)
    assert (panel.mode, draft.text) == (Mode.WRITING, "two!")
    panel.sent()
    assert draft.document == Document("my draft", 2)
    await engine.close(drain=False)


async def test_esc_interrupts_and_holds_the_queue(tmp_path: Path) -> None:
    """The draft is never touched, and an empty Enter goes on."""
    async with stage(tmp_path) as shell:
        await queue(shell, "one", "two")
        shell.type("draft")
        await shell.until("❯ draft")
        shell.type(ESC)
        await shell.until("✗ interrupted", "‖ held: the answer was interrupted", "\n❯ draft")
        shell.type(ESC)
        shell.type("\x15")
        await shell.until(lambda: shell.screen.text.endswith("\n❯"))
        shell.type(ENTER)
        await shell.until(lambda: shell.agent.turns == ["one", "two"])


async def test_ctrl_s_steers_with_the_draft(tmp_path: Path) -> None:
    """The draft is given to the running turn, whatever Enter means."""
    async with stage(tmp_path) as shell:
        await queue(shell, "one")
        shell.type("faster", CTRL_S)
        await shell.until("↳ 2  faster\n❯")
        shell.agent.say("ok")
        await shell.until("↳ 2  faster\nok\n❯")


async def test_the_chosen_one_is_in_sight_of_thousands(tmp_path: Path) -> None:
    """What does not fit is folded on both sides of the chosen input."""
    async with stage(tmp_path) as shell:
        await queue(shell, "go")
        shell.type(*(f"input {i}{ENTER}" for i in range(300)))
        await shell.until("… 292 more\n❯")
        shell.type(ALT_UP)
        await shell.until("… 292 more\n  294  input 292\n", "\n❯ 301  input 299\nEnter edits")
        shell.type(*[ALT_UP] * 100)
        await shell.until("❯ 201  input 199\n  202  input 200\n  … 99 more\n")


async def test_the_running_turn_is_named(tmp_path: Path) -> None:
    """Under the answer stand the input that runs, for how long, and about how much it has said."""
    async with stage(tmp_path) as shell:
        await queue(shell, "one")
        await shell.until("▸ 1 · ")
        shell.agent.say("x" * 400)
        await shell.until(lambda: any(line.endswith("≈ 100 tokens") for line in shell.screen.lines))


def test_no_key_means_two_things() -> None:
    """In each mode a sequence of keys has one meaning at most."""
    for mode in Mode:
        presses = [p for key in KEYS if key.act(mode) is not None for p in key.presses]
        assert len(presses) == len(set(presses))
    assert {act for key in KEYS for mode in Mode if (act := key.act(mode))} == set(Act)


async def test_an_edit_is_taken_back(tmp_path: Path) -> None:
    """The input has the text again that it had, and is answered by that."""
    async with stage(tmp_path) as shell:
        await queue(shell, "one", "two")
        shell.type("/edit 2 other", ENTER)
        await shell.until("  2  other\n")
        shell.type("/undo", ENTER)
        await shell.until("number 2 has its old text", "  2  two\n")
        shell.agent.end("first")
        await shell.until(lambda: shell.agent.turns == ["one", "two"])


async def test_steering_with_what_is_edited_is_said_to_mean_nothing(tmp_path: Path) -> None:
    """It opens no search in the middle of the edit."""
    async with stage(tmp_path) as shell:
        await queue(shell, "one", "two")
        shell.type("/edit 2", ENTER)
        await shell.until("\n2 ❯ two")
        shell.type(CTRL_S)
        await shell.until("Ctrl+S means nothing here\nediting 2", "\n2 ❯ two")


@pytest.mark.parametrize("key", ["\x0f", "\x1b#"])
async def test_no_key_that_is_not_named_ends_the_shell(tmp_path: Path, key: str) -> None:
    """Ctrl+O and Alt+# accept a line elsewhere: here the draft and the turn stay."""
    async with stage(tmp_path) as shell:
        await queue(shell, "one", "two")
        shell.type("draft", key)
        await shell.until("means nothing here\n❯ draft")
        assert shell.agent.turns == ["one"]
        shell.agent.end("first")
        await shell.until(lambda: shell.agent.turns == ["one", "two"])


async def test_alt_enter_on_a_choice_is_about_the_draft(tmp_path: Path) -> None:
    """It is a new line in it, as whatever is typed is."""
    async with stage(tmp_path) as shell:
        await queue(shell, "one", "two")
        shell.type("draft", ALT_UP, ALT_ENTER, "more")
        await shell.until("  2  two\n❯ draft\n  more")


async def test_ctrl_d_ends_no_turn(tmp_path: Path) -> None:
    """On a choice it leaves when the queue is done, as always; in an edit that is empty, never."""
    async with stage(tmp_path) as shell:
        await queue(shell, "one", "two")
        shell.type(ALT_UP, ENTER, "\x15", CTRL_D)
        await shell.until("Ctrl+D means nothing here\nediting 2")
        shell.type(ESC)
        await shell.until("  2  two\n❯")
        shell.type(ALT_UP, CTRL_D)
        await shell.until("  2  two\nleaving after 2 follow-ups")
        shell.agent.end("first")
        await shell.until(lambda: shell.agent.turns == ["one", "two"])
        shell.agent.end("second")
        assert await shell.code() == Exit.OK


async def test_what_comes_back_is_ahead_of_what_it_was_ahead_of(tmp_path: Path) -> None:
    """Also when some of what it had waited behind has run, and when something else came in."""
    async with stage(tmp_path) as shell:
        await queue(shell, "one", "two", "three", "four", "five")
        shell.type("/move 5 2", ENTER, "/drop 3", ENTER)
        await shell.until("  2  two\n  5  five\n  4  four\n❯")
        shell.agent.end("first")
        await shell.until("❯ 2  two\n  5  five\n  4  four\n❯")
        shell.agent.end("second")
        await shell.until("❯ 5  five\n  4  four\n❯")
        shell.type("/undo", ENTER)
        await shell.until("❯ 5  five\n  6  three\n  4  four\n")
        shell.type("/clear", ENTER, "seven", ENTER)
        await shell.until("  7  seven\n❯")
        shell.type("/undo", ENTER)
        await shell.until("  8  three\n  9  four\n  7  seven\n")
        shell.type("/move 9 3", ENTER)
        await shell.until("  8  three\n  7  seven\n  9  four\n")
        shell.agent.end("fifth")
        await shell.until("❯ 8  three\n  7  seven\n  9  four\n")
        shell.type("/undo", ENTER)
        await shell.until("❯ 8  three\n  9  four\n  7  seven\n")
