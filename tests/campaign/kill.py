"""Kills the process that owns a journal at random instants, hundreds of times.

    python tests/campaign/kill.py --kills 300 --seed 1

The driver believes only what it was acknowledged. It prints what it found and one
JSON object; the exit code is 0 only if nothing was lost, doubled or out of order.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from campaign.crashes import Crashes
from campaign.owners import Owners


def report(crashes: Crashes, owners: Owners, seconds: float) -> dict[str, Any]:
    """All figures of a campaign, as one JSON object."""
    faults = crashes.ledger.counts() + owners.ledger.counts()
    return {
        "seed": crashes.seed,
        "kills": crashes.kills + owners.kills,
        "stops": owners.stops,
        "restarts": crashes.restarts + owners.take_overs,
        "commands": crashes.sent + owners.sent,
        "acknowledged": len(crashes.ledger.acknowledged) + len(owners.ledger.acknowledged),
        "receipts": len(crashes.ledger.receipts) + len(owners.ledger.receipts),
        "lost": faults["lost"],
        "duplicated": faults["duplicated"],
        "out_of_order": faults["out_of_order"],
        "two_at_once": faults["two_at_once"],
        "faults": dict(faults),
        "phases": dict(crashes.phases.most_common()),
        "take_over_ms": owners.times(),
        "stopped_with_the_lock": owners.with_lock,
        "elapsed_s": round(seconds, 1),
        "ok": not faults and owners.in_time(),
    }


def main() -> int:
    """Runs the campaign that the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=300, help="kills of a lone owner")
    parser.add_argument("--successions", type=int, default=30, help="rounds with two owners")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="only the JSON object")
    options = parser.parse_args()

    def progress(line: str) -> None:
        if not options.json:
            print(line, file=sys.stderr, flush=True)

    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="campaign-") as folder:
        for name in ("one", "two"):
            Path(folder, name).mkdir()
        crashes = Crashes(Path(folder, "one", "j.sqlite"), options.kills, options.seed, progress)
        crashes.run()
        owners = Owners(
            Path(folder, "two", "j.sqlite"), options.successions, options.seed, progress
        )
        owners.run()
    result = report(crashes, owners, time.monotonic() - begun)
    for kind, what in [*crashes.ledger.faults, *owners.ledger.faults][:40]:
        progress(f"{kind}: {what[:300]}")
    print(json.dumps(result, indent=2))
    return 0 if result["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
