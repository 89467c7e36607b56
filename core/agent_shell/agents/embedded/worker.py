"""The program that runs the model: the one place that imports xllamacpp.

It is a process of its own, started by `runtime.py`, and that is the rule here:
making an xllamacpp server holds the interpreter lock for 0.3 to 1.1 s and takes
over SIGINT and SIGTERM, and a crash in native code ends the process. So none of
that may happen where the event loop and the session live.

It speaks JSON lines. The first line of standard input is the configuration;
then come requests, run in order, one at a time: `{"id", "op": "count",
"messages"}`, `{"id", "op": "generate", "messages", "max_tokens"}`, and at any
time `{"op": "cancel", "id"}`. Standard output carries `{"id", "text"}`,
`{"id", "end": {…}}` and `{"id", "error"}`; request 0 is the loading. The end of
standard input ends the process at once. Only the standard library and xllamacpp
are imported, so it starts fast and needs no import path.
"""

from __future__ import annotations

import http.client
import json
import os
import queue
import secrets
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any, Protocol, cast
from urllib.parse import urlsplit

Message = dict[str, str]


class _Server(Protocol):
    """What is used of `xllamacpp.Server`, which has no type stubs."""

    listening_address: str

    def handle_chat_completions(
        self, prompt: dict[str, Any], callback: Callable[[dict[str, Any]], bool]
    ) -> None: ...


class Model:
    """A loaded model. Raises `RuntimeError` or `ImportError` if it cannot be loaded."""

    def __init__(self, path: str, window: int) -> None:
        self._key = secrets.token_urlsafe(32)
        self._server = _load(path, window, self._key)
        # llama.cpp has put its own handlers there; the parent alone ends this process.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        self.window: int = self._ask("GET", "/props")["default_generation_settings"]["n_ctx"]

    def count(self, messages: list[Message]) -> int:
        """The tokens of the prompt that the chat template makes of `messages`."""
        answer = self._ask("POST", "/v1/chat/completions/input_tokens", {"messages": messages})
        return int(answer["input_tokens"])

    def generate(
        self,
        messages: list[Message],
        max_tokens: int,
        emit: Callable[[str], None],
        stopped: Callable[[], bool],
    ) -> dict[str, Any]:
        """Streams the answer to `emit`; gives its tokens and why it ended.

        `stopped` is asked after each token and each batch of the prompt.
        """
        end: dict[str, Any] = {"input_tokens": 0, "output_tokens": 0, "finish": "cancelled"}
        errors: list[object] = []

        def on_chunk(chunk: dict[str, Any]) -> bool:
            try:
                if "error" in chunk or "choices" not in chunk:
                    errors.append(chunk.get("error", chunk))
                    return True
                _take(chunk, end, emit)
                return stopped()
            except BaseException as error:  # The caller swallows it and would run on.
                errors.append(error)
                return True

        self._server.handle_chat_completions(
            {
                "messages": messages,
                "max_tokens": max_tokens,
                "temperature": 0,
                # So small a model repeats itself for ever otherwise; short answers
                # stay what they are.
                "dry_multiplier": 0.8,
                "dry_allowed_length": 8,
                "dry_penalty_last_n": 256,
                "stream": True,
                "stream_options": {"include_usage": True},
                "cache_prompt": True,
                # With small batches it makes the reading of a long prompt interruptible.
                "return_progress": True,
            },
            on_chunk,
        )
        if errors:
            raise RuntimeError(_reason(errors[0]))
        return end

    def _ask(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        connection = http.client.HTTPConnection(urlsplit(self._server.listening_address).netloc)
        try:
            headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
            connection.request(method, path, json.dumps(body), headers)
            response = connection.getresponse()
            answer = json.loads(response.read())
        finally:
            connection.close()
        if response.status != 200:
            raise RuntimeError(_reason(answer.get("error", answer)))
        return cast("dict[str, Any]", answer)


def _load(path: str, window: int, key: str) -> _Server:
    import xllamacpp  # pyright: ignore[reportMissingTypeStubs]

    llama = cast("Any", xllamacpp)
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    params = llama.CommonParams()
    params.model.path = path
    params.verbosity = -1
    params.n_ctx = window
    params.n_parallel = 1
    # A cancel waits for one batch of the prompt: 0.15 to 0.35 s with 16 tokens. With these
    # threads 64 are not read faster. One thread a core would read 1.4 times as fast on two
    # idle cores, and a quarter as fast as soon as another program keeps one of them busy.
    params.n_batch = params.n_ubatch = 16
    threads = max(1, cores - 1)
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    # On a CPU it halves the speed: 16 against 36 tokens/s after a 3,000-token prompt.
    params.flash_attn_type = llama.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    params.cache_ram_mib = 256  # Prompts of other sessions, so that they are not read anew.
    params.fit_params = params.warmup = False  # They double the time of loading.
    params.hostnames, params.port = ["127.0.0.1"], 0
    params.api_keys, params.cors_origins = [key], ""
    params.ui = params.endpoint_slots = params.endpoint_metrics = False
    params.n_threads_http = 1
    return cast("_Server", llama.Server(params))


def _take(chunk: dict[str, Any], end: dict[str, Any], emit: Callable[[str], None]) -> None:
    for choice in chunk["choices"]:
        if text := choice["delta"].get("content"):
            emit(text)
        if reason := choice.get("finish_reason"):
            end["finish"] = reason
    if usage := chunk.get("usage"):
        end["input_tokens"] = usage["prompt_tokens"]
        end["output_tokens"] = usage["completion_tokens"]
        end["cached_tokens"] = usage.get("prompt_tokens_details", {}).get("cached_tokens", 0)


def _reason(error: object) -> str:
    if isinstance(error, dict):
        return str(cast("dict[str, object]", error).get("message", "an error without a message"))
    return str(error) or type(error).__name__


class _Channel:
    """Requests in, answers out; a cancel overtakes the requests that wait."""

    def __init__(self) -> None:
        # Whatever native code prints on standard output must not enter the protocol.
        self._output = os.fdopen(os.dup(1), "wb", buffering=0)
        os.dup2(2, 1)
        self._cancelled = -1
        self._requests: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        threading.Thread(target=self._read, name="requests", daemon=True).start()

    def next(self) -> dict[str, Any]:
        return self._requests.get()

    def send(self, message: dict[str, Any]) -> None:
        try:
            self._output.write(json.dumps(message).encode() + b"\n")
        except OSError:  # Nobody is left to read it.
            os._exit(0)

    def stopped(self, request: int) -> bool:
        """Ids rise by one, so whoever cancels one has given up all before it."""
        return request <= self._cancelled

    def _read(self) -> None:
        for line in sys.stdin.buffer:
            message = json.loads(line)
            if message.get("op") == "cancel":
                self._cancelled = message["id"]
            else:
                self._requests.put(message)
        os._exit(0)  # Nothing here needs a clean-up, and native threads would delay it.


def _serve(model: Model, channel: _Channel, request: dict[str, Any]) -> None:
    number = request["id"]
    if channel.stopped(number):
        end: dict[str, Any] = {"finish": "cancelled"}
    elif request["op"] == "count":
        end = {"tokens": model.count(request["messages"])}
    else:
        end = model.generate(
            request["messages"],
            request["max_tokens"],
            lambda text: channel.send({"id": number, "text": text}),
            lambda: channel.stopped(number),
        )
    channel.send({"id": number, "end": end})


def main() -> None:
    """Loads the model, then serves requests until standard input ends."""
    channel = _Channel()
    configuration = channel.next()
    try:
        model = Model(configuration["path"], configuration["window"])
    except Exception as error:
        channel.send({"id": 0, "error": _reason(error)})
        return
    channel.send({"id": 0, "end": {"window": model.window}})
    while True:
        request = channel.next()
        try:
            _serve(model, channel, request)
        except Exception as error:
            channel.send({"id": request["id"], "error": _reason(error)})


if __name__ == "__main__":
    main()
