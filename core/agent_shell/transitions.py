"""The decisions of a session: whatever affects its state lives in this file.

`decide` takes a session's state, a command and the time; it changes the state
in place and returns the effects to carry out. It has no await, no I/O, no clock
and no task, so that there is no moment between "the queue is empty" and "the
guard is clear", and the same decisions run on an event loop, in an explorer
without one, and in a distributed engine's handler.

`TABLE` says which function decides, for each command in each phase. All that
may start a turn, hold or close ends in the one function `_advance`: an input
that arrives in time and one that arrives while the last turn cleans up take
the same line.

A refused command raises before anything is changed.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable
from typing import Any

from agent_shell import errors
from agent_shell.commands import (
    Cancel,
    Close,
    Command,
    Edit,
    Effect,
    Fetch,
    Fetched,
    HoldBack,
    Interrupt,
    Move,
    Promote,
    PutOnHold,
    Release,
    Remove,
    Restore,
    Submit,
    TakeSteers,
    TurnOver,
    Unwritten,
    WakeAt,
)
from agent_shell.events import (
    FollowUpAccepted,
    FollowUpEdited,
    FollowUpMoved,
    Receipt,
    SessionClosed,
    SessionHeld,
    SessionReleased,
    TurnEnded,
    TurnStarted,
)
from agent_shell.state import (
    Budget,
    FollowUp,
    Hold,
    HoldReason,
    Lane,
    OnFailure,
    Phase,
    SessionState,
    State,
    TurnState,
    utf8_size,
)

__all__ = ["TABLE", "decide"]


Decision = Callable[[SessionState, Any, float], list[Effect]]


def decide(state: SessionState, command: Command, now: float) -> list[Effect]:
    """Changes `state` by `command` at `now` (epoch seconds); returns the effects, in order.

    Raises a `Refused` or `NotWaiting` error, with `state` as it was.
    """
    effects = TABLE[type(command)][state.phase](state, command, now)
    if state.beyond:
        effects += _fetch(state)
    return effects


# Restore and submit


def _restore(state: SessionState, command: Restore, now: float) -> list[Effect]:
    state.turns = command.turns
    state.queue.extend(command.queue)
    state.beyond = command.beyond
    if not state.waiting:
        return []
    return _hold_now(state, PutOnHold(Hold(HoldReason.RESTORED, command.detail)), now)


def _accept_and_start(state: SessionState, command: Submit, now: float) -> list[Effect]:
    accepted = _enqueue(state, command, now)
    _fact(accepted).position = 0
    return [*accepted, *_advance(state, now)]


def _enqueue(state: SessionState, command: Submit, now: float) -> list[Effect]:
    _check_room(state)
    follow_up = command.follow_up
    window = state.limits.window
    if window is not None and (state.beyond or len(state.queue) >= window):
        state.beyond += 1
    else:
        state.queue.append(follow_up)
    _set_guard(state)
    return [_accepted(state, follow_up, state.waiting, now)]


def _accept_while_running(state: SessionState, command: Submit, now: float) -> list[Effect]:
    match command.follow_up.lane:
        case Lane.QUEUE:
            return _enqueue(state, command, now)
        case Lane.MERGE:
            return _merge(state, command, now)
        case Lane.STEER:
            return _offer_steer(state, command, now)
        case Lane.INTERRUPT:
            return [*_enqueue_next(state, command, now), *_stop_turn(state, "a newer input", now)]


def _accept_while_stopping(state: SessionState, command: Submit, now: float) -> list[Effect]:
    match command.follow_up.lane:
        case Lane.QUEUE:
            return _enqueue(state, command, now)
        case Lane.MERGE:
            return _merge(state, command, now)
        case Lane.STEER | Lane.INTERRUPT:
            return _enqueue_next(state, command, now)


def _accept_while_held(state: SessionState, command: Submit, now: float) -> list[Effect]:
    match command.follow_up.lane:
        case Lane.QUEUE | Lane.STEER:
            effects = _enqueue(state, command, now)
        case Lane.MERGE:
            effects = _merge(state, command, now)
        case Lane.INTERRUPT:
            effects = _enqueue_next(state, command, now)
    # Without a hold, all that waits is held back or not here yet: this one may run.
    if started := _advance(state, now):
        _fact(effects).position = 0
    return [*effects, *started]


def _enqueue_next(state: SessionState, command: Submit, now: float) -> list[Effect]:
    _check_room(state)
    place = _insert_next(state, command.follow_up)
    _set_guard(state)
    return [_accepted(state, command.follow_up, place, now)]


def _insert_next(state: SessionState, follow_up: FollowUp) -> int:
    """Puts it to what runs next; returns its position there."""
    place = _behind_late(state) if follow_up.lane is Lane.STEER else 0
    state.queue.insert(place, follow_up)
    return place + 1


def _offer_steer(state: SessionState, command: Submit, now: float) -> list[Effect]:
    _check_room(state)
    _running(state).inbox += (command.follow_up,)
    return [_accepted(state, command.follow_up, 0, now)]


def _merge(state: SessionState, command: Submit, now: float) -> list[Effect]:
    joined, waiting = command.follow_up, len(state.queue)
    last = ((at, f) for at, f in enumerate(reversed(state.queue)) if f.sender == joined.sender)
    behind, into = next(last, (0, None))
    # With more beyond, the last one may be out of reach.
    if into is None or into.held_back or state.beyond:
        return _enqueue(state, command, now)
    _check_open(state)
    text = _joined(into.text, joined.text)
    if utf8_size(text) > state.limits.text_bytes:
        raise errors.TooLarge(
            f"joined to {into.id} the text would pass the limit of "
            f"{state.limits.text_bytes:,} bytes; send it as a follow-up of its own"
        )
    into.text = text
    return [
        _accepted(state, joined, waiting - behind, now),
        FollowUpEdited(state.key, now, into.id, into.text),
        Receipt(state.key, now, joined.id, State.MERGED, into.id, None, ""),
    ]


def _refuse(state: SessionState, command: Command, now: float) -> list[Effect]:
    raise errors.SessionClosed(f"session {state.key!r} is closed and takes no input")


# The end of a turn


def _turn_over(state: SessionState, command: TurnOver, now: float) -> list[Effect]:
    turn = state.turn
    if turn is None or turn.number != command.turn:
        return []
    state.turn = None
    effects = _enqueue_steers(state, turn, now, _behind_late(state)) if turn.inbox else []
    effects += _end(state, turn, command, now)
    effects += _advance(state, now)
    return effects


def _end(state: SessionState, turn: TurnState, over: TurnOver, now: float) -> list[Effect]:
    """What a turn that is over leaves behind: its end, and a receipt or a hold."""
    follow_up = turn.follow_up
    ended, reason = over.state, over.reason
    _spend(state, over)
    if turn.stopped_by is not None:
        ended, reason = State.CANCELLED, turn.stopped_by
    elif over.hold is not None:
        state.queue.appendleft(follow_up)
        back = TurnEnded(
            state.key, now, turn.number, follow_up.id, State.QUEUED, over.elapsed_s, over.usage
        )
        return [back, *_hold(state, over.hold, now)]
    elif ended is State.ANSWERED and follow_up.lane is Lane.STEER:
        reason = "a turn of its own, the steered one had ended"
    key, id = state.key, follow_up.id
    effects: list[Effect] = [
        TurnEnded(key, now, turn.number, id, ended, over.elapsed_s, over.usage),
        Receipt(key, now, id, ended, reason, turn.number, over.answer),
    ]
    if ended is State.FAILED and state.on_failure is OnFailure.HOLD:
        effects += _hold(state, Hold(HoldReason.FAILED, reason), now)
    elif ended is State.CANCELLED and turn.stopped_by is None:
        # Not by a command of ours: whoever ends tasks wants no new one.
        effects += _hold(state, Hold(HoldReason.INTERRUPTED, f"by {reason}"), now)
    return effects


def _advance(state: SessionState, now: float) -> list[Effect]:
    """No turn runs: start the next, hold, close or rest. The only place that decides so."""
    held = _hold_for_budget(state, now)
    hold, queue = state.hold, state.queue
    if state.closing and (not state.waiting or (hold is not None and hold.until is None)):
        state.phase = Phase.CLOSED
        state.guard = None
        return [*held, SessionClosed(state.key, now, state.waiting)]
    if not state.waiting:
        state.phase = Phase.IDLE if hold is None else Phase.HELD
        state.guard = None
        return []
    _set_guard(state)
    follow_up = _take_next(queue) if hold is None else None
    if follow_up is None:
        state.phase = Phase.HELD
        return held
    state.phase = Phase.RUNNING
    state.turns += 1
    state.turn = TurnState(state.turns, follow_up)
    return [TurnStarted(state.key, now, state.turns, follow_up.id, state.waiting)]


def _spend(state: SessionState, over: TurnOver) -> None:
    spent, usage = state.spent, over.usage
    spent.turns = (spent.turns or 0) + 1
    if usage is not None:
        spent.tokens = (spent.tokens or 0) + usage.input_tokens + usage.output_tokens
        spent.cost_usd = (spent.cost_usd or 0.0) + usage.cost_usd


def _hold_for_budget(state: SessionState, now: float) -> list[Effect]:
    spent = _overspent(state) if state.hold is None and state.waiting else ""
    return _hold(state, Hold(HoldReason.BUDGET, spent), now) if spent else []


def _overspent(state: SessionState) -> str:
    """Which bound of the budget is reached; "" where none is."""
    budget, spent = state.budget, state.spent
    if budget.turns is not None and (spent.turns or 0) >= budget.turns:
        return f"{spent.turns:,} of {budget.turns:,} turns have run"
    if budget.tokens is not None and (spent.tokens or 0) >= budget.tokens:
        return f"{spent.tokens:,} of {budget.tokens:,} tokens are used"
    if budget.cost_usd is not None and (spent.cost_usd or 0.0) >= budget.cost_usd:
        return f"${spent.cost_usd:,.4f} of ${budget.cost_usd:,.4f} are spent"
    return ""


def _take_next(queue: deque[FollowUp]) -> FollowUp | None:
    for place, follow_up in enumerate(queue):
        if not follow_up.held_back:
            del queue[place]
            return follow_up
    return None


# Interrupt, hold, release, close


def _interrupt(state: SessionState, command: Interrupt, now: float) -> list[Effect]:
    hold = Hold(HoldReason.INTERRUPTED, f"by {command.by}")
    return [*_stop_turn(state, command.by, now), *_hold(state, hold, now)]


def _interrupt_again(state: SessionState, command: Interrupt, now: float) -> list[Effect]:
    if state.hold is not None:
        return []
    return _hold(state, Hold(HoldReason.INTERRUPTED, f"by {command.by}"), now)


def _hold_later(state: SessionState, command: PutOnHold, now: float) -> list[Effect]:
    return [] if state.closing else _hold(state, command.hold, now)


def _hold_now(state: SessionState, command: PutOnHold, now: float) -> list[Effect]:
    if state.closing:
        return []
    return [*_hold(state, command.hold, now), *_advance(state, now)]


def _release_later(state: SessionState, command: Release, now: float) -> list[Effect]:
    hold = state.hold
    if hold is None or hold.reason is HoldReason.CLOSING:
        return []
    if command.until is not None and command.until != hold.until:
        return []
    state.hold = None
    if hold.reason is HoldReason.BUDGET:
        # Who goes on grants as much again.
        state.spent = Budget(0, 0, 0.0)
    return [SessionReleased(state.key, now, command.by)]


def _release_now(state: SessionState, command: Release, now: float) -> list[Effect]:
    released = _release_later(state, command, now)
    return [*released, *_advance(state, now)] if released else []


def _close_later(state: SessionState, command: Close, now: float) -> list[Effect]:
    state.closing = True
    if command.drain:
        return []
    state.hold = Hold(HoldReason.CLOSING)
    return _stop_turn(state, "close", now) if state.phase is Phase.RUNNING else []


def _close_now(state: SessionState, command: Close, now: float) -> list[Effect]:
    return [*_close_later(state, command, now), *_advance(state, now)]


# What waits


def _edit(state: SessionState, command: Edit, now: float) -> list[Effect]:
    state.queue[_place(state, command.id)].text = command.text
    return [FollowUpEdited(state.key, now, command.id, command.text)]


def _remove(state: SessionState, command: Remove, now: float) -> list[Effect]:
    turn = state.turn
    if turn is not None and any(f.id == command.id for f in turn.inbox):
        turn.inbox = tuple(f for f in turn.inbox if f.id != command.id)
    else:
        del state.queue[_place(state, command.id)]
    return [Receipt(state.key, now, command.id, command.state, command.by, None, "")]


def _remove_while_held(state: SessionState, command: Remove, now: float) -> list[Effect]:
    return [*_remove(state, command, now), *_advance(state, now)]


def _move(state: SessionState, command: Move, now: float) -> list[Effect]:
    place = _place(state, command.id)
    follow_up = state.queue[place]
    del state.queue[place]
    target = min(max(command.position - 1, 0), len(state.queue))
    state.queue.insert(target, follow_up)
    return [FollowUpMoved(state.key, now, command.id, target + 1, follow_up.lane)]


def _hold_back(state: SessionState, command: HoldBack, now: float) -> list[Effect]:
    state.queue[_place(state, command.id)].held_back = command.held
    return []


def _hold_back_now(state: SessionState, command: HoldBack, now: float) -> list[Effect]:
    return [*_hold_back(state, command, now), *_advance(state, now)]


def _promote(state: SessionState, command: Promote, now: float) -> list[Effect]:
    if command.lane is Lane.INTERRUPT:
        return [*_promote_next(state, command, now), *_stop_turn(state, "a newer input", now)]
    follow_up = _take(state, command)
    _running(state).inbox += (follow_up,)
    return [FollowUpMoved(state.key, now, follow_up.id, 0, follow_up.lane)]


def _promote_next(state: SessionState, command: Promote, now: float) -> list[Effect]:
    follow_up = _take(state, command)
    place = _insert_next(state, follow_up)
    return [FollowUpMoved(state.key, now, follow_up.id, place, follow_up.lane)]


def _promote_now(state: SessionState, command: Promote, now: float) -> list[Effect]:
    return [*_promote_next(state, command, now), *_advance(state, now)]


def _take(state: SessionState, command: Promote) -> FollowUp:
    place = _place(state, command.id)
    follow_up = state.queue[place]
    del state.queue[place]
    follow_up.lane = command.lane
    follow_up.held_back = False
    return follow_up


def _not_waiting(
    state: SessionState, command: Edit | Remove | Move | HoldBack | Promote, now: float
) -> list[Effect]:
    raise errors.NotWaiting(f"no follow-up {command.id!r} waits in session {state.key!r}")


def _take_steers(state: SessionState, command: TakeSteers, now: float) -> list[Effect]:
    turn = _running(state)
    if turn.number != command.turn:
        return []
    taken = tuple(f for f in turn.inbox if f.id not in command.pending)
    turn.inbox = tuple(f for f in turn.inbox if f.id in command.pending)
    into = f"turn {turn.number} {command.where}".rstrip()
    return [Receipt(state.key, now, f.id, State.STEERED, into, turn.number, "") for f in taken]


# The journal failed


def _unwritten(state: SessionState, command: Unwritten, now: float) -> list[Effect]:
    # The journal and this state were not of one mind when a fetch under way was made.
    state.fetching = None
    turn = state.turn
    steered = 0
    if turn is not None:
        kept = tuple(f for f in turn.inbox if f.id not in command.ids)
        steered, turn.inbox = len(turn.inbox) - len(kept), kept
    moved = set(command.moved)
    if turn is not None and turn.number == command.turn:
        # It may have started from further behind, past what was held back.
        moved |= {turn.follow_up.id, *(f.id for f in turn.inbox)}
        state.turn = None
        place = _behind_late(state) + 1
        state.queue.appendleft(turn.follow_up)
        _enqueue_steers(state, turn, now, place)
    head = 0
    if command.ids:
        found = steered + _drop(state, command.ids)
        state.beyond -= min(state.beyond, len(command.ids) - found)
        # An interrupt that was refused had moved the steers to behind itself.
        head = _behind_late(state)
    effects = [*_places(state, moved, head, now), *_unmerge(state, command, now)]
    if state.phase is Phase.CLOSED:
        return effects
    effects += _hold(state, Hold(HoldReason.JOURNAL, command.reason), now)
    if state.turn is None:
        effects += _advance(state, now)
    return effects


def _places(state: SessionState, moved: set[str], head: int, now: float) -> list[Effect]:
    """Where those stand that were `moved`, as one who knows only what is recorded has to hear it.

    Each place counts those before it, so all of them are told, from the first to the last
    that was moved, and at least the `head` of the queue.
    """
    behind = enumerate(reversed(state.queue))
    count = next((len(state.queue) - at for at, f in behind if f.id in moved), 0)
    told = itertools.islice(state.queue, max(head, count))
    inbox = state.turn.inbox if state.turn is not None else ()
    steering = [(0, follow_up) for follow_up in inbox if follow_up.id in moved]
    return [
        FollowUpMoved(state.key, now, follow_up.id, at, follow_up.lane)
        for at, follow_up in [*steering, *enumerate(told, 1)]
    ]


def _unmerge(state: SessionState, command: Unwritten, now: float) -> list[Effect]:
    """Takes texts that were not accepted out of those that they were joined to."""
    effects: list[Effect] = []
    for into, text in reversed(command.merges):
        follow_up = next((f for f in state.queue if f.id == into), None)
        if follow_up is not None:
            before, _, behind = follow_up.text.rpartition(_joined("", text))
            follow_up.text = before + behind
            effects.append(FollowUpEdited(state.key, now, into, follow_up.text))
    return effects


def _joined(text: str, more: str) -> str:
    return f"{text}\n\n{more}"


def _drop(state: SessionState, ids: frozenset[str]) -> int:
    """Takes these out of the queue; says how many were in it."""
    before = len(state.queue)
    for place in reversed(range(before)):
        if state.queue[place].id in ids:
            del state.queue[place]
    return before - len(state.queue)


# A queue that is longer than its window


def _fetch(state: SessionState) -> list[Effect]:
    window = state.limits.window or 0
    broken = state.hold is not None and state.hold.reason is HoldReason.JOURNAL
    if state.fetching is not None or broken or state.phase is Phase.CLOSED:
        return []
    if len(state.queue) > window // 2:
        return []
    state.fetches += 1
    state.fetching = state.fetches
    after = state.queue[-1].id if state.queue else None
    return [Fetch(state.fetching, after, max(window, 1))]


def _fetched(state: SessionState, command: Fetched, now: float) -> list[Effect]:
    if command.number != state.fetching:
        return []
    state.fetching = None
    state.queue.extend(command.follow_ups)
    state.beyond -= len(command.follow_ups)
    if state.phase is Phase.HELD:
        return _advance(state, now)
    return []


# What the decisions share


def _nothing(state: SessionState, command: Command, now: float) -> list[Effect]:
    return []


def _accepted(state: SessionState, f: FollowUp, position: int, now: float) -> FollowUpAccepted:
    return FollowUpAccepted(state.key, now, f.id, f.text, f.lane, f.sender, position)


def _fact(effects: list[Effect]) -> FollowUpAccepted:
    (accepted,) = effects
    assert isinstance(accepted, FollowUpAccepted)
    return accepted


def _check_open(state: SessionState) -> None:
    if state.closing:
        raise errors.SessionClosed(f"session {state.key!r} is closing and takes no input")


def _check_room(state: SessionState) -> None:
    _check_open(state)
    waiting = state.waiting + (len(state.turn.inbox) if state.turn is not None else 0)
    if waiting >= state.limits.queue:
        raise errors.QueueFull(
            f"session {state.key!r} has {waiting:,} follow-ups waiting, which is its limit; "
            "wait until some are answered"
        )


def _set_guard(state: SessionState) -> None:
    if state.guard is None:
        state.guards += 1
        state.guard = state.guards


def _running(state: SessionState) -> TurnState:
    assert state.turn is not None
    return state.turn


def _stop_turn(state: SessionState, by: str, now: float) -> list[Effect]:
    turn = _running(state)
    turn.stopped_by = by
    state.phase = Phase.STOPPING
    return [*_enqueue_steers(state, turn, now, _behind_late(state)), Cancel(turn.number)]


def _behind_late(state: SessionState) -> int:
    """The place of a steer that came too late: next, but for those that came before it.

    These are the interrupts and steers at the head of the queue, so that what was
    typed while a turn stops runs as it was typed.
    """
    behind = (at for at, f in enumerate(state.queue) if f.lane is _QUEUE or f.lane is _MERGE)
    return next(behind, len(state.queue))


# Members of an enum are slow to find, and the head may be long.
_QUEUE, _MERGE = Lane.QUEUE, Lane.MERGE


def _enqueue_steers(state: SessionState, turn: TurnState, now: float, place: int) -> list[Effect]:
    """Puts what can steer nothing any more into the queue, the first of it at `place`."""
    state.queue.rotate(-place)
    state.queue.extendleft(reversed(turn.inbox))
    state.queue.rotate(place)
    moved: list[Effect] = [
        FollowUpMoved(state.key, now, follow_up.id, position, follow_up.lane)
        for position, follow_up in enumerate(turn.inbox, place + 1)
    ]
    turn.inbox = ()
    return moved


def _hold(state: SessionState, hold: Hold, now: float) -> list[Effect]:
    state.hold = hold
    held = SessionHeld(state.key, now, hold.reason, hold.detail, hold.until, state.waiting)
    return [held] if hold.until is None else [held, WakeAt(hold.until)]


def _place(state: SessionState, id: str) -> int:
    for place, follow_up in enumerate(state.queue):
        if follow_up.id == id:
            return place
    where = f" among the next {len(state.queue):,}" if state.beyond else ""
    raise errors.NotWaiting(f"no follow-up {id!r} waits in session {state.key!r}{where}")


def _row(*decisions: Decision) -> tuple[Decision, ...]:
    assert len(decisions) == len(Phase)
    return decisions


# fmt: off
TABLE: dict[type[Any], tuple[Decision, ...]] = {
    #                 IDLE               RUNNING                STOPPING                HELD                CLOSED
    Restore:    _row(_restore,          _nothing,              _nothing,               _nothing,           _nothing),
    Submit:     _row(_accept_and_start, _accept_while_running, _accept_while_stopping, _accept_while_held, _refuse),
    TurnOver:   _row(_nothing,          _turn_over,            _turn_over,             _nothing,           _nothing),
    Interrupt:  _row(_nothing,          _interrupt,            _interrupt_again,       _nothing,           _nothing),
    PutOnHold:  _row(_hold_now,         _hold_later,           _hold_later,            _hold_now,          _nothing),
    Release:    _row(_nothing,          _release_later,        _release_later,         _release_now,       _nothing),
    Edit:       _row(_not_waiting,      _edit,                 _edit,                  _edit,              _refuse),
    Remove:     _row(_not_waiting,      _remove,               _remove,                _remove_while_held, _refuse),
    Move:       _row(_not_waiting,      _move,                 _move,                  _move,              _refuse),
    HoldBack:   _row(_not_waiting,      _hold_back,            _hold_back,             _hold_back_now,      _refuse),
    Promote:    _row(_not_waiting,      _promote,              _promote_next,          _promote_now,        _refuse),
    TakeSteers: _row(_nothing,          _take_steers,          _nothing,               _nothing,           _nothing),
    Close:      _row(_close_now,        _close_later,          _close_later,           _close_now,         _nothing),
    Unwritten:  _row(_unwritten,        _unwritten,            _unwritten,             _unwritten,         _unwritten),
    Fetched:    _row(_fetched,          _fetched,              _fetched,               _fetched,           _nothing),
}
# fmt: on
