"""Faults to be built into the engine, one at a time, as exact replacements of its text.

The first six are those of the gateway that the engine learns from.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["FAULTS", "Fault", "Stale"]

Edit = tuple[str, str, str]  # the file in core/agent_shell, its text, what is put there

SESSION, TURN, RECORDER = "session.py", "turn.py", "recorder.py"
DECIDE = "transitions.py"
WRITER, OWNERSHIP = "journal/sqlite/writer.py", "journal/sqlite/ownership.py"
RECORDS = "journal/sqlite/records.py"


class Stale(ValueError):
    """The text that a fault replaces is not there, or more than once."""


class Fault:
    """What is wrong, in one line, and how it is put into the code."""

    def __init__(self, name: str, *edits: Edit) -> None:
        self.name, self.edits = name, edits

    def apply(self, core: Path) -> None:
        """Builds it into the copy of `core/agent_shell` at `core`; raises `Stale`."""
        for file, old, new in self.edits:
            text = (core / file).read_text()
            if text.count(old) != 1:
                raise Stale(f"{self.name}: {file} has {text.count(old)} times: {old!r}")
            (core / file).write_text(text.replace(old, new))


FAULTS = [
    Fault(
        "a turn that ends awaits its successor",
        (
            SESSION,
            '        "_wake_up",\n',
            """\
        "_wake_up",
        "_next",
""",
        ),
        (
            SESSION,
            "        owner.send(None)\n",
            """\
        self._next = None
        if self._owner is not None and self._owner is asyncio.current_task():
            self._next = owner
            return
        owner.send(None)
""",
        ),
        (
            SESSION,
            """\
            raise
        self._end(running, over)
""",
            """\
            raise
        self._end(running, over)
        if self._next is not None:
            await self._next
""",
        ),
    ),
    Fault(
        "the finishing task releases the session when its successor is there",
        (
            SESSION,
            """\
            self._running = None  # before the next one is there
        self._perform(over)
""",
            """\
            self._running = None  # before the next one is there
        self._perform(over)
        self._state.guard = None
        self._state.phase = Phase.IDLE
""",
        ),
    ),
    Fault(
        "what comes while a stopped turn cleans up is dropped",
        (
            DECIDE,
            """\
        case Lane.QUEUE:
            return _enqueue(state, command, now)
        case Lane.MERGE:
            return _merge(state, command, now)
        case Lane.STEER | Lane.INTERRUPT:
""",
            """\
        case Lane.QUEUE:
            accepted = _enqueue(state, command, now)
            state.queue.pop()
            return accepted
        case Lane.MERGE:
            return _merge(state, command, now)
        case Lane.STEER | Lane.INTERRUPT:
""",
        ),
    ),
    Fault(
        "what comes while a stopped turn cleans up starts a second successor",
        (
            DECIDE,
            """\
        case Lane.QUEUE:
            return _enqueue(state, command, now)
        case Lane.MERGE:
            return _merge(state, command, now)
        case Lane.STEER | Lane.INTERRUPT:
""",
            """\
        case Lane.QUEUE:
            accepted = _enqueue(state, command, now)
            return [*accepted, *_advance(state, now)]
        case Lane.MERGE:
            return _merge(state, command, now)
        case Lane.STEER | Lane.INTERRUPT:
""",
        ),
    ),
    Fault(
        "a chain that is too deep drops what waits",
        (
            DECIDE,
            "    effects += _end(state, turn, command, now)\n",
            """\
    effects += _end(state, turn, command, now)
    if turn.number >= 2:
        state.queue.clear()
""",
        ),
    ),
    Fault(
        "a second input that waits overwrites the first",
        (
            DECIDE,
            """\
    else:
        state.queue.append(follow_up)
    _set_guard(state)
""",
            """\
    else:
        if state.queue:
            state.queue.pop()
        state.queue.append(follow_up)
    _set_guard(state)
""",
        ),
    ),
    Fault(
        "the successor is made by the loop's task factory, which may be eager",
        (
            SESSION,
            """\
        self._owner = asyncio.Task(
            owner,
            loop=asyncio.get_running_loop(),
""",
            """\
        self._owner = asyncio.get_running_loop().create_task(
            owner,
""",
        ),
    ),
    Fault(
        "a stop frees the session at once",
        (
            DECIDE,
            """\
    turn.stopped_by = by
    state.phase = Phase.STOPPING
""",
            """\
    turn.stopped_by = by
    state.turn = None
    state.phase = Phase.IDLE
""",
        ),
    ),
    Fault(
        "what a stopped turn still says is shown",
        (
            TURN,
            """\
                    if state.stopped_by is not None:
                        break  # the\
""",
            """\
                    if False:
                        break  # the\
""",
        ),
    ),
    Fault(
        "a stopped turn is over before its agent has cleaned up",
        (
            SESSION,
            """\
                if self._owner is not None:
                    self._owner.cancel()
""",
            """\
                if self._owner is not None:
                    self._owner.cancel()
                    asyncio.get_running_loop().call_soon(
                        lambda: self._give_up("stop")
                    )
""",
        ),
    ),
    Fault(
        "a process that was overtaken goes on",
        (
            SESSION,
            """\
        self._perform(Close(drain=False))
        self._audience.disappoint\
""",
            "        self._audience.disappoint",
        ),
    ),
    Fault(
        "a steer is given to the turn and stays",
        (
            DECIDE,
            "    turn.inbox = tuple(f for f in turn.inbox if f.id in command.pending)\n",
            "",
        ),
    ),
    Fault(
        "a steer is given to the turn before it is accepted",
        (
            SESSION,
            "        pending = self._recorder.pending()\n",
            "        pending = frozenset()\n",
        ),
    ),
    Fault(
        "a steer that came too late is dropped",
        (
            DECIDE,
            "    state.queue.extendleft(reversed(turn.inbox))\n",
            "",
        ),
    ),
    Fault(
        "a withdrawn input has no receipt",
        (
            DECIDE,
            "    return [Receipt(state.key, now, command.id, command.state, command.by,",
            "    return []\n    [Receipt(state.key, now, command.id, command.state, command.by,",
        ),
    ),
    Fault(
        "a rate-limited input is not put back",
        (
            DECIDE,
            """\
    elif over.hold is not None:
        state.queue.appendleft(follow_up)
""",
            "    elif over.hold is not None:\n",
        ),
    ),
    Fault(
        "close leaves the queue nowhere",
        (
            DECIDE,
            "    state.hold = Hold(HoldReason.CLOSING)\n",
            """\
    state.hold = Hold(HoldReason.CLOSING)
    state.queue.clear()
""",
        ),
    ),
    Fault(
        "an input goes to the front of the queue",
        (
            DECIDE,
            """\
    else:
        state.queue.append(follow_up)
    _set_guard(state)
""",
            """\
    else:
        state.queue.appendleft(follow_up)
    _set_guard(state)
""",
        ),
    ),
    Fault(
        "an interrupt waits behind the queue",
        (
            DECIDE,
            "    place = _behind_late(state) if follow_up.lane is Lane.STEER else 0\n",
            "    place = len(state.queue)\n",
        ),
    ),
    Fault(
        "a move ends one place too far",
        (
            DECIDE,
            "    target = min(max(command.position - 1, 0), len(state.queue))\n",
            "    target = min(max(command.position, 0), len(state.queue))\n",
        ),
    ),
    Fault(
        "what is held back runs",
        (
            DECIDE,
            "        if not follow_up.held_back:\n",
            "        if True:\n",
        ),
    ),
    Fault(
        "turns share one context",
        (
            SESSION,
            "            context=self._context.copy(),\n",
            "            context=self._context,\n",
        ),
    ),
    Fault(
        "each input sets a new guard",
        (
            DECIDE,
            """\
    if state.guard is None:
        state.guards\
""",
            """\
    if True:
        state.guards\
""",
        ),
    ),
    Fault(
        "the guard is cleared before the last turn is over",
        (
            DECIDE,
            "    state.phase = Phase.RUNNING\n",
            """\
    state.phase = Phase.RUNNING
    if not state.waiting:
        state.guard = None
""",
        ),
    ),
    Fault(
        "a full queue takes one more",
        (
            DECIDE,
            "    if waiting >= state.limits.queue:\n",
            "    if waiting > state.limits.queue:\n",
        ),
    ),
    Fault(
        "a full queue drops its oldest in silence",
        (
            DECIDE,
            "    if waiting >= state.limits.queue:\n",
            """\
    if waiting >= state.limits.queue and state.queue:
        state.queue.popleft()
        return
    if waiting >= state.limits.queue:
""",
        ),
    ),
    Fault(
        "an input that the journal refused stays in the queue",
        (
            DECIDE,
            "        found = steered + _drop(state, command.ids)\n",
            "        found = steered\n",
        ),
    ),
    Fault(
        "a turn whose start was refused is lost",
        (
            DECIDE,
            "        state.queue.appendleft(turn.follow_up)\n",
            "",
        ),
    ),
    Fault(
        "a merge that was refused leaves its text",
        (
            DECIDE,
            "[*_places(state, moved, head, now), *_unmerge(state, command, now)]",
            "_places(state, moved, head, now)",
        ),
    ),
    Fault(
        "a refusal is heard of when the loop brings it, and decisions come before",
        (
            SESSION,
            "        self._recorder.hear()  # what was refused comes before what is decided now\n",
            "",
        ),
    ),
    Fault(
        "batches that were refused together are undone one by one",
        (
            RECORDER,
            "                while self._under_way and _failed",
            "                while False and _failed",
        ),
    ),
    Fault(
        "a release that was refused is told later",
        (
            RECORDER,
            "(TurnStarted, FollowUpMoved, SessionHeld, SessionReleased)\n",
            "(TurnStarted, FollowUpMoved, SessionHeld)\n",
        ),
    ),
    Fault(
        "places that counted what was refused are not told anew",
        (
            RECORDER,
            "_merges(batch, ids), _moved(refused)",
            "_merges(batch, ids)",
        ),
    ),
    Fault(
        "of a session that has closed, places that were refused are not told anew",
        (
            DECIDE,
            """\
    if state.phase is Phase.CLOSED:
        return effects
""",
            """\
    if state.phase is Phase.CLOSED:
        return []
""",
        ),
    ),
    Fault(
        "a refusal that comes at once is told before what came before it",
        (
            RECORDER,
            "        if self._under_way is None:\n            self._session.told(said)\n",
            "        if True:\n            self._session.told(said)\n",
        ),
    ),
    Fault(
        "what was refused is never tried again",
        (
            RECORDER,
            "        self._backlog = [*_kept(refused, ids), *said]\n",
            "        self._backlog = list(said)\n",
        ),
    ),
    Fault(
        "the end of a turn starts nothing",
        (
            DECIDE,
            """\
    effects += _end(state, turn, command, now)
    effects += _advance(state, now)
""",
            """\
    effects += _end(state, turn, command, now)
    if not state.waiting:
        effects += _advance(state, now)
""",
        ),
    ),
    Fault(
        "the timer of a rate limit is not set",
        (
            SESSION,
            "                self._wake_at(effect.until)\n",
            "                pass\n",
        ),
    ),
    Fault(
        "a turn whose task is cancelled before its first step hands nothing on",
        (
            SESSION,
            "        owner.send(None)\n",
            "",
        ),
    ),
    Fault(
        "an agent's error ends the task without a handoff",
        (
            TURN,
            """\
        except Exception as error:
            return self.over(State.FAILED, errors.reason_of(error))
""",
            """\
        except ValueError as error:
            return self.over(State.FAILED, errors.reason_of(error))
""",
        ),
    ),
    Fault(
        "a stop does not hold the queue",
        (
            DECIDE,
            "    return [*_stop_turn(state, command.by, now), *_hold(state, hold, now)]\n",
            "    return [*_stop_turn(state, command.by, now)]\n",
        ),
    ),
    Fault(
        "a failed turn does not hold the queue",
        (
            DECIDE,
            "    if ended is State.FAILED and state.on_failure",
            "    if False and state.on_failure",
        ),
    ),
    Fault(
        "a spent budget does not hold",
        (
            DECIDE,
            "if state.hold is None and state.waiting else",
            "if False else",
        ),
    ),
    Fault(
        "pieces of an answer carry the id of the next follow-up",
        (
            TURN,
            "TurnDelta(session.key, now, state.number, id,",
            "TurnDelta(session.key, now, state.number + 1, id,",
        ),
    ),
    Fault(
        "the receipt has but the last piece of the answer",
        (
            TURN,
            '        answer = "".join(self._parts)\n',
            '        answer = "".join(self._parts[-1:])\n',
        ),
    ),
    Fault(
        "facts are told before they are recorded",
        (
            RECORDER,
            "        self._under_way.append((batch, told, ticket))\n",
            """\
        self._session.told(told)
        self._under_way.append((batch, [], ticket))
""",
        ),
    ),
    Fault(
        "the agent has the turn before its start is recorded",
        (
            SESSION,
            """\
        ticket = self._recorder.record(facts) if facts else None
""",
            """\
        ticket = self._recorder.record(facts) if facts else None
        if ticket is not None and any(type(fact) is TurnStarted for fact in facts):
            assert self._state.turn is not None
            self._start(self._state.turn)
""",
        ),
    ),
    Fault(
        "an input is acknowledged before it is recorded",
        (
            SESSION,
            """\
        if ticket is not None:
            await asyncio.shield(ticket)
""",
            """\
        if False:
            await asyncio.shield(ticket)
""",
        ),
    ),
    Fault(
        "what was restored runs at once",
        (
            DECIDE,
            "return _hold_now(state, PutOnHold(Hold(HoldReason.RESTORED,",
            "return _advance(state, now)\n    _hold_now(state, PutOnHold(Hold(HoldReason.RESTORED,",
        ),
    ),
    Fault(
        "one session at a time runs a turn",
        (
            SESSION,
            '__all__ = ["House", "Session"]\n',
            """\
__all__ = ["House", "Session"]
_LOCKS = {}
""",
        ),
        (
            SESSION,
            "            over = await running.run()\n",
            """\
            loop = asyncio.get_running_loop()
            async with _LOCKS.setdefault(loop, asyncio.Lock()):
                over = await running.run()
""",
        ),
    ),
    Fault(
        "more of a long queue is fetched from its beginning",
        (
            DECIDE,
            "    after = state.queue[-1].id if state.queue else None\n",
            "    after = None\n",
        ),
    ),
    Fault(
        "a batch is written whoever has the session",
        (
            WRITER,
            "        if fences[batch.session] != batch.fence:\n",
            "        if False:\n",
        ),
    ),
    Fault(
        "behind a refused batch the next ones are written",
        (
            WRITER,
            "for job in self._take_back(refused)]",
            "for job in ()]",
        ),
    ),
    Fault(
        "a take-over leaves the fence as it was",
        (
            OWNERSHIP,
            """\
        (fence + 1, liveness.owner, os.getpid(), now, session),
    )
    return Lease(session, fence + 1)\
""",
            """\
        (fence, liveness.owner, os.getpid(), now, session),
    )
    return Lease(session, fence)\
""",
        ),
    ),
    Fault(
        "the file puts an interrupt behind the queue",
        (
            RECORDS,
            """\
            rank = self._rank_at(session, fact.position)
        else:
""",
            """\
            rank = self._rank_behind(session)
        else:
""",
        ),
    ),
]
