"""Searches the schedules of the engine for one that breaks an invariant.

    python tests/explorer/run.py                        every scene
    python tests/explorer/run.py steer "two processes"  these
    python tests/explorer/run.py --replay story.txt     a story that was printed

Small scenes are tried in every order, large ones by `--walks` chosen from `--seed`.
"""

from __future__ import annotations

import argparse
import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from explorer.scenes import LARGE, SCENES
from explorer.search import Report, exhaust, replay, shrink, walk
from explorer.witness import Broken


def main() -> int:
    """The command; 1 where something is broken."""
    options = _options()
    if options.replay:
        return _replay(options.replay)
    failed = 0
    print(f"seed {options.seed}")
    for name in options.scenes or SCENES:
        scene = SCENES[name]
        if scene in LARGE or options.by_chance:
            report = walk(scene, options.seed, options.walks)
        else:
            report = exhaust(scene, schedules=options.schedules, depth=options.depth)
        print(_line(report), flush=True)
        if report.failure is not None:
            failed += 1
            print(shrink(scene, report.failure).story(), flush=True)
    return 1 if failed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("scenes", nargs="*", metavar="SCENE", help=", ".join(SCENES))
    parser.add_argument("--depth", type=int, help="steps of a schedule, at most")
    parser.add_argument("--schedules", type=int, help="of a small scene, at most")
    parser.add_argument("--walks", type=int, default=1000, help="of a large scene (1000)")
    parser.add_argument("--by-chance", action="store_true", help="walk the small ones too")
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    parser.add_argument("--replay", metavar="FILE", help="play a story (- for standard input)")
    options = parser.parse_args()
    unknown = [name for name in options.scenes if name not in SCENES]
    if unknown:
        parser.error(f"there is no scene {unknown[0]!r}; there are: {', '.join(SCENES)}")
    return options


def _line(report: Report) -> str:
    kind = "all" if report.complete else "some"
    cut = f", {report.cut:,} cut off at the depth" if report.cut else ""
    result = report.failure.invariant + " BROKEN" if report.failure else "holds"
    return (
        f"{report.scene:26} {result}: {report.schedules:,} schedules ({kind}{cut}), "
        f"{report.states:,} states, {report.steps:,} steps, {report.seconds:.1f} s"
    )


def _replay(name: str) -> int:
    story = sys.stdin.read() if name == "-" else Path(name).read_text()
    scenes = [line.split(": ", 1)[1] for line in story.splitlines() if line.startswith("scene: ")]
    if len(scenes) != 1 or scenes[0] not in SCENES:
        print(f"{name} is no story: its first line must be 'scene: ' and the name of one")
        return 2
    try:
        replay(SCENES[scenes[0]], story)
    except Broken as broken:
        print(f"{broken.invariant} is broken: {broken.seen}")
        return 1
    print("nothing is broken")
    return 0


if __name__ == "__main__":
    sys.exit(main())
