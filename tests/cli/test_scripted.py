"""Scripted mode, run as its users run it: what goes in, what comes out, and the exit code."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from agent_shell.schema import event_schema
from support_scripted import chat, environment, program, run_program, start


def test_each_line_is_answered_in_order() -> None:
    """Every line of the input is a follow-up, and the answers come in its order, one a line."""
    ended = chat(input=b"one\ntwo\nthree\n")
    assert (ended.code, ended.out, ended.err) == (0, b"one\ntwo\nthree\n", "")


def test_a_flood_is_answered_whole() -> None:
    """More lines than may wait at once are all answered, in order."""
    flood = "".join(f"{number}\n" for number in range(12_000)).encode()
    ended = chat(input=flood)
    assert (ended.code, ended.out) == (0, flood)


def test_the_prompt_comes_first() -> None:
    """With a prompt and piped input, the prompt is the first follow-up."""
    assert chat("zero", input=b"one\n").lines == ["zero", "one"]


def test_what_is_data_and_what_is_not() -> None:
    """A CR before the line's end is none of it, blank lines are skipped, NUL bytes are data."""
    assert chat(input=b"a\r\n\n \t\r\nb\0c\n\xef\xbb\xbfd").out == b"a\nb\0c\n\xef\xbb\xbfd\n"


def test_empty_input_is_no_error() -> None:
    """Without any input nothing is said and nothing went wrong."""
    ended = chat(input=b"")
    assert (ended.code, ended.out, ended.err) == (0, b"", "")


def test_text_form_is_one_follow_up() -> None:
    """With --input text, prompt and input are one follow-up with a blank line between."""
    assert chat("Sum up:", "--input", "text", input=b"a\r\nb\n").out == b"Sum up:\n\na\nb\n"


@pytest.mark.parametrize("form", ["text", "lines"])
def test_a_prompt_stands_alone_where_the_input_is_empty(form: str) -> None:
    """Input that holds nothing leaves the prompt as it is."""
    assert chat("hello", "--input", form, input=b"\n").out == b"hello\n"


def test_text_that_is_not_utf8_is_named_and_the_rest_runs() -> None:
    """A line that is not UTF-8 is reported by line and byte; the others are answered."""
    ended = chat(input=b"good\nb\xffad\ngood too\n")
    assert (ended.code, ended.lines) == (2, ["good", "good too"])
    assert "line 2 is not UTF-8: byte 2 of it is 0xff" in ended.err


def test_a_line_that_is_too_large_is_refused_and_the_rest_runs() -> None:
    """A line beyond the limit is refused with its size; the others are answered."""
    ended = chat(input=b"first\n" + 5 * 1024 * 1024 * b"x" + b"\nlast\n")
    assert (ended.code, ended.lines) == (3, ["first", "last"])
    assert "line 2 has 5,242,880 bytes and the limit is 1,048,576" in ended.err


def test_json_lines_carry_lane_and_id() -> None:
    """A line of JSON says its text, its lane and its id."""
    ended = chat(
        *("--input", "jsonl", "--output", "json"),
        input=b'{"text": "a\\nb", "id": "mine"}\n\n{"text": "c", "lane": "merge"}\n',
    )
    first, second = json.loads(ended.out)["follow_ups"]
    assert (ended.code, first["id"], first["answer"]) == (0, "mine", "a\nb")
    assert (second["lane"], second["answer"]) == ("merge", "c")


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("nope", "line 2 is not JSON"),
        ("[" * 100_000, "line 2 is not JSON"),
        ('["text"]', "line 2 is a list where an object is expected"),
        ("{}", 'line 2 has no "text"'),
        ('{"text": 5}', 'line 2 has a number as "text"'),
        ('{"text": ""}', 'line 2 has an empty string as "text"'),
        ('{"text": "a", "id": null}', 'line 2 has null as "id"'),
        ('{"text": "a", "prio": 1}', 'line 2 has the unknown key "prio"'),
        ('{"text": "a", "lane": "fast"}', 'line 2 has "fast" as "lane" where one of queue'),
    ],
)
def test_a_bad_json_line_is_named_and_the_rest_runs(line: str, complaint: str) -> None:
    """A line that is not of the form is reported by number and key; the others are answered."""
    ended = chat("--input", "jsonl", input=f'{{"text":"x"}}\n{line}\n{{"text":"y"}}\n'.encode())
    assert (ended.code, ended.lines) == (2, ["x", "y"])
    assert complaint in ended.err


def test_an_id_runs_once() -> None:
    """The same id and text again are not run twice; with another text they are refused."""
    lines = b'{"text":"x","id":"1"}\n{"text":"x","id":"1"}\n{"text":"y","id":"1"}\n'
    ended = chat("--input", "jsonl", input=lines)
    assert (ended.code, ended.lines) == (3, ["x"])
    assert "line 3: id '1' was accepted before, with another text" in ended.err


def test_a_steering_line_reaches_the_running_turn() -> None:
    """A line with the lane `steer` is taken in by the turn that runs, past those that wait."""
    shell = start("chat", "-m", "echo:200", "--input", "jsonl", "--output", "stream-json")
    assert shell.stdin is not None
    long = json.dumps({"text": "word " * 200})
    waiting = [json.dumps({"text": f"w{number}"}) for number in range(2000)]
    lines = [long, *waiting, json.dumps({"text": "turn left", "lane": "steer", "id": "S"})]
    shell.stdin.write("".join(f"{line}\n" for line in lines).encode())
    shell.stdin.flush()
    assert shell.stdout is not None
    events = map(json.loads, shell.stdout)
    event = next(event for event in events if event["type"] == "receipt")
    shell.kill()
    shell.communicate()
    assert (event["id"], event["state"], event["turn"]) == ("S", "steered", 1)


def test_the_document_holds_every_follow_up() -> None:
    """--output json is one document with the session, the counts and each follow-up's end."""
    ended = chat("--output", "json", "-s", "work", input=b"a\nb\xff\nc\n")
    document = json.loads(ended.out)
    assert (document["session"], document["model"], document["hold"]) == ("work", "echo", None)
    assert document["counts"]["answered"] == document["counts"]["accepted"] == 2
    assert [rejected["error"] for rejected in document["rejected"]] == ["InvalidText"]
    keys = ["id", "text", "lane", "state", "reason", "turn", "answer", "accepted_at", "ended_at"]
    keys += ["steps"]
    assert [list(follow_up) for follow_up in document["follow_ups"]] == [keys, keys]
    assert [follow_up["answer"] for follow_up in document["follow_ups"]] == ["a", "c"]


def test_the_document_is_json_without_any_follow_up() -> None:
    """A program that reads the document gets one for an empty input too."""
    assert json.loads(chat("--output", "json").out)["follow_ups"] == []


def test_output_is_utf8_whatever_the_locale() -> None:
    """Standard output is UTF-8 also where the locale is another."""
    ended = run_program(
        *("chat", "-m", "echo"),
        input="grüß 👍🏽\n".encode(),
        changes={"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"},
    )
    assert ended.out.decode() == "grüß 👍🏽\n"


def test_answers_come_while_the_input_is_open() -> None:
    """An answer is written when it is there, not when the input ends."""
    shell = start("chat", "-m", "echo")
    assert shell.stdin is not None
    assert shell.stdout is not None
    for line in (b"ping\n", b"pong\n"):
        shell.stdin.write(line)
        shell.stdin.flush()
        assert shell.stdout.readline() == line
    shell.communicate()
    assert shell.returncode == 0


def test_a_closed_pipe_ends_the_program_quietly() -> None:
    """Where nobody reads the answers any more, the program ends and says nothing."""
    shell = start("chat", "-m", "echo")
    assert shell.stdin is not None
    assert shell.stdout is not None
    shell.stdin.write(b"first\n")
    shell.stdin.flush()
    assert shell.stdout.readline() == b"first\n"
    shell.stdout.close()
    shell.stdin.write(b"second\n")
    shell.stdin.flush()
    assert shell.stderr is not None
    # Its input stays open: it is the closed output that ends it.
    assert (shell.stderr.read(), shell.wait()) == (b"", 1)
    shell.stdin.close()
    shell.stderr.close()


def test_a_full_disk_is_said() -> None:
    """Output that can't be written is an error with its reason."""
    with Path("/dev/full").open("wb") as full:
        shell = start("chat", "-m", "echo", stdout=full.fileno())
        _, err = shell.communicate(b"hello\n")
    assert shell.returncode == 1
    assert b"standard output can't be written: No space left on device" in err


def test_a_full_disk_leaves_no_line_unsaid() -> None:
    """What is left in the queue is named, and how far the input was taken."""
    with Path("/dev/full").open("wb") as full:
        shell = start("chat", "-m", "echo:20", stdout=full.fileno())
        assert shell.stdin is not None
        assert shell.stderr is not None
        shell.stdin.write(b"one two\nsecond\nthird\n")
        shell.stdin.flush()
        # Its input stays open: it is the full disk that ends it.
        err = shell.stderr.read().decode()
        assert shell.wait() == 1
    assert "2 follow-ups are left in the queue" in err
    assert "to go on: agent-shell chat -s " in err
    assert err.endswith("agent-shell: the input was taken up to line 3\n")
    shell.stdin.close()
    shell.stderr.close()


def test_streams_that_are_closed() -> None:
    """Without standard input the prompt alone runs; without standard output nothing can."""
    line = " ".join(program("chat", "-m", "echo"))

    def shell(rest: str) -> subprocess.CompletedProcess[bytes]:
        command = f"{line} {rest}"
        return subprocess.run(
            ["sh", "-c", command], capture_output=True, check=False, env=environment()
        )

    assert shell("hello <&-").stdout == b"hello\n"
    assert shell("<&-").returncode == 2
    assert shell("hello >&- </dev/null").returncode == 2
    assert shell("hello 2>&- </dev/null").returncode == 0


def _on_a_terminal(*arguments: str) -> tuple[int, bytes, bytes]:
    """Runs the program with a terminal as its input that nobody types into."""
    ours, theirs = pty.openpty()
    try:
        done = subprocess.run(
            program("chat", "-m", "echo", *arguments),
            stdin=theirs,
            capture_output=True,
            check=False,
            env=environment(),
        )
    finally:
        os.close(ours)
        os.close(theirs)
    return done.returncode, done.stdout, done.stderr


def test_at_a_terminal_a_prompt_is_all() -> None:
    """With a prompt, nothing is read from a terminal."""
    assert _on_a_terminal("hello")[:2] == (0, b"hello\n")
    assert _on_a_terminal("hello", "--print")[:2] == (0, b"hello\n")


def test_print_at_a_terminal_needs_a_prompt() -> None:
    """--print at a terminal without a prompt is a usage error that says what to do."""
    code, out, err = _on_a_terminal("--print")
    assert (code, out) == (2, b"")
    assert b"give a PROMPT" in err


def test_a_terminal_gets_nothing_that_it_would_obey() -> None:
    """Answers that go to a terminal have their control characters made visible."""
    ours, theirs = pty.openpty()
    done = subprocess.run(
        program("chat", "-m", "echo", "a\x1b[2Jb\u202ec"),
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=subprocess.PIPE,
        check=False,
        env=environment(),
    )
    shown = os.read(ours, 1000).decode()
    os.close(ours)
    os.close(theirs)
    assert (done.returncode, shown) == (0, "a␛[2Jb<U+202E>c\r\n")


_IN_A_LINE = """
import asyncio
from agent_shell_cli.scripted.writer import STDERR, STDOUT, Writer

async def main():
    writer = Writer(lambda fd, error: None)
    writer.write(STDOUT, "half")
    writer.write(STDERR, "said\\n")
    writer.write(STDOUT, "done\\n")
    writer.write(STDERR, "end\\n")
    await writer.close()

asyncio.run(main())
"""


def test_on_a_screen_what_is_said_has_lines_of_its_own() -> None:
    """A message in the middle of an answer's line begins a new one, if both are a terminal."""
    ours, theirs = pty.openpty()
    writes = [program()[0], "-c", _IN_A_LINE]
    subprocess.run(writes, stdout=theirs, stderr=theirs, check=True, env=environment())
    both = os.read(ours, 1000).decode()
    piped = subprocess.run(
        writes, stdout=subprocess.PIPE, stderr=theirs, check=True, env=environment()
    )
    said = os.read(ours, 1000).decode()
    os.close(ours)
    os.close(theirs)
    assert both == "half\r\nsaid\r\ndone\r\nend\r\n"
    assert (piped.stdout, said) == (b"halfdone\n", "said\r\nend\r\n")


def test_every_event_of_a_stream_is_of_the_schema() -> None:
    """--output stream-json gives one event a line, numbered from 1, each as the schema has it."""
    ended = chat("--output", "stream-json", input=b"a\nb\xff\nc\n")
    validator = Draft202012Validator(event_schema())
    for event in ended.events:
        validator.validate(event)
    assert [event["seq"] for event in ended.events] == list(range(1, len(ended.events) + 1))
    types = [event["type"] for event in ended.events]
    assert (types[0], types[-1]) == ("session.opened", "session.closed")
    assert {"follow_up.accepted", "follow_up.rejected", "turn.delta", "receipt"} <= set(types)
