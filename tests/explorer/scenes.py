"""The scenes: small ones, tried in every order, and large ones, walked by chance."""

from __future__ import annotations

from explorer.agent import Play
from explorer.world import Scene

__all__ = ["LARGE", "SCENES", "SMALL"]

_SLOW = Play(clean_up=True)
_SILENT = Play(("!say",))

SMALL = [
    Scene("three inputs", {"ann": ["submit a", "submit b", "submit c"]}),
    Scene(
        "three people",
        {"ann": ["submit a"], "bob": ["submit b"], "cleo": ["submit c"]},
        instant=True,
    ),
    Scene("stop", {"ann": ["submit a", "submit b", "release"], "bob": ["stop"]}),
    Scene(
        "slow clean-up",
        {"ann": ["submit a", "submit b"], "bob": ["stop", "release"], "cleo": ["submit c"]},
        {"": _SLOW},
        instant=True,
    ),
    Scene(
        "stubborn agent",
        {"ann": ["submit a", "submit b"], "bob": ["stop", "release"]},
        {"a": Play(("say", "say"), stubborn=True)},
    ),
    Scene("interrupt", {"ann": ["submit a", "submit b"], "bob": ["interrupt c"]}, {"a": _SLOW}),
    Scene(
        "two interrupts",
        {"ann": ["submit a", "interrupt b"], "bob": ["interrupt c", "steer d"]},
        {"a": _SLOW},
        instant=True,
    ),
    Scene(
        "steer",
        {"ann": ["submit a", "submit b"], "bob": ["steer c"]},
        {"a": Play(("steers", "say"))},
    ),
    Scene(
        "steers and a stop",
        {"ann": ["submit a", "steer b"], "bob": ["stop", "release"], "cleo": ["steer c"]},
        {"a": Play(("steers",), clean_up=True)},
        instant=True,
    ),
    Scene("merge", {"ann": ["submit a", "submit b", "merge c"], "bob": ["merge d"]}, instant=True),
    Scene("edit", {"ann": ["submit a", "submit b"], "bob": ["edit b", "edit a"]}),
    Scene(
        "remove",
        {"ann": ["submit a", "submit b"], "bob": ["remove b", "steer c", "remove c"]},
        instant=True,
    ),
    Scene(
        "move",
        {"ann": ["submit a", "submit b", "submit c"], "bob": ["move c 1", "move b 3"]},
        instant=True,
    ),
    Scene(
        "promote",
        {
            "ann": ["submit a", "submit b", "submit c"],
            "bob": ["promote c interrupt"],
            "cleo": ["promote b steer"],
        },
        {"a": Play(("steers", "say"))},
        instant=True,
    ),
    Scene(
        "hold back",
        {"ann": ["submit a", "submit b", "submit c"], "bob": ["back b", "let b"]},
        instant=True,
    ),
    Scene(
        "hold back alone",
        {"ann": ["submit a", "submit b"], "bob": ["back b", "interrupt c", "let b"]},
        {"a": _SLOW},
        instant=True,
    ),
    Scene("hold", {"ann": ["submit a", "submit b"], "bob": ["hold", "release"]}),
    Scene(
        "close after the queue",
        {"ann": ["submit a", "submit b"], "bob": ["close"], "cleo": ["submit c"]},
    ),
    Scene("close at once", {"ann": ["submit a", "submit b"], "bob": ["close now"]}, {"a": _SLOW}),
    Scene(
        "close a held one",
        {"ann": ["submit a", "submit b", "hold"], "bob": ["close"], "cleo": ["release"]},
        instant=True,
    ),
    Scene(
        "close with patience",
        {"ann": ["submit a", "submit b"], "bob": ["close soon"]},
        {"a": Play(("say", "say"), stubborn=True)},
        instant=True,
    ),
    Scene(
        "close twice",
        {"ann": ["submit a", "submit b"], "bob": ["close"], "cleo": ["close now"]},
        instant=True,
    ),
    Scene(
        "full queue",
        {"ann": ["submit a", "submit b", "submit c"], "bob": ["submit d", "steer e"]},
        limit=2,
        instant=True,
    ),
    Scene(
        "failing turn",
        {"ann": ["submit a", "submit b"], "bob": ["release"]},
        {"a": Play(("say", "fail"))},
    ),
    Scene(
        "failing turn goes on",
        {"ann": ["submit a", "submit b", "submit c"]},
        {"a": Play(("fail",)), "b": Play(("dies",))},
        goes_on=True,
    ),
    Scene(
        "failing clean-up",
        {"ann": ["submit a", "submit b"], "bob": ["stop", "release"]},
        {"a": Play(clean_up=True, breaks=True)},
    ),
    Scene(
        "failing observer",
        {"ann": ["watch 3", "submit a", "submit b"], "bob": ["watch 9"]},
        instant=True,
    ),
    Scene("failing journal", {"ann": ["submit a", "submit b"], "bob": ["release"]}, refusals=1),
    Scene(
        "failing journal, late",
        {"ann": ["submit a", "interrupt b"], "bob": ["steer c", "release"]},
        refusals=1,
    ),
    Scene(
        "failing journal, steered",
        {"ann": ["submit a", "steer b"]},
        {"a": Play(("steers", "!say"))},
        refusals=1,
    ),
    Scene(
        "budget",
        {"ann": ["submit a", "submit b", "submit c"], "bob": ["release"]},
        instant=True,
        turns=1,
    ),
    Scene(
        "failing journal, merge",
        {"ann": ["submit a", "submit b", "merge c"], "bob": ["release"]},
        refusals=1,
    ),
    Scene(
        "breaking journal",
        {"ann": ["submit a", "submit b"], "bob": ["steer c", "release"]},
        breaks=1,
        instant=True,
    ),
    Scene(
        "failing journal, close", {"ann": ["submit a", "submit b"], "bob": ["close"]}, refusals=1
    ),
    Scene(
        "breaking journal, closed",
        {"ann": ["hold", "submit a", "submit b"], "bob": ["move b 1"], "cleo": ["close"]},
        breaks=1,
    ),
    Scene(
        "rate limit", {"ann": ["submit a", "submit b"], "bob": ["release"]}, {"a": Play(("limit",))}
    ),
    Scene(
        "rate limit, stopped",
        {"ann": ["submit a", "submit b"], "bob": ["stop", "hold", "release"]},
        {"a": Play(("limit",), clean_up=True)},
        instant=True,
    ),
    Scene(
        "unreachable",
        {"ann": ["submit a", "steer b"], "bob": ["release"]},
        {"a": Play(("unreachable",))},
    ),
    Scene(
        "cancelled turn",
        {"ann": ["submit a", "submit b"], "bob": ["release"]},
        {"a": _SLOW},
        cancels=["turn"],
    ),
    Scene(
        "cancelled caller",
        {"ann": ["named a x", "named a x"], "bob": ["submit b"]},
        cancels=["submit"],
        slow_reads=True,
    ),
    Scene(
        "cancelled close",
        {"ann": ["submit a", "submit b"], "bob": ["close"], "cleo": ["close"]},
        cancels=["close"],
    ),
    Scene(
        "receipts",
        {"ann": ["submit a", "submit b", "receipt b"], "bob": ["remove b"]},
        slow_reads=True,
    ),
    Scene("long queue", {"ann": ["submit a", "submit b", "submit c", "submit d"]}, window=1),
    Scene(
        "long queue, arranged",
        {"ann": ["submit a", "submit b", "submit c", "interrupt d"], "bob": ["remove b"]},
        window=1,
        instant=True,
    ),
    Scene(
        "eager tasks",
        {"ann": ["submit a", "submit b", "submit c"]},
        {"": _SILENT},
        instant=True,
        eager=True,
    ),
    Scene(
        "history",
        {"ann": ["submit a", "submit b"], "bob": ["stop", "release"]},
        {"": Play(("!history", "!say"))},
        slow_reads=True,
    ),
    Scene(
        "two sessions",
        {"ann": ["submit a", "submit b"], "bob": ["t: submit c", "t: submit d"]},
        instant=True,
    ),
    Scene("crash", {"ann": ["submit a", "submit b"], "bob": ["release"]}, kills=1, word_s=0.3),
    Scene(
        "crash of a steered turn",
        {"ann": ["submit a", "steer b", "submit c"], "bob": ["stop"]},
        {"a": Play(("say", "steers", "say"))},
        kills=1,
        word_s=0.3,
        instant=True,
    ),
    Scene(
        "two crashes",
        {"ann": ["submit a", "submit b", "release"]},
        kills=2,
        word_s=0.3,
        instant=True,
    ),
    Scene(
        "two processes",
        {"ann": ["submit a", "release"]},
        {"": Play(("say", "say"))},
        freezes=1,
        word_s=0.3,
    ),
    Scene(
        "two processes, late",
        {"ann": ["submit a", "submit b @1", "release"]},
        freezes=1,
        word_s=0.3,
        instant=True,
    ),
]

LARGE = [
    Scene(
        "a day",
        {
            "ann": ["submit a", "submit b", "steer c", "interrupt d", "merge e", "submit f"],
            "bob": ["submit g", "edit b", "move b 1", "remove f", "promote g steer", "release"],
            "cleo": ["stop", "hold", "release", "back b", "let b", "release", "release", "close"],
        },
        {
            "a": Play(("say", "steers", "say"), clean_up=True),
            "b": Play(("say", "fail")),
            "d": Play(("limit",)),
            "g": Play(("say", "say"), stubborn=True),
        },
        refusals=1,
        depth=200,
    ),
    Scene(
        "a bad day",
        {
            "ann": ["submit a", "submit b", "submit c", "interrupt d", "submit e", "release"],
            "bob": ["steer f", "merge g", "stop", "release", "move c 1", "submit h", "release"],
        },
        {"a": Play(("say", "steers", "say"), clean_up=True), "b": Play(("unreachable",))},
        refusals=2,
        kills=2,
        freezes=1,
        word_s=0.3,
        cancels=["turn", "submit"],
        depth=250,
    ),
    Scene(
        "a long queue",
        {
            "ann": [f"submit a{n}" for n in range(8)],
            "bob": ["interrupt b", "remove a3", "move a4 1", "merge c", "release", "release"],
        },
        window=2,
        refusals=1,
        kills=1,
        depth=250,
    ),
    Scene(
        "many sessions",
        {
            "ann": [f"submit a{n}" for n in range(5)],
            "bob": [f"t: submit b{n}" for n in range(5)],
            "cleo": ["stop", "t: interrupt c", "release", "t: hold", "t: release"],
        },
        refusals=1,
        depth=250,
    ),
    Scene(
        "a full queue",
        {
            "ann": [f"submit a{n}" for n in range(6)],
            "bob": ["steer b", "interrupt c", "merge d", "remove a2", "submit e", "steer f"],
            "cleo": ["promote a1 interrupt", "stop", "release", "close soon"],
        },
        {"a0": Play(("steers", "say"), clean_up=True), "a1": Play(("say",) * 3, stubborn=True)},
        limit=3,
        breaks=1,
        depth=250,
    ),
]

SCENES = {scene.name: scene for scene in [*SMALL, *LARGE]}
