"""Says which check of the explorer catches the fault in the copy that it runs over.

Prints a line of JSON: the check, the scene and after how many schedules; or that none did.
"""

from __future__ import annotations

import gc
import json
import sys
from pathlib import Path

sys.path.insert(1, str(Path(__file__).parents[1]))

from explorer.scenes import LARGE, SMALL
from explorer.search import Report, exhaust, walk

# Each round looks at every scene: first at little of each.
ROUNDS = ((2, 10), (15, 60), (40, 250))


def main() -> None:
    """Looks until something is broken; stops at round `argv[1]`."""
    gc.disable()  # collected between schedules
    schedules = 0
    for number, (walks, orders) in enumerate(ROUNDS[: int(sys.argv[1])]):
        for scene in [*SMALL, *LARGE]:
            reports: list[Report] = [walk(scene, number, walks)]
            if scene in SMALL and reports[0].failure is None:
                reports.append(exhaust(scene, schedules=orders))
            schedules += sum(report.schedules for report in reports)
            failure = reports[-1].failure
            if failure is not None:
                found = {"check": failure.invariant, "scene": scene.name, "seen": failure.seen}
                print(json.dumps({**found, "schedules": schedules}))
                return
    print(json.dumps({"check": None, "schedules": schedules}))


if __name__ == "__main__":
    main()
