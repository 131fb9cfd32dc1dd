"""The rooms of the house and their doors: who may import whom. The rules are those of README.md, "The house"."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parent.parent
ROOMS = ("signatures", "processing", "ingest", "cronjobs", "crashstats")
#: room -> what it may import of the other rooms; a name allows the module and all below it
DOORS = {
    "signatures": (),
    "processing": ("signatures",),
    "ingest": ("processing.crashid", "processing.errors", "processing.queue", "processing.storage"),
    "cronjobs": (),
    "crashstats": (
        "processing.crashid",
        "processing.errors",
        "processing.ledger",
        "processing.models",
        "processing.queue",
        "processing.rulesets",
        "processing.schema",
        "processing.search",
        "processing.storage",
        "signatures",
        "cronjobs.models",
    ),
}
WITHOUT_DJANGO = (
    "signatures",
    "processing.crashid",
    "processing.diskspace",
    "processing.errors",
    "processing.pipeline",
    "processing.rules",
    "processing.schema",
    "processing.stackwalker",
    "processing.symbols",
)


def module_name(path: Path) -> str:
    name = ".".join(path.relative_to(CHECKOUT).with_suffix("").parts)
    return name.removesuffix(".__init__")


def imports_of(tree: ast.AST, package: str) -> Iterator[str]:
    """Give the absolute names a piece of code imports; of ``from a import b`` both ``a`` and ``a.b``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*parts, *([node.module] if node.module else [])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


MODULES = {
    module_name(path): path
    for room in ROOMS
    for path in sorted((CHECKOUT / room).rglob("*.py"))
    if "migrations" not in path.parts
}
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in MODULES.items()}


def package_of(name: str) -> str:
    return name if MODULES[name].name == "__init__.py" else name.rpartition(".")[0]


IMPORTS = {name: sorted(set(imports_of(tree, package_of(name)))) for name, tree in TREES.items()}


def below(name: str, roots: tuple[str, ...]) -> bool:
    return any(name == root or name.startswith(f"{root}.") for root in roots)


@pytest.mark.parametrize("name", MODULES)
def test_a_room_is_entered_only_through_its_doors(name):
    room = name.split(".")[0]
    foreign = [
        target for target in IMPORTS[name] if target.split(".")[0] in ROOMS and not below(target, (room,))
    ]
    # `from processing import queue` names the room itself and the door; the room alone gives nothing away.
    wrong = [
        target
        for target in foreign
        if not below(target, DOORS[room]) and not any(door.startswith(f"{target}.") for door in DOORS[room])
    ]
    assert wrong == []


@pytest.mark.parametrize("name", [name for name in MODULES if below(name, WITHOUT_DJANGO)])
def test_the_pure_rooms_know_no_django(name):
    assert [
        target for target in IMPORTS[name] if below(target, ("django", "django_q", "rest_framework"))
    ] == []


@pytest.mark.parametrize("name", [name for name in MODULES if below(name, ("signatures",))])
def test_signatures_imports_the_standard_library_only(name):
    foreign = (
        {target.split(".")[0] for target in IMPORTS[name]} - set(sys.stdlib_module_names) - {"signatures"}
    )
    assert foreign == set()


@pytest.mark.parametrize("name", [name for name in MODULES if name != "crashstats.settings"])
def test_only_the_settings_read_the_environment(name):
    reads = [
        node.attr
        for node in ast.walk(TREES[name])
        if isinstance(node, ast.Attribute)
        and (node.attr == "getenv" or (node.attr == "get" and ast.unparse(node.value) == "os.environ"))
    ]
    assert reads == []


def top_level_imports(name: str) -> set[str]:
    """Give our own modules that are imported when this one is, leaving out imports for type checking."""
    body = [
        node
        for node in TREES[name].body
        if isinstance(node, ast.Import | ast.ImportFrom)
        or (isinstance(node, ast.Try) and any(isinstance(n, ast.Import | ast.ImportFrom) for n in node.body))
    ]
    found = set(imports_of(ast.Module(body=body, type_ignores=[]), package_of(name)))
    return {target for target in found if target in MODULES} - {name}


def test_no_module_imports_itself_through_others():
    graph = {name: top_level_imports(name) for name in MODULES}
    # A package that gives names of its own modules on is no cycle: leave out the way back to the package.
    for name, targets in graph.items():
        graph[name] = {target for target in targets if not name.startswith(f"{target}.")}
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " -> ".join((*path[path.index(name) :], name))
        if name not in done:
            for target in sorted(graph[name]):
                visit(target, (*path, name))
            done.add(name)

    for name in graph:
        visit(name, ())
