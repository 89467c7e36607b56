"""Says which check of the explorer catches the fault in the copy that it runs over.

Prints a line of JSON: the check, the scene and after how many schedules; or that none did.
"""

from __future__ import annotations

import gc
import json
import sys
from pathlib import Path

sys.path.insert(1, str(Path(__file__).parents[1]))

from explorer.scenes import LARGE, SCENES, SMALL
from explorer.search import Report, exhaust, replay, walk
from explorer.stories import STORIES, scene_of
from explorer.witness import Broken

# Each round looks at every scene: first at little of each.
ROUNDS = ((2, 10), (15, 60), (40, 250))


def main() -> None:
    """Looks until something is broken; stops at round `argv[1]`."""
    gc.disable()  # collected between schedules
    for schedules, story in enumerate(STORIES.values(), 1):
        try:
            replay(SCENES[scene_of(story)], story)
        except Broken as broken:
            _say(broken.invariant, f"a story of {scene_of(story)}", broken.seen, schedules)
            return
    schedules = len(STORIES)
    for number, (walks, orders) in enumerate(ROUNDS[: int(sys.argv[1])]):
        for scene in [*SMALL, *LARGE]:
            reports: list[Report] = [walk(scene, number, walks)]
            if scene in SMALL and reports[0].failure is None:
                reports.append(exhaust(scene, schedules=orders))
            schedules += sum(report.schedules for report in reports)
            failure = reports[-1].failure
            if failure is not None:
                _say(failure.invariant, scene.name, failure.seen, schedules)
                return
    _say(None, "", "", schedules)


def _say(check: str | None, scene: str, seen: str, schedules: int) -> None:
    print(json.dumps({"check": check, "scene": scene, "seen": seen, "schedules": schedules}))


if __name__ == "__main__":
    main()
