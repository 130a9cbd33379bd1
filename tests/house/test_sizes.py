"""Small functions, files one can read through, and a word about everything others may use. Product rooms only."""

import ast
from statistics import median

from tests.house.tree import Function, functions, modules, public


def _length(function: Function) -> int:
    """Lines, without the docstring."""
    lines = (function.end_lineno or 0) - function.lineno + 1
    if ast.get_docstring(function) is not None:
        lines -= (function.body[0].end_lineno or 0) - function.body[0].lineno + 1
    return lines


def test_functions_are_short() -> None:
    lengths = {f"{each.name}: {one.name}": _length(one) for each in modules() for one in functions(each)}
    assert {name: length for name, length in lengths.items() if length > 80} == {}
    long = {name: length for name, length in lengths.items() if length > 40}
    assert len(long) <= 0.05 * len(lengths), long


def test_files_are_short() -> None:
    lengths = {each.name: len(each.text.splitlines()) for each in modules()}
    assert {name: length for name, length in lengths.items() if length > 500} == {}
    assert median(lengths.values()) <= 150


def test_every_module_says_what_it_promises() -> None:
    assert [module.name for module in modules() if not ast.get_docstring(module.tree)] == []


def test_everything_others_may_use_is_explained() -> None:
    silent = [
        f"{module.name}:{node.lineno} {node.name}"
        for module in modules()
        for node in public(module)
        if not ast.get_docstring(node) and not _is_declaration(node) and "migrations" not in module.name
    ]
    assert silent == []


def _is_declaration(node: ast.AST) -> bool:
    """`def slug(self) -> str: ...` in a protocol: the name of a fact, which its class explains."""
    if not isinstance(node, Function):
        return False
    is_property = any(ast.unparse(each) == "property" for each in node.decorator_list)
    return is_property and [ast.unparse(each) for each in node.body] == ["..."]


def test_the_rules_see_what_they_should() -> None:
    long = ast.parse("def long():\n    'word'\n" + "    x = 1\n" * 50).body[0]
    assert isinstance(long, Function)
    assert _length(long) == 51
    declared = ast.parse("class P:\n    @property\n    def a(self): ...\n    def b(self): ...").body[0]
    assert isinstance(declared, ast.ClassDef)
    assert [_is_declaration(node) for node in declared.body] == [True, False]
