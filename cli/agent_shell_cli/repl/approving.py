"""A tool's question at the prompt: how it comes to stand there, and how it is answered.

It is answered by chords that no text can be, and by `/allow` and `/deny`, which act at
once: they wait for nothing and are never queued. The draft is not touched by any of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from agent_shell import AgentShellError
from agent_shell.errors import reason_of
from agent_shell.tools import Approval, ApprovalRequest, Scope
from agent_shell_cli import approvals
from agent_shell_cli.printable import printable_line
from agent_shell_cli.repl.asking import as_lines, as_note, how, is_long, whole
from agent_shell_cli.repl.questions import READ_S, Asked, Questions
from agent_shell_cli.repl.renderer import Renderer
from agent_shell_cli.repl.router import Call
from agent_shell_cli.repl.speaker import Speaker
from agent_shell_cli.repl.view import Block, Kind, View
from agent_shell_cli.verbs import Act, Verb
from agent_shell_cli.workbench import Workbench

__all__ = ["ANSWERS", "Approving"]

ANSWERS = {
    Act.ALLOW_ONCE: Approval.once(),
    Act.ALLOW_SESSION: Approval.session(),
    Act.ALLOW_ALWAYS: Approval.always(),
    Act.DENY: Approval.deny(),
}
_WORDS = {
    "": Approval.once(),
    "once": Approval.once(),
    "session": Approval.session(),
    "always": Approval.always(),
}


class Approving:
    """Has `questions` stand in `view`, and answers them; shows what the tools of `bench` say.

    `on_asked` is called when one comes to stand there, `publish` with what attached shells
    are to see of it: "" for nothing.
    """

    def __init__(
        self,
        questions: Questions,
        view: View,
        speaker: Speaker,
        renderer: Renderer,
        bench: Workbench,
        on_asked: Callable[[], None],
        publish: Callable[[str], None],
    ) -> None:
        self._questions = questions
        self._view = view
        self._speaker = speaker
        self._renderer = renderer
        self._folder = bench.folder  # what "always" is for
        self._on_asked = on_asked
        self._publish = publish
        bench.on_output = self._heard
        questions.on_change = self._changed

    @property
    def asked(self) -> bool:
        """Whether a question stands."""
        return self._questions.current is not None

    def act(self, act: Act) -> None:
        """A key answers."""
        self._answer(ANSWERS[act])

    def rule(self, call: Call) -> bool:
        """Carries the command out, if it is one that answers."""
        if call.verb is Verb.ALLOW:
            self._answer(_WORDS[call.text])
        elif call.verb is Verb.DENY:
            self._answer(Approval.deny(call.text))
        else:
            return False
        return True

    def drawn(self, _: object = None) -> None:
        """What is in the view stands on the screen now."""
        asked = self._view.asked
        if asked is not None and not asked.ready and self._questions.shown(asked.request):
            loop = asyncio.get_running_loop()
            loop.call_later(READ_S, self._ripen, asked.request)

    def _heard(self, call: str, text: str) -> None:
        """A tool says something meanwhile."""
        if self._view.uses.say(call, text):
            self._renderer.touch()

    def _changed(self) -> None:
        """Another question stands, or none."""
        request = self._questions.current
        self._publish("" if request is None else as_note(request))
        if request is None:
            self._view.asked = None
        else:
            self._stand(request)
        self._speaker.refresh()

    def _stand(self, request: ApprovalRequest) -> None:
        width, height = self._renderer.width, self._renderer.height
        asked = Asked(request, behind=self._questions.count - 1)
        if self._speaker.linear:
            self._speaker.say(as_lines(request, self._speaker.look, width))
        elif is_long(request, width, height):
            lines = tuple(whole(request, self._speaker.look, width))
            self._speaker.show([Block(Kind.ASKED, "", lines=lines)])
            asked = Asked(request, above=True, behind=asked.behind)
        self._view.asked = asked
        self._on_asked()

    def _ripen(self, request: ApprovalRequest) -> None:
        """It has stood for long enough."""
        asked = self._view.asked
        if asked is not None and asked.request is request:
            self._view.asked = Asked(request, True, asked.above, self._questions.count - 1)
            self._speaker.tell_linear(how(request))
            self._speaker.refresh()

    def _answer(self, answer: Approval) -> None:
        if not self.asked:
            self._speaker.notice("no tool asks for anything")
            return
        request = self._questions.answer(answer)
        if request is None:
            self._speaker.notice("it has only just been asked: read it, then answer")
        elif answer.allowed and answer.scope is not Scope.ONCE:
            self._keep(request, answer.scope)
        else:
            self._speaker.tell_linear("allowed, this once" if answer.allowed else "denied")

    def _keep(self, request: ApprovalRequest, scope: Scope) -> None:
        """Says what is allowed from here on, and keeps it for other sessions if it is to be."""
        pattern = printable_line(request.pattern)
        if not pattern:
            self._speaker.say("allowed, this once: it is nothing that can be allowed for longer")
        elif scope is Scope.SESSION:
            self._speaker.say(f"allowed in this session: {pattern}")
        elif problem := self._problem_of_saving(request.pattern):
            self._speaker.say(f"allowed in this session: {pattern}; it can't be kept: {problem}")
        else:
            self._speaker.say(f"always allowed: {pattern}, in {printable_line(str(self._folder))}")

    def _problem_of_saving(self, pattern: str) -> str:
        try:
            approvals.add(pattern, self._folder)
        except AgentShellError as error:
            return reason_of(error)
        except OSError as error:
            return f"{error.filename}: {error.strerror}"
        return ""
