"""A gate that tells of every denial, for who is not there to be asked."""

from __future__ import annotations

from collections.abc import Callable

from agent_shell.tools import ApprovalRequest, Approver, Denied, Gate, Policy

__all__ = ["TellingGate"]


class TellingGate(Gate):
    """`on_denied` gets the reason of each denial, as the model does."""

    def __init__(
        self, policy: Policy, approver: Approver | None, on_denied: Callable[[str], None]
    ) -> None:
        super().__init__(policy, approver)
        self._on_denied = on_denied

    async def permit(self, request: ApprovalRequest) -> None:
        """Returns where it may be done; raises `Denied`."""
        try:
            await super().permit(request)
        except Denied as denied:
            self._on_denied(str(denied))
            raise
