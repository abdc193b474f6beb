# Splits tests into what the answer's interpreter may see (calls) and what it may not (expected values and the comparison). It runs
# in an interpreter of its own, in which no answer ever runs. The plan's grammar is in ../plan.ts.
import ast
import importlib.util
import json
import random
import sys
from builtins import *  # noqa: F403
from unittest import TestCase

from errata_encode import encode

# Builtins and modules that give the same value in every interpreter.
PURE_BUILTINS = {
    *("abs all any ascii bin bool bytearray bytes chr complex dict divmod enumerate filter float format frozenset hex int isinstance"
      " len list map max min oct ord pow range repr reversed round set slice sorted str sum tuple type zip True False None").split()
}
PURE_MODULES = {
    *"math cmath string collections itertools functools fractions decimal operator re statistics heapq bisect copy json typing".split()
}
# Modules that give another value at every call: what a test draws is drawn here, once, and goes inside as it came out.
DRAWING_MODULES = {"random"}
MAX_UNROLLED = 5000  # passes through the loops of one test
# What may be wrapped around a call inside the answer's interpreter: it gives a value, never a comparison.
WRAPPERS = {
    *("abs bool dict filter float frozenset int isinstance len list map max min repr reversed round set sorted str sum tuple type"
      " Counter OrderedDict").split()
}
COMPARISONS = {
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=",
    ast.Is: "is", ast.IsNot: "is not", ast.In: "in", ast.NotIn: "not in",
}  # fmt: skip
ARITHMETIC = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
MATH = {"isclose"}


class CannotSplit(Exception):
    """The expression has to run inside."""


class CannotRun(Exception):
    """The tests need what is not there."""


def must_exist(module):
    if module and importlib.util.find_spec(module.split(".")[0]) is None:
        raise CannotRun(f"the tests import {module}, which this Python has not")


def is_docstring(node):
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def copy_of(node):
    return ast.parse(ast.unparse(node)).body[0]


def names_in(node):
    return {child.id for child in ast.walk(node) if isinstance(child, ast.Name)}


class Splitter:
    """Splits the tests of one problem. `steps` run inside in their order; `checks` are made outside."""

    def __init__(self, entry_point, setup):
        self.entry_point = entry_point
        self.candidates = {entry_point}  # the names under which the tests call the answer
        self.namespace = {"__name__": "tests"}
        self.pure = PURE_BUILTINS - {entry_point}  # names whose value is the same here and inside
        self.deferred = {}  # name -> the statement that gives it its value, run inside when a step there needs the name and not before
        self.evalplus = False  # the tests bring EvalPlus's own assertion(out, exp, atol)
        self.local = set()  # names whose value is known only here: it goes inside as a literal
        self.unrolled = 0
        self.own = set()  # names that the tests define and that are not pure: never part of the answer
        self.values = {}  # name -> the expression of the value that it was given
        self.passed = set()  # names given to the answer, which may have changed what they hold
        self.steps = []
        self.checks = []
        self.test = 0
        for statement in ast.parse(setup or "").body:
            self.define(statement)

    # -- statements ------------------------------------------------------------------------------------------------------------

    def split_test(self, index, source):
        self.test = index
        body = ast.parse(source).body
        functions = {node.name: node for node in body if isinstance(node, ast.FunctionDef)}
        if {"assertion", "is_floats"} <= functions.keys() and [arg.arg for arg in functions["assertion"].args.args] == ["out", "exp", "atol"]:
            # EvalPlus's problems as its datasets bring them: the comparison is made outside, so numpy is not needed.
            self.evalplus = True
            body = [node for node in body if node not in (functions["assertion"], functions["is_floats"]) and ast.unparse(node) != "import numpy as np"]
        called = {name for node in body if isinstance(node, ast.Expr) for name in names_in(node)}
        for statement in body:
            if isinstance(statement, ast.ClassDef) and self.is_test_case(statement):
                self.test_case(statement)
            elif isinstance(statement, ast.FunctionDef) and statement.name == "check" and self.can_inline(statement):
                if "check" not in called:
                    self.inline(statement, ast.Name(self.entry_point, ast.Load()))
            elif self.is_check_call(statement, functions):
                self.inline(functions["check"], statement.value.args[0])
            elif not self.is_main_guard(statement):
                self.statement(statement)
        check = functions.get("check")
        if check and "check" not in called and not self.can_inline(check):
            self.step("inside", ast.unparse(check) + f"\ncheck({self.entry_point})")

    def statement(self, node):
        """One statement of a test: a check where it is an assert that can be split, else it runs inside."""
        try:
            self.split_statement(node)
        except CannotSplit:
            self.forget(node)
            self.step("inside", ast.unparse(node))

    def split_statement(self, node):
        if isinstance(node, ast.Assert) and self.holds_for_all(node.test):
            self.known_or_inside(node)
        elif isinstance(node, ast.Assert):
            self.assertion(node.test, node)
        elif isinstance(node, (ast.Pass, ast.Global)) or is_docstring(node) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Name)):
            return
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            self.define(node)
            self.step("run", ast.unparse(node))
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            self.define(node)
            self.deferred[node.name] = ast.unparse(node)
        elif self.is_evalplus_assertion(node):
            self.known(node)
        elif isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            self.assign(node.targets[0].id, node)
        elif isinstance(node, ast.Expr) and self.is_call_of_answer(node.value):
            self.call(node)
        elif isinstance(node, (ast.For, ast.If, ast.While)):
            self.known_or_inside(node)
        else:
            self.forget(node)
            self.step("inside", ast.unparse(node))

    def call(self, node):
        self.step("run", ast.unparse(self.with_literals(node)))
        self.passed |= names_in(node)

    # -- loops and branches over what is known here --------------------------------------------------------------------------------

    def known_or_inside(self, node):
        """A loop or branch that depends on nothing of the answer, statement by statement as it goes; any other runs inside."""
        before = len(self.steps), len(self.checks)
        names = [set(known) for known in (self.pure, self.own, self.local, self.passed)], dict(self.values), dict(self.namespace), dict(self.deferred)
        drawn = random.getstate()
        try:
            self.known(node)
        except CannotSplit:
            del self.steps[before[0] :], self.checks[before[1] :]
            (self.pure, self.own, self.local, self.passed), self.values, self.namespace, self.deferred = names
            random.setstate(drawn)
            self.forget(node)
            self.step("inside", ast.unparse(node))

    def known(self, node):
        """A statement in a loop that is unrolled: what it changes is known here only."""
        if isinstance(node, ast.For):
            for item in self.evaluate(node.iter):
                self.unrolled += 1
                if self.unrolled > MAX_UNROLLED:
                    raise CannotSplit
                self.bind(node.target, item)
                self.each(node.body)
            self.each(node.orelse)
        elif isinstance(node, ast.While) and not node.orelse:
            while self.evaluate(node.test):
                self.unrolled += 1
                if self.unrolled > MAX_UNROLLED:
                    raise CannotSplit
                self.each(node.body)
        elif isinstance(node, ast.If):
            self.each(node.body if self.evaluate(node.test) else node.orelse)
        elif isinstance(node, ast.Assert) and self.holds_for_all(node.test):
            self.known(self.as_loop(node.test.args[0]))
        elif isinstance(node, ast.Assert):
            tree = self.expression(node.test)
            self.checks.append({"test": self.test, "after": len(self.steps), "text": ast.unparse(node.test), "tree": tree})
        elif self.is_evalplus_assertion(node):
            out, expected, atol = node.value.args
            of = [self.expression(out), {"op": "constant", "value": self.constant(expected)}, {"op": "constant", "value": self.constant(atol)}]
            tree = {"op": "function", "name": "evalplus", "of": of, "named": {}}
            self.checks.append({"test": self.test, "after": len(self.steps), "text": ast.unparse(node), "tree": tree})
        elif isinstance(node, ast.Expr) and self.is_call_of_answer(node.value):
            self.call(node)
        elif isinstance(node, ast.Assign) and self.is_call_of_answer(node.value) and isinstance(node.targets[0], ast.Name):
            self.assign(node.targets[0].id, node)
        elif isinstance(node, (ast.Assign, ast.AugAssign, ast.Expr)) and not self.mentions_answer(node):
            self.execute_here(node)
        elif not isinstance(node, ast.Pass):
            raise CannotSplit

    def holds_for_all(self, node):
        """True for all(f(x) == y for x, y in cases): an assert in a loop."""
        called = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "all" and "all" in self.pure
        items = node.args[0] if called and len(node.args) == 1 else None
        return isinstance(items, (ast.GeneratorExp, ast.ListComp)) and self.mentions_answer(items.elt) and not self.bound_in(items) & (self.candidates | self.namespace.keys())

    def as_loop(self, items):
        body = ast.Assert(items.elt)
        for part in reversed(items.generators):
            for condition in reversed(part.ifs):
                body = ast.If(condition, [body], [])
            body = ast.For(part.target, part.iter, [body], [])
        return ast.fix_missing_locations(body)

    def is_evalplus_assertion(self, node):
        call = node.value if isinstance(node, ast.Expr) else None
        named = isinstance(call, ast.Call) and ast.unparse(call.func) == "assertion" and len(call.args) == 3
        return self.evalplus and named and not call.keywords

    def each(self, body):
        for statement in body:
            self.known(statement)

    def bind(self, target, value):
        """`target = value`, as a loop does it."""
        self.namespace["_item"] = value
        self.execute_here(ast.fix_missing_locations(ast.Assign([target], ast.Name("_item", ast.Load()))), {"_item"})

    def execute_here(self, node, given=frozenset()):
        loaded = {child.id for child in ast.walk(node) if isinstance(child, ast.Name) and isinstance(child.ctx, ast.Load)}
        stored = {child.id for child in ast.walk(node) if isinstance(child, ast.Name) and not isinstance(child.ctx, ast.Load)}
        if not loaded - self.bound_in(node) <= self.pure | given or not self.execute(node):
            raise CannotSplit
        for name in stored:
            self.values.pop(name, None)
            self.own.discard(name)
            self.passed.discard(name)
        self.pure |= stored
        self.local |= stored

    def evaluate(self, node):
        """The value, as it is here, of an expression that needs nothing of the answer."""
        if not names_in(node) - self.bound_in(node) <= self.pure:
            raise CannotSplit
        try:
            return eval(compile(ast.Expression(node), "<tests>", "eval"), self.namespace)
        except Exception as error:
            raise CannotSplit from error

    def with_literals(self, node):
        """The expression with what is known only here written out."""
        wanted = names_in(node) & self.local
        if not wanted:
            return node
        if wanted & self.bound_in(node):
            raise CannotSplit
        return ast.fix_missing_locations(Literals(self.namespace, wanted).visit(ast.parse(ast.unparse(node)).body[0]))

    def assertion(self, expression, node):
        """`assert expression`, split into steps and a check, or run inside."""
        before = len(self.steps)
        try:
            tree = self.expression(expression)
        except CannotSplit:
            del self.steps[before:]
            self.step("inside", ast.unparse(node))
            return
        self.checks.append({"test": self.test, "after": len(self.steps), "text": ast.unparse(expression), "tree": tree})

    def assign(self, name, node):
        """`name = value`: known here when it is pure, a value of the answer when it calls it, unknown otherwise."""
        draws = self.draws(node.value)
        source = f"{name} = {ast.unparse(self.with_literals(node.value))}"
        self.forget(node)
        if self.is_call_of_answer(node.value):
            self.step("run", source)
            self.values[name] = node.value
            self.passed |= names_in(node.value)
            return
        try:
            if draws:
                self.execute_here(node)
            else:
                self.constant(node.value)
                self.execute(node)
                self.pure.add(name)
                self.passed.discard(name)
            self.deferred[name] = source if literal_of(self.namespace[name]) is None else f"{name} = {self.namespace[name]!r}"
        except CannotSplit:
            self.step("run", source)
            self.own.add(name)

    def draws(self, node):
        return any(self.namespace.get(name) is random or getattr(self.namespace.get(name), "__self__", None) is random._inst
                   or isinstance(self.namespace.get(name), random.Random) for name in names_in(node) & self.pure)

    def define(self, node):
        """An import, function or class of the tests: pure modules are known here, everything else is only known not to be the answer's."""
        if isinstance(node, ast.Import):
            for alias in node.names:
                must_exist(alias.name)
                self.know((alias.asname or alias.name).split(".")[0], alias.name in PURE_MODULES | DRAWING_MODULES, node)
        elif isinstance(node, ast.ImportFrom):
            must_exist(node.module)
            for alias in node.names:
                self.know(alias.asname or alias.name, node.module in PURE_MODULES | DRAWING_MODULES, node)
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            self.know(node.name, False, node)
        elif isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            try:
                self.constant(node.value)
                self.know(node.targets[0].id, True, node)
            except CannotSplit:
                self.know(node.targets[0].id, False, node)
        else:
            self.forget(node)

    def know(self, name, pure, node):
        self.pure.discard(name)
        self.own.discard(name)
        self.local.discard(name)
        self.values.pop(name, None)
        if pure and self.execute(node):
            self.pure.add(name)
        else:
            self.own.add(name)

    def execute(self, node):
        try:
            exec(compile(ast.Module([node], []), "<tests>", "exec"), self.namespace)
        except Exception:
            return False
        return True

    def forget(self, node):
        """Names that a statement binds hold from now on what only the inside knows."""
        for child in ast.walk(node):
            if isinstance(child, ast.Name) and not isinstance(child.ctx, ast.Load):
                self.pure.discard(child.id)
                self.local.discard(child.id)
                self.values.pop(child.id, None)
                self.own.add(child.id)
                if isinstance(node, ast.Assign):
                    self.deferred.pop(child.id, None)

    def step(self, kind, source):
        if kind == "inside":
            source = ast.unparse(ast.fix_missing_locations(Honest(self).visit(ast.parse(source))))
        for name in names_in(ast.parse(source)):
            needed = self.deferred.pop(name, None)
            if needed:
                self.step("run", needed)
        self.steps.append({"kind": kind, "test": self.test, "source": source})
        return len(self.steps) - 1

    # -- check(candidate), unittest --------------------------------------------------------------------------------------------

    def can_inline(self, function):
        return len(function.args.args) == 1 and not any(isinstance(node, (ast.Return, ast.Yield, ast.Nonlocal)) for node in ast.walk(function))

    def is_check_call(self, node, functions):
        call = node.value if isinstance(node, ast.Expr) else None
        named = isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "check" and len(call.args) == 1
        return bool(named and "check" in functions and self.can_inline(functions["check"]))

    def inline(self, function, candidate):
        parameter = function.args.args[0].arg
        if parameter != ast.unparse(candidate):
            self.step("run", f"{parameter} = {ast.unparse(candidate)}")
        self.candidates.add(parameter)
        self.pure.discard(parameter)
        self.own.discard(parameter)
        for statement in function.body:
            self.statement(statement)

    def is_main_guard(self, node):
        return isinstance(node, ast.If) and "__name__" in names_in(node.test)

    def is_test_case(self, node):
        return any(ast.unparse(base) in ("unittest.TestCase", "TestCase") for base in node.bases)

    def test_case(self, node):
        """The methods of a unittest.TestCase in unittest's order; one that needs more of unittest than asserts and fixtures runs inside."""
        statements = self.inlined(node)
        if statements is None:
            self.step("inside", ast.unparse(node) + "\n" + RUN_TEST_CASE.replace("NAME", node.name))
        for statement in statements or []:
            self.statement(statement)

    def inlined(self, node):
        """The statements of a test case's methods, each after setUp and before tearDown, with `self.x` as a name; None where that is not all."""
        methods = {item.name: item.body for item in node.body if isinstance(item, ast.FunctionDef)}
        tests = sorted(name for name in methods if name.startswith("test"))
        others = [item for item in node.body if not isinstance(item, ast.FunctionDef) and not is_docstring(item)]
        if others or not methods.keys() - tests <= {"setUp", "tearDown"}:
            return None
        bodies = [methods.get("setUp", []) + methods[name] + methods.get("tearDown", []) for name in tests]
        statements = [Attributes().visit(self.as_assert(copy_of(statement))) for body in bodies for statement in body]
        return None if any("self" in names_in(statement) for statement in statements) else statements

    def as_assert(self, node):
        """`self.assertEqual(a, b)` as `assert a == b`; any other statement as it is."""
        call = node.value if isinstance(node, ast.Expr) else None
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value) == "self"):
            return node
        pattern = UNITTEST.get(call.func.attr)
        count = pattern.count("{") if pattern else 0
        if not pattern or len(call.args) < count or call.keywords:
            return node
        return ast.parse("assert " + pattern.format(*[f"({ast.unparse(argument)})" for argument in call.args])).body[0]

    # -- expressions -----------------------------------------------------------------------------------------------------------

    def expression(self, node):
        """The tree of an expression, its calls of the answer added to the steps."""
        if self.is_call_of_answer(node):
            return self.value(node)
        if isinstance(node, ast.BoolOp):
            # Both sides run inside whatever the first gives, so the second must not depend on it: only comparisons of separate calls.
            return {"op": "and" if isinstance(node.op, ast.And) else "or", "of": [self.expression(item) for item in node.values]}
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return {"op": "not", "of": self.expression(node.operand)}
        if not self.mentions_answer(node):
            return {"op": "constant", "value": self.constant(node)}
        if isinstance(node, ast.Compare):
            operands = [self.expression(item) for item in (node.left, *node.comparators)]
            return {"op": "compare", "by": [COMPARISONS[type(item)] for item in node.ops], "of": operands}
        if isinstance(node, ast.BinOp) and type(node.op) in ARITHMETIC:
            return {"op": "arithmetic", "by": ARITHMETIC[type(node.op)], "of": [self.expression(node.left), self.expression(node.right)]}
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return {"op": "function", "name": "neg", "of": [self.expression(node.operand)], "named": {}}
        if isinstance(node, ast.Call):
            return self.function(node)
        raise CannotSplit

    def function(self, node):
        """abs(...), round(...) and math.isclose(...) around something that is not a plain call."""
        name = ast.unparse(node.func).removeprefix("math.")
        known = name in ("abs", "round") or (name in MATH and not names_in(node.func) & self.own)
        if not known or any(isinstance(argument, ast.Starred) for argument in node.args):
            raise CannotSplit
        named = {keyword.arg: self.expression(keyword.value) for keyword in node.keywords if keyword.arg}
        return {"op": "function", "name": name, "of": [self.expression(argument) for argument in node.args], "named": named}

    def value(self, node):
        if self.draws(node):
            raise CannotSplit
        self.passed |= names_in(node)
        return {"op": "step", "step": self.step("value", ast.unparse(self.with_literals(node)))}

    def mentions_answer(self, node):
        return any(self.is_answers(name) for name in names_in(node) - self.bound_in(node))

    def is_answers(self, name):
        return name in self.values or self.was_given(name) or (name not in self.pure and name not in self.own)

    def was_given(self, name):
        """True for what the tests made and the answer was given, which may have changed it: now it is a value of the answer's."""
        return name in self.passed & self.pure - self.local and self.may_have_changed(name)

    def bound_in(self, node):
        stores = {child.id for child in ast.walk(node) if isinstance(child, ast.Name) and not isinstance(child.ctx, ast.Load)}
        return stores | {child.arg for child in ast.walk(node) if isinstance(child, ast.arg)}

    def is_call_of_answer(self, node):
        """True for an expression that only makes a value with the answer: f(x), sorted(f(x)), f(x)[0], f(x).lower(), Solution().g(x)."""
        if isinstance(node, ast.Name):
            return node.id in self.values or self.was_given(node.id)
        if isinstance(node, ast.Subscript):
            return self.is_call_of_answer(node.value) and not self.mentions_answer(node.slice)
        if isinstance(node, ast.Attribute):
            return self.is_call_of_answer(node.value)
        if not isinstance(node, ast.Call):
            return False
        name = ast.unparse(node.func).removeprefix("collections.")
        if name in WRAPPERS and names_in(node.func) <= self.pure:
            return self.wraps_answer(node)
        return self.is_place_of_answer(node.func) and not self.judges(node)

    def wraps_answer(self, node):
        """True when the arguments are calls of the answer and constants, at least one of them a call."""
        arguments = [*node.args, *(keyword.value for keyword in node.keywords)]
        calls = [argument for argument in arguments if self.is_call_of_answer(argument)]
        return bool(calls) and all(argument in calls or not self.mentions_answer(argument) for argument in arguments)

    def judges(self, node):
        """True for a call of another function that gets the answer's result beside something else, as in allclose(f(x), 3)."""
        if names_in(node.func) & self.candidates:
            return False
        return len(node.args) + len(node.keywords) > 1 and any(names_in(argument) & self.candidates for argument in node.args)

    def is_place_of_answer(self, node):
        """True for what stands before the parentheses of a call of the answer: f, Solution().g, obj.method."""
        if isinstance(node, ast.Name):
            return self.is_answers(node.id)
        return isinstance(node, ast.Attribute) and (self.is_call_of_answer(node.value) or self.is_place_of_answer(node.value))

    def may_have_changed(self, name):
        try:
            hash(self.namespace.get(name))
        except TypeError:
            return True
        return False

    def constant(self, node):
        """The encoded value of an expression that needs nothing of the answer."""
        loaded = names_in(node) - self.bound_in(node)
        if not loaded <= self.pure or any(self.may_have_changed(name) for name in loaded & self.passed):
            raise CannotSplit
        try:
            value = eval(compile(ast.Expression(node), "<tests>", "eval"), self.namespace)
        except Exception as error:
            raise CannotSplit from error
        text = encode(value)
        if "O" in text and holds_opaque(value):
            raise CannotSplit
        return text


def literal_of(value):
    """The value as an expression of literals, or None."""
    try:
        literal = ast.parse(repr(value), mode="eval").body
        return literal if encode(ast.literal_eval(literal)) == encode(value) else None
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return None


class Literals(ast.NodeTransformer):
    """Writes names out as the values that they have."""

    def __init__(self, namespace, names):
        self.namespace, self.names = namespace, names

    def visit_Name(self, node):
        if node.id not in self.names or not isinstance(node.ctx, ast.Load):
            return node
        literal = literal_of(self.namespace[node.id])
        if literal is None:
            raise CannotSplit
        return literal


class Attributes(ast.NodeTransformer):
    """Makes names of a test case's own attributes."""

    def visit_Attribute(self, node):
        self.generic_visit(node)
        own = isinstance(node.value, ast.Name) and node.value.id == "self" and not hasattr(TestCase, node.attr)
        return ast.copy_location(ast.Name("self_" + node.attr, node.ctx), node) if own else node


class Honest(ast.NodeTransformer):
    """What a test inside gets of the answer must not say itself what equals it."""

    def __init__(self, splitter):
        self.splitter = splitter

    def visit_Call(self, node):
        self.generic_visit(node)
        answers = self.splitter.is_place_of_answer(node.func)
        return ast.Call(ast.Name("errata_honest", ast.Load()), [node], []) if answers else node


UNITTEST = {
    "assertEqual": "{} == {}", "assertNotEqual": "{} != {}", "assertTrue": "{}", "assertFalse": "not {}", "assertIs": "{} is {}",
    "assertIsNone": "{} is None", "assertIsNotNone": "{} is not None", "assertIn": "{} in {}", "assertNotIn": "{} not in {}",
    "assertIsInstance": "isinstance({}, {})", "assertGreater": "{} > {}", "assertLess": "{} < {}", "assertGreaterEqual": "{} >= {}",
    "assertLessEqual": "{} <= {}", "assertListEqual": "{} == {}", "assertDictEqual": "{} == {}", "assertSetEqual": "{} == {}",
    "assertTupleEqual": "{} == {}", "assertAlmostEqual": "round(abs({} - {}), 7) == 0",
}  # fmt: skip

RUN_TEST_CASE = """
import unittest
_result = unittest.TestResult()
unittest.defaultTestLoader.loadTestsFromTestCase(NAME).run(_result)
assert _result.testsRun and _result.wasSuccessful(), (_result.errors + _result.failures)[0][1]
"""


def holds_opaque(value):
    """True when something in the value could not be encoded."""
    if isinstance(value, (list, tuple, set, frozenset)):
        return any(map(holds_opaque, value))
    if isinstance(value, dict):
        return any(map(holds_opaque, value)) or any(map(holds_opaque, value.values()))
    return encode(value).startswith("O")


def plan(entry_point, setup, tests):
    """The plan of a problem's tests as JSON: {"steps", "checks"}, or {"error"} with one sentence when a test does not parse."""
    random.seed(0)
    try:
        splitter = Splitter(entry_point, setup)
    except (SyntaxError, ValueError) as error:
        return json.dumps({"error": f"the setup of the tests does not parse: {error}"})
    except CannotRun as error:
        return json.dumps({"error": str(error)})
    for index, source in enumerate(json.loads(tests)):
        try:
            splitter.split_test(index, source)
        except (SyntaxError, ValueError) as error:
            return json.dumps({"error": f"test {index + 1} does not parse: {error}"})
        except (CannotRun, RecursionError) as error:
            return json.dumps({"error": f"test {index + 1} cannot run: {error}"})
    return json.dumps({"steps": splitter.steps, "checks": splitter.checks})
