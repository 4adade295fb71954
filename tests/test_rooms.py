"""The house: imports run down its floors, inside a room too, and never in a circle."""

import graphlib

import grimp
import pytest

from assembly.template import REPOSITORY

FLOORS: dict[str, list[str | set[str]]] = {
    "": ["cli", "local", "comparison", "assembly", "record", "app", "stacks", {"common", "sides"}],
    "comparison": ["report", "claims", "repeats", "cost", "summary"],
    "stacks": [
        "comparison",
        {"sagemaker", "emr", "sagemaker_spark", "emr_serverless"},
        "data",
        "network",
        "shared",
        "settings",
        "instances",
    ],
    "record": [
        "runs",
        "handler",
        "account",
        {"sagemaker", "emr", "emr_serverless"},
        {"collector", "services"},
        "schema",
        {"clients", "files", "text"},
        "errors",
    ],
}
"""Of each room from the top; what stands beside each other does not import each other."""


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    rooms = [room for room in FLOORS[""] if isinstance(room, str) and room != "app"] + ["common"]
    # app.py and sides.py are modules, and so external packages to this.
    return grimp.build_graph(*rooms, include_external_packages=True, cache_dir=None)


@pytest.mark.parametrize("room", FLOORS, ids=lambda room: room or "all")
def test_imports_run_down(graph: grimp.ImportGraph, room: str) -> None:
    layers = [each if isinstance(each, str) else grimp.Layer(*each, independent=True) for each in FLOORS[room]]
    found = graph.find_illegal_dependencies_for_layers(layers=layers, containers={room} if room else None)
    assert {f"{each.importer} -> {each.imported}": each.routes for each in found} == {}


def test_no_import_leads_back(graph: grimp.ImportGraph) -> None:
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    try:
        graphlib.TopologicalSorter(imports).prepare()
    except graphlib.CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_every_room_has_its_floor(graph: grimp.ImportGraph) -> None:
    """A new file belongs somewhere: what is in no list would be in nobody's way."""
    for room, floors in FLOORS.items():
        named = {name for each in floors for name in ([each] if isinstance(each, str) else each)}
        if room:
            assert named == {child.removeprefix(f"{room}.") for child in graph.find_children(room)}
        else:
            folders = {path.parent.name for path in REPOSITORY.glob("*/__init__.py")}
            assert named - {"app", "common", "sides"} == folders - {"tests"}
