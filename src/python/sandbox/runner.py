# Runs one answer inside the interpreter: the program, then the steps of its tests, one by one. It gives back encoded values and
# errors and decides nothing. Every name it needs is bound here, before the answer runs.
import gc
import importlib.util
import io
import random
import sys
import types
from builtins import AssertionError, BaseException, MemoryError, SyntaxError, SystemExit, compile, dict, eval, exec, len, slice, str, type

# Imported once, before the memory is copied, so that an answer's own import costs nothing.
import abc, array, asyncio, atexit, base64, bisect, calendar, cmath, contextlib, copy, dataclasses, datetime, decimal, enum, fractions, functools  # noqa: E401
import hashlib, heapq, inspect, itertools, json, math, numbers, operator, os, queue, re, statistics, string, textwrap, threading, time, typing  # noqa: E401
import unittest, urllib.parse, uuid, warnings  # noqa: E401

from errata_encode import encode, honest, know_classes

PROGRAM = "answer.py"
TEST = "<test>"
MAX_MESSAGE = 500  # characters
MAX_FRAMES = 8

_builtins = dict(vars(sys.modules["builtins"]))
_mro = type.__dict__["__mro__"].__get__
_type_name = type.__dict__["__name__"].__get__
_traceback = BaseException.__dict__["__traceback__"].__get__
_settrace, _setprofile = sys.settrace, sys.setprofile
_modules = sys.modules
_Module = types.ModuleType
_stdout, _stderr = sys.stdout, sys.stderr
_answer = {}
_tests = {}
_program = None
_prelude = None


def _python_lru_cache():
    """functools' own wrapper in Python. Each call through the one in C takes a piece of the small C stack: a memoised recursion of
    400 would kill the interpreter, where a desktop Python allows about 500."""
    wanted = importlib.util.find_spec("functools")
    module = importlib.util.module_from_spec(wanted)
    in_c = _modules["_functools"]
    _modules["_functools"] = None  # its import fails, so functools keeps what it has in Python
    try:
        wanted.loader.exec_module(module)
    finally:
        _modules["_functools"] = in_c
    return module._lru_cache_wrapper


functools._lru_cache_wrapper = _python_lru_cache()


def _is_a(error, wanted):
    for kind in _mro(type(error)):
        if kind is wanted:
            return True
    return False


def _message(error):
    """str(error), which may be the answer's own code."""
    try:
        text = str(error)
        return str.__getitem__(text, slice(0, MAX_MESSAGE)) if type(text) is str else ""
    except BaseException:
        return ""


def _frames(error):
    """(line, function) of the program's own frames, outermost first, and whether the error was raised by the test itself."""
    frames, from_test, entry = [], False, _traceback(error)
    while entry is not None:
        code = entry.tb_frame.f_code
        from_test = code.co_filename == TEST
        if code.co_filename == PROGRAM:
            frames.append((entry.tb_lineno, code.co_name))
        entry = entry.tb_next
    return frames, from_test


def _failure(error, stage):
    """What the outside learns of an exception: (category, class, line, message, traceback, raised by the test itself)."""
    frames, from_test = _frames(error)
    line = frames[-1][0] if frames else None
    message = _message(error)
    if stage == "compile":
        category = "memory" if _is_a(error, MemoryError) else "syntax"
        if _is_a(error, SyntaxError):
            line, message = error.lineno, str(error.msg)[:MAX_MESSAGE]
    elif _is_a(error, SystemExit):
        category = "exit"
    elif _is_a(error, MemoryError):
        category = "memory"
    else:
        category = "assertion" if type(error) is AssertionError and from_test else "exception"
    name = str.__add__("", _type_name(type(error)))
    shown = frames if len(frames) <= MAX_FRAMES else frames[: MAX_FRAMES // 2] + frames[-MAX_FRAMES // 2 :]
    trace = "".join([f'  File "{PROGRAM}", line {number}, in {function}\n' for number, function in shown])
    return "!" + encode((category, name, line, message, trace))


def _quiet():
    """Ends tracing that the answer may have started."""
    _settrace(None)
    _setprofile(None)


def _module(name, prelude):
    """The names of a new module in which the prelude has run."""
    module = _Module(name)
    _modules[name] = module
    names = module.__dict__
    names["__builtins__"] = _modules["builtins"]
    if prelude:
        exec(prelude, names)
    return names


def begin(program, entry_point, setup, prelude, whole):
    """Executes the program and the tests' setup; a whole program is compiled only, to be run by its steps. Gives "" or a failure."""
    global _answer, _tests, _program, _prelude
    stage = "compile"
    try:
        code = compile(program, PROGRAM, "exec", dont_inherit=True)
        _prelude = compile(prelude, TEST, "exec", dont_inherit=True) if prelude else None
        if whole:
            _program = code
            return ""
        stage = "run"
        _answer = _module("answer", _prelude)
        exec(code, _answer)
    except BaseException as error:
        _quiet()
        return _failure(error, stage)
    _quiet()
    if entry_point and entry_point not in _answer:
        return "!" + encode(("no_entry_point", "NameError", None, f"name '{entry_point}' is not defined", ""))
    try:
        if setup:
            exec(compile(setup, TEST, "exec", dont_inherit=True), _answer)
        # The tests get their own names and untouched builtins: `sorted` in a test is Python's.
        _tests = dict(_answer)
        _tests["__builtins__"] = _builtins
        _tests["errata_honest"] = honest
    except BaseException as error:
        _quiet()
        return _failure(error, "setup")
    return ""


def _tests_are_made_of():
    """(namespace, its name, what is in it) of what tests that run inside rely on."""
    modules = [_modules[name] for name in ("builtins", "collections", "copy", "functools", "itertools", "json", "math", "operator", "re", "errata_encode")]
    cases = [module for name, module in _modules.items() if name.startswith("unittest")]
    classes = [value for module in cases for value in vars(module).values() if type(value) is type]
    return [(vars(of), of.__name__, [(name, value) for name, value in vars(of).items() if callable(value)]) for of in modules + cases + classes]


_foundations = []


def _changed():
    """What an answer has changed of what the tests are made of, or None."""
    for namespace, of, contents in _foundations:
        for name, value in contents:
            if name not in namespace or namespace[name] is not value:
                return of + "." + name
    return None


def _inside(source):
    """Runs a test whose outcome only it knows. Its first line names the mark that its last one leaves: gives the mark."""
    mark, _, source = source.partition("\n")
    exec(compile(source, TEST, "exec", dont_inherit=True), _tests)
    changed = _changed()
    if changed:
        return "!" + encode(("assertion", "AssertionError", None, f"the answer replaced {changed}, which its tests are made of", ""))
    return encode(_tests.get(mark))


def step(kind, source):
    """Runs a step of a test: "value" gives an encoded value, "inside" its mark, "run" "", each of them a failure when it raises."""
    try:
        if kind == "program":
            _run_program()
            return ""
        if kind == "inside":
            return _inside(source)
        if kind == "value":
            value = eval(compile(source, TEST, "eval", dont_inherit=True), _tests)
            _quiet()
            return encode(value)
        exec(compile(source, TEST, "exec", dont_inherit=True), _tests)
    except BaseException as error:
        _quiet()
        return _failure(error, "test")
    _quiet()
    return ""


def _run_program():
    """Runs the program as a script of its own: __main__, new streams, exit functions. To exit is to end. A thread, which contest programs
    start for its larger stack, runs where it is started."""
    threading.Thread.start = threading.Thread.run
    threading.Thread.join = threading.stack_size = lambda *_, **__: 0
    sys.stdin = sys.__stdin__ = io.TextIOWrapper(io.BufferedReader(io.FileIO(0, "r", closefd=False)), "utf-8")
    sys.stdout = sys.__stdout__ = io.TextIOWrapper(io.BufferedWriter(io.FileIO(1, "w", closefd=False)), "utf-8")
    try:
        exec(_program, _module("__main__", _prelude))
    except SystemExit:
        pass
    atexit._run_exitfuncs()
    sys.stdout.flush()
    _quiet()


def finish():
    """Sends on what was printed without a line end."""
    for stream in (_stdout, _stderr):
        try:
            stream.flush()
        except BaseException as error:
            _message(error)


class _Loop(asyncio.BaseEventLoop):
    """A plain event loop in place of Pyodide's, whose callbacks would fire in the browser, in the middle of a later answer."""

    def __init__(self):
        super().__init__()
        self._selector = self

    def select(self, timeout):
        if timeout:
            time.sleep(timeout)
        return []

    def _process_events(self, events):
        pass

    def _write_to_self(self):
        pass


class _Policy(asyncio.events._BaseDefaultEventLoopPolicy):
    _loop_factory = _Loop


def canary():
    """A small honest piece of work; its text is known outside, and differs where an earlier answer left its mark."""
    failure = begin("import bisect, re\ndef f(x):\n    return [x + 1, sorted(str(x)), re.sub('1', '-', f'{x:05d}'), bisect.bisect([1, 2, 4], 2)]\n", "f", "", "", False)
    return failure or step("value", "(f(41), sum([1, 2, 3]), len({1: 2}), max(0.5, 2), isinstance(1, int), 10 ** 20, 'a' * 3)")


def spin():
    """A fixed amount of interpreter work, timed outside to tell how busy the machine is."""
    total = 0
    for i in range(60_000):
        total += i & 7
    return total


def settle():
    """Before the snapshot: what is there is known, and collected once and then no more."""
    know_classes()
    _foundations.extend(_tests_are_made_of())
    _collect()


def _collect():
    gc.collect()
    gc.freeze()


def prepare():
    """Brings the interpreter to the state in which every answer starts."""
    import _pyodide._importhook as hook

    hook.jsfinder.jsproxies.clear()
    for name in [name for name in _modules if name.split(".")[0] in ("js", "pyodide_js")]:
        del _modules[name]
    asyncio.run = getattr(asyncio.run, "__wrapped__", asyncio.run)  # Pyodide's goes through JavaScript
    time.sleep = getattr(time.sleep, "__wrapped__", time.sleep)
    asyncio._set_running_loop(None)
    asyncio.events._set_event_loop_policy(_Policy())
    random.seed(0)
    sys.path[:] = [entry for entry in sys.path if entry]
    sys.settrace = sys.setprofile = lambda function: None  # a tracer could jump over the lines of a test
    _collect()
