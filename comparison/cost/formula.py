"""Formulas as data, so that the page computes with those of Python: `evaluate` is all that is written twice.

    parse("max(60, startup + work) if own else work")  # ["if", "own", ["max", 60, ["+", "startup", "work"]], "work"]
    evaluate(parse("runs / 2"), {"runs": 3})           # 1.5

A formula has numbers, names, ``+ - * /``, comparisons, ``and``, ``or``, ``x if y else z``, ``max``, ``min``, ``ceil``
and ``known(name)``, which is 1 unless the name's value is None. What is true is 1, and what is 0 or None is not true.
"""

import ast
import math
import operator
from collections.abc import Callable, Mapping
from typing import Any

Tree = float | str | None | list[Any]
"""A number, a name, or an operation with its operands; plain JSON."""

_SYMBOLS: dict[type[ast.AST], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Eq: "==",
}

_OPERATIONS: dict[str, Callable[..., float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "<": lambda a, b: int(a < b),
    "<=": lambda a, b: int(a <= b),
    "==": lambda a, b: int(a == b),
    "max": max,
    "min": min,
    "ceil": math.ceil,
    "known": lambda value: int(value is not None),
}


def parse(text: str) -> Tree:
    """The tree of a formula.

    Raises:
        ValueError: it holds something that no formula has.
    """
    return _tree(ast.parse(text, mode="eval").body)


def _tree(node: ast.expr) -> Tree:
    match node:
        case ast.Constant(value=int() | float() | None as value):
            return value
        case ast.Name(id=name):
            return name
        case ast.BinOp(left=left, op=symbol, right=right) if type(symbol) in _SYMBOLS:
            return [_SYMBOLS[type(symbol)], _tree(left), _tree(right)]
        case ast.Compare(left=left, ops=[symbol], comparators=[right]) if type(symbol) in _SYMBOLS:
            return [_SYMBOLS[type(symbol)], _tree(left), _tree(right)]
        case ast.BoolOp(op=ast.And(), values=[*first, last]):
            return ["if", _all(first), _tree(last), 0]
        case ast.BoolOp(values=[first_of, *others]):
            rest = others[0] if len(others) == 1 else ast.BoolOp(op=ast.Or(), values=others)
            return ["if", _tree(first_of), 1, _tree(rest)]
        case ast.IfExp(test=test, body=body, orelse=otherwise):
            return ["if", _tree(test), _tree(body), _tree(otherwise)]
        case ast.Call(func=ast.Name(id=name), args=operands) if name in _OPERATIONS:
            return [name, *map(_tree, operands)]
    raise ValueError(f"{ast.unparse(node)}: no formula has this")


def _all(nodes: list[ast.expr]) -> Tree:
    return _tree(nodes[0] if len(nodes) == 1 else ast.BoolOp(op=ast.And(), values=nodes))


def evaluate(tree: Tree, values: Mapping[str, float | None]) -> Any:
    """The number that a formula is; None where it is said not to be known."""
    if isinstance(tree, str):
        return values[tree]
    if not isinstance(tree, list):
        return tree
    name, *operands = tree
    if name == "if":
        condition, then, otherwise = operands
        return evaluate(then if evaluate(condition, values) else otherwise, values)
    return _OPERATIONS[str(name)](*[evaluate(each, values) for each in operands])
