"""The one place that loads the library behind the providers, which takes a second or two.

It is loaded in a thread, while the prompt takes keys. What stops the event loop meanwhile is
not the import, during which threads take turns, but a full run of the garbage collector over
what was imported (up to 140 ms): so it rests until then, and what is there by then, which
stays for good, is left out of later runs.
"""

from __future__ import annotations

import gc
import importlib
import threading
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

from agent_shell.agents.base import AgentEvent, Turn
from agent_shell.agents.provider.availability import missing
from agent_shell.errors import ModelUnusable

if TYPE_CHECKING:
    from agent_shell.agents.provider.library.connected import Connection
    from agent_shell.agents.provider.library.request import Sleep
    from agent_shell.agents.provider.settings import ProviderSettings

__all__ = ["connect", "converse"]

_one_at_a_time = threading.Lock()


def connect(settings: ProviderSettings) -> Connection:
    """Loads the library and makes ready what `settings` ask for; without a request. Blocks.

    Raises `ModelUnusable` where something is missing here.
    """
    if problem := missing(settings):
        raise ModelUnusable(problem)
    with _one_at_a_time:
        collects = gc.isenabled()
        gc.disable()
        try:
            module = importlib.import_module("agent_shell.agents.provider.library.connection")
            connection: Connection = module.connect(settings)
        finally:
            if collects:
                gc.freeze()
                gc.enable()
    return connection


def converse(connection: Connection, turn: Turn, sleep: Sleep) -> AsyncGenerator[AgentEvent]:
    """The events of a turn over a connection that `connect` has made."""
    from agent_shell.agents.provider.library.conversation import Conversation

    return Conversation(connection, turn, sleep).run()
