"""Runs answers with their tests and names the exception they raise.

`judge` runs in this process (for the generator's own code); `judge_many` runs a child process with memory and time
limits (for what a model wrote). Time is processor time: a busy machine does not turn an answer into a TimeoutError.
"""

import builtins
import json
import resource
import signal
import subprocess
import sys
from pathlib import Path
from types import CodeType
from typing import Any, Sequence

TIME_LIMIT_S = 0.015
RECURSION_LIMIT = 300
MEMORY_BYTES = 1 << 31
FORBIDDEN = ("open", "exec", "eval", "compile", "__import__", "input", "exit", "quit", "breakpoint", "print")
BUILTINS = {name: value for name, value in vars(builtins).items() if name not in FORBIDDEN}


class Timeout(BaseException):
    """Raised by the alarm; a BaseException, so that an answer's own `except Exception` does not catch it."""


def _alarm(*_: object) -> None:
    raise Timeout


def call_limited(code: CodeType | str, scope: dict[str, Any], limit_s: float) -> None:
    signal.signal(signal.SIGVTALRM, _alarm)
    signal.setitimer(signal.ITIMER_VIRTUAL, limit_s)
    try:
        exec(code, scope)
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


def judge(program: str, tests: str, limit_s: float = TIME_LIMIT_S) -> str:
    """The exception class that program and tests raise, "" when they pass."""
    old_limit = sys.getrecursionlimit()
    sys.setrecursionlimit(RECURSION_LIMIT)
    try:
        call_limited(compile(program + "\n" + tests, "answer.py", "exec"), {"__builtins__": BUILTINS}, limit_s)
    except Timeout:
        return "TimeoutError"
    except BaseException as error:  # noqa: BLE001  whatever an answer raises is data
        return type(error).__name__
    finally:
        sys.setrecursionlimit(old_limit)
    return ""


def write_tests(program: str, entry_point: str, arguments: Sequence[list[object]]) -> tuple[str, ...]:
    """Assert lines with the values that program returns."""
    scope: dict[str, Any] = {}
    exec(compile(program, "right.py", "exec"), scope)
    lines = []
    for args in arguments:
        call = f"{entry_point}({', '.join(map(repr, args))})"
        expected = eval(call, scope)
        word = "is" if expected is None or isinstance(expected, bool) else "=="
        lines.append(f"assert {call} {word} {expected!r}")
    return tuple(lines)


def judge_many(samples: Sequence[tuple[str, str]]) -> list[str]:
    """Judges (program, tests) pairs in a child process, which is restarted should an answer kill it."""
    verdicts: list[str] = []
    while len(verdicts) < len(samples):
        rest = "\n".join(json.dumps(s) for s in samples[len(verdicts) :])
        child = subprocess.run([sys.executable, "-I", Path(__file__)], input=rest, capture_output=True, text=True, check=False)
        verdicts += child.stdout.split("\n")[:-1]
        if len(verdicts) < len(samples):
            verdicts.append("UnknownError")
    return verdicts


def main() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    for line in sys.stdin:
        program, tests = json.loads(line)
        sys.stdout.write(judge(program, tests) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
