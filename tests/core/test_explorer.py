"""Whatever the order of events: the invariants hold after each step.

A small budget of what `tests/explorer/run.py` searches.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from agent_shell import transitions
from agent_shell.journal.sqlite import SqliteJournal
from explorer.scenes import LARGE, SCENES, SMALL
from explorer.search import exhaust, play, replay, shrink, walk
from explorer.store import Fold
from explorer.stories import STORIES, scene_of
from explorer.witness import Broken
from explorer.world import Scene, World

RUN = Path(__file__).parents[1] / "explorer" / "run.py"
TINY = ["merge", "remove", "move", "promote", "hold back", "hold back alone", "three people"]


@pytest.mark.parametrize("name", TINY)
def test_all_orders_of_a_tiny_scene(name: str):
    """Every order of what can happen was tried, and none breaks an invariant."""
    report = exhaust(SCENES[name])
    assert report.failure is None, report.failure.story()
    assert report.complete
    assert report.cut == 0


@pytest.mark.parametrize("scene", [s for s in SMALL if s.name not in TINY], ids=lambda s: s.name)
def test_some_orders_of_a_small_scene(scene: Scene):
    """Orders by chance, always the same ones."""
    report = walk(scene, seed=1, walks=25)
    assert report.failure is None, shrink(scene, report.failure).story()


@pytest.mark.parametrize("scene", LARGE, ids=lambda s: s.name)
def test_some_orders_of_a_large_scene(scene: Scene):
    """Users, agents, journals and signals that do all they can to each other."""
    report = walk(scene, seed=2, walks=12)
    assert report.failure is None, shrink(scene, report.failure).story()


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES.keys())
def test_what_once_went_wrong(story: str):
    """A schedule that broke an invariant, and was mended."""
    replay(SCENES[scene_of(story)], story)


def test_pruning_leaves_no_end_out():
    """With and without looking at states that were seen, a scene ends in the same ways."""
    scene = Scene("pruned", {"ann": ["submit a", "submit b"], "bob": ["stop"]}, instant=True)
    ends: dict[bool, set[str]] = {True: set(), False: set()}
    finish = World.finish
    for prune, found in ends.items():

        def end(world: World, found: set[str] = found) -> None:
            fold = world.store.fold("s")
            found.add(repr([(e.text, e.state, e.reason, e.answer) for e in fold.entries.values()]))
            finish(world)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(World, "finish", end)
            assert exhaust(scene, prune=prune).complete
    assert len(ends[True]) > 1
    assert ends[True] == ends[False]


def test_a_fault_is_found_shrunk_and_replayed(monkeypatch: pytest.MonkeyPatch):
    """The story of a failure is short, and fails again where it is played."""
    monkeypatch.setattr(transitions, "_set_guard", lambda state: None)
    scene = SCENES["a day"]
    report = walk(scene, seed=1, walks=10)
    assert report.failure is not None
    story = shrink(scene, report.failure)
    assert len(story.schedule) == 1
    with pytest.raises(Broken, match="guard-continuous"):
        replay(scene, story.story())


def test_the_same_schedule_gives_the_same_world():
    """Nothing depends on chance, the clock or the order in which objects were made."""
    scene = SCENES["a bad day"]
    schedule = ['ann submits "a"', 'ann submits "b"', "the journal records", 'bob steers with "f"']
    marks = set()
    for _ in range(2):
        world = World(scene)
        for line in schedule:
            world.do(next(a for a in world.actions() if a.label == line))
        marks.add(world.fingerprint())
        world.dispose()
    assert len(marks) == 1
    assert play(scene, schedule)[0] is None


@pytest.mark.parametrize("name", ["a bad day", "a long queue", "crash of a steered turn"])
async def test_the_file_restores_what_the_fake_restores(name: str, tmp_path: Path):
    """The same facts give the same queue and the same cut-off turn in a real journal."""
    for seed in range(4):
        journal = SqliteJournal(tmp_path / f"{seed}.sqlite", window=None, synchronous="NORMAL")
        fold, facts = Fold(), []
        for key, fact in _log(SCENES[name], seed):
            if fact is not None:
                facts.append(fact)
                fold.apply(fact)
                continue
            if facts:
                await journal.append(key, facts)
                facts = []
            await journal.release(key)
            restored = await journal.open(key)
            cut_off = fold.restore()
            assert restored.queue == fold.follow_ups()
            assert restored.turns == fold.turns
            assert (restored.cut_off and restored.cut_off.answer) == (cut_off and cut_off.answer)
        await journal.close()


def _log(scene: Scene, seed: int):
    """What a schedule by chance has left on the disk, with its take-overs and one more."""
    logs, dispose = [], World.dispose

    def keep(world: World) -> None:
        logs.append(world.store.log)
        dispose(world)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(World, "dispose", keep)
        assert walk(scene, seed, 1).failure is None
    return [*logs[0], ("s", None)]


def test_the_command(tmp_path: Path):
    """It says what it has searched; a story that it printed can be played again."""
    command = [sys.executable, str(RUN)]
    run = subprocess.run(
        [*command, "move", "--seed", "7"], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0
    assert "seed 7" in run.stdout
    assert "holds" in run.stdout
    (tmp_path / "story.txt").write_text('scene: move\n  ann submits "a"\n')
    replayed = subprocess.run(
        [*command, "--replay", str(tmp_path / "story.txt")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (replayed.returncode, replayed.stdout) == (0, "nothing is broken\n")
    wrong = subprocess.run([*command, "nowhere"], capture_output=True, check=False)
    assert wrong.returncode == 2
