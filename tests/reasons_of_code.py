"""Which reasons the code can give to a row, read from its source: for the test that each of them is explained.

A reason is a word that is handed to something called ``reason``: a parameter, a field, a name; or that stands behind
an outcome. What is handed on by another name is followed to where it comes from.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

_WORD = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_IN_SQL = re.compile(r"'(\w+)' AS reason")
_TAKES = frozenset(("reason",))


def reasons_in(sources: Sequence[Path]) -> set[str]:
    """Return every reason that some modules can give."""
    return reasons_of([path.read_text(encoding="utf-8") for path in sources])


def reasons_of(texts: Sequence[str]) -> set[str]:
    """Return every reason that the source texts of some modules can give.

    >>> sorted(reasons_of(["LEFT = 'left'", "row.end(Outcome.SKIPPED, LEFT if gone else 'empty')"]))
    ['empty', 'left']
    >>> reasons_of(["def stop(why):\\n    end(reason=why)", "stop('too_new')"])
    {'too_new'}
    """
    return _Reader([ast.parse(text) for text in texts]).reasons()


class _Reader:
    """Finds reasons in modules; constants of one may be used in another, under the same name."""

    def __init__(self, modules: list[ast.Module]) -> None:
        self._nodes = [node for module in modules for node in ast.walk(module)]
        self._constants = _constants(modules)
        self._takers = _takers(self._nodes)

    def reasons(self) -> set[str]:
        return {word for node in self._nodes for word in self._of(node)}

    def _of(self, node: ast.AST) -> Iterator[str]:
        for value in self._values(node):
            yield from self._words(value)
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from _IN_SQL.findall(node.value)

    def _values(self, node: ast.AST) -> Iterator[ast.expr]:
        """Yield what stands in the place of a reason."""
        match node:
            case ast.Call(args=args):
                yield from _behind_outcomes(args)
                yield from _given(node, self._takers)
            case ast.Tuple(elts=elements):
                yield from _behind_outcomes(elements)
            case ast.Assign(targets=[target], value=value):
                yield from _assigned(target, value)
            case ast.FunctionDef(name=name) if name.endswith("_reason"):
                yield from (
                    each.value
                    for each in ast.walk(node)
                    if isinstance(each, ast.Return) and each.value
                )

    def _words(self, value: ast.expr) -> Iterator[str]:
        """Yield the words that an expression may be."""
        match value:
            case ast.Constant(value=str(word)) if _WORD.fullmatch(word):
                yield word
            case ast.IfExp(body=one, orelse=other):
                yield from self._words(one)
                yield from self._words(other)
            case ast.BoolOp(values=values):
                for each in values:
                    yield from self._words(each)
            case ast.Name(id=name):
                for each in self._constants.get(name, []):
                    yield from self._words(each)
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id=name), attr="get"), args=[_, otherwise]
            ):
                yield from self._words(otherwise)
                for each in self._constants.get(name, []):
                    for word in each.values if isinstance(each, ast.Dict) else ():
                        yield from self._words(word)


def _constants(modules: list[ast.Module]) -> dict[str, list[ast.expr]]:
    found: dict[str, list[ast.expr]] = defaultdict(list)
    for statement in (
        each for module in modules for each in module.body if isinstance(each, ast.Assign)
    ):
        for name, value in _pairs(statement.targets[0], statement.value):
            found[name].append(value)
    return found


def _pairs(target: ast.expr, value: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    """Yield the names of an assignment with what each gets."""
    if isinstance(target, ast.Name):
        yield target.id, value
    elif isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        for one, of_it in zip(target.elts, value.elts, strict=False):
            yield from _pairs(one, of_it)


def _assigned(target: ast.expr, value: ast.expr) -> Iterator[ast.expr]:
    yield from (of_it for name, of_it in _pairs(target, value) if name in _TAKES)


def _takers(nodes: list[ast.AST]) -> dict[str, set[tuple[int, str]]]:
    """Return function or class → the places and names of the arguments that become reasons."""
    functions = [each for each in nodes if isinstance(each, ast.FunctionDef)]
    found: dict[str, set[tuple[int, str]]] = defaultdict(set)
    for each in nodes:
        if isinstance(each, ast.ClassDef):
            found[each.name] |= _fields(each)
    before = -1
    while before != (before := sum(map(len, found.values()))):
        for function in functions:
            found[function.name] |= _parameters(function, found)
    return found


def _fields(kind: ast.ClassDef) -> set[tuple[int, str]]:
    """Return the place of a field ``reason``, or of a parameter of that name of the constructor."""
    made = [
        each for each in kind.body if isinstance(each, ast.FunctionDef) and each.name == "__init__"
    ]
    if made:
        return _parameters(made[0], {})
    stated = [each.target for each in kind.body if isinstance(each, ast.AnnAssign)]
    names = [each.id for each in stated if isinstance(each, ast.Name)]
    return {(place, name) for place, name in enumerate(names) if name in _TAKES}


def _parameters(
    function: ast.FunctionDef, takers: dict[str, set[tuple[int, str]]]
) -> set[tuple[int, str]]:
    """Return the parameters that are reasons by their name, or are handed on as such."""
    names = [each.arg for each in (*function.args.posonlyargs, *function.args.args)]
    first = int(names[:1] in (["self"], ["cls"]))
    handed: set[str] = set(_TAKES)
    for node in ast.walk(function):
        values: list[ast.expr] = []
        if isinstance(node, ast.Call):
            values = [*_behind_outcomes(node.args), *_given(node, takers)]
        handed |= {each.id for each in values if isinstance(each, ast.Name)}
    by_place = {(place - first, name) for place, name in enumerate(names) if name in handed}
    return by_place | {(-1, each.arg) for each in function.args.kwonlyargs if each.arg in handed}


def _given(call: ast.Call, takers: dict[str, set[tuple[int, str]]]) -> Iterator[ast.expr]:
    """Yield the arguments of a call that become reasons."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    wanted = takers.get(name, set())
    for place, _ in wanted:
        if 0 <= place < len(call.args):
            yield call.args[place]
    names = _TAKES | {each for _, each in wanted}
    yield from (each.value for each in call.keywords if each.arg in names)


def _behind_outcomes(values: Sequence[ast.expr]) -> Iterator[ast.expr]:
    """Yield what follows an outcome directly."""
    for outcome, reason in pairwise(values):
        if _is_outcome(outcome):
            yield reason


def _is_outcome(value: ast.expr) -> bool:
    match value:
        case ast.Attribute(value=ast.Name(id="Outcome")):
            return True
        case ast.IfExp(body=one, orelse=other):
            return _is_outcome(one) or _is_outcome(other)
    return False
