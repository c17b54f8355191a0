"""The house keeps its order: who may import whom, what `import flowlens` loads, what is public and how it reads."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import flowlens as fl
from flowlens.accessor import FlowAccessor
from flowlens.insights import InsightsText
from flowlens.plot.pictures import FlowPlot
from flowlens.sqltext import SqlText

PACKAGE = Path(fl.__file__).parent

#: From the top of the house to the bottom: a room imports only rooms above it.
ROOMS = [
    "errors", "badlines", "schema", "timespan", "amounts", "service", "cidr", "topology", "rules", "address_text",
    "columns", "clauses", "masks", "selection", "predicates", "abilities", "enrichment", "source", "parse", "stream",
    "frame", "load", "foreign", "sample", "indicators", "engine", "reduce", "enrich", "prices", "costs", "groups",
    "narrowing", "enriching", "alarming", "reductions", "partitions", "sqltext", "insights", "aws", "store", "diagnose",
    "detect", "cards", "plot", "judgements", "detecting", "analyses", "advice", "explore", "accessor", "flows",
    "scanning", "simulate",
]  # fmt: skip
#: Rooms that may be used from above, but only inside a function or for the sake of type annotations.
LATE = {
    ("plot", "analyses"),
    ("explore", "accessor"),
    ("topology", "rules"),
    ("topology", "advice"),
    # One class has all renderings of a filter; each is loaded when it is asked for.
    ("selection", "predicates"),
    ("selection", "engine"),
    ("selection", "insights"),
    ("selection", "parse"),
}
#: Libraries that one room alone may import, at whatever place.
OWNERS = {"duckdb": "engine", "matplotlib": "plot", "boto3": "source", "ipywidgets": "explore"}

FILES = sorted(path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py" or path.parent != PACKAGE)


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> list[tuple[str, bool]]:
    """Return every module that a file imports, and whether that happens late: in a function or for type checkers."""
    found: list[tuple[str, bool]] = []

    def visit(node: ast.AST, late: bool) -> None:
        if isinstance(node, ast.Import):
            found.extend((alias.name, late) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.append((node.module, late))
            found.extend((f"{node.module}.{alias.name}", late) for alias in node.names)
        for child in ast.iter_child_nodes(node):
            for_types = isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
            visit(child, late or for_types or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda))

    visit(ast.parse(path.read_text(encoding="utf-8")), late=False)
    return found


def test_every_room_has_its_place_in_the_order():
    assert {room_of(path) for path in FILES} <= set(ROOMS)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_room_imports_only_rooms_above_it(path):
    room = room_of(path)
    for module, late in imports(path):
        parts = module.split(".")
        if parts[0] != "flowlens" or len(parts) == 1 or parts[1] == room or parts[1] not in ROOMS:
            continue
        above = ROOMS.index(parts[1]) < ROOMS.index(room)
        assert above or (late and (room, parts[1]) in LATE), f"{room} imports {module}, which lies below it"


@pytest.mark.parametrize(("library", "owner"), OWNERS.items())
def test_only_one_room_imports_a_heavy_library(library, owner):
    for path in FILES:
        if any(module.split(".")[0] == library for module, _ in imports(path)):
            assert room_of(path) == owner


def test_reductions_know_no_pandas_no_engine_and_no_frame():
    for path in (PACKAGE / "reduce").glob("*.py"):
        roots = {module.split(".")[0] for module, _ in imports(path)}
        assert not roots & {"pandas", "numpy", "pyarrow", "duckdb", "sqlglot"}, path


def test_no_room_imports_a_name_that_is_private_to_another():
    for path in FILES:
        for module, _ in imports(path):
            parts = module.split(".")
            if parts[0] == "flowlens" and parts[1:2] != [room_of(path)]:
                assert not any(part.startswith("_") for part in parts[1:]), f"{path}: {module}"


def test_import_flowlens_loads_nothing_heavy():
    code = (
        "import sys, flowlens; "
        "heavy = 'duckdb ibis sqlglot matplotlib ipywidgets IPython boto3 tqdm pyspark polars'; "
        "print([name for name in heavy.split() if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_reading_and_selecting_loads_no_engine_and_no_plots():
    code = (
        "import sys, io, flowlens as fl; "
        "df = fl.read(io.BytesIO(b'srcaddr dstaddr\\n10.0.0.1 10.0.0.2\\n')); df.flow.host('10.0.0.1'); dir(df); "
        "print([name for name in ['duckdb', 'ibis', 'matplotlib', 'ipywidgets', 'boto3'] if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_explorers_make_their_models_before_they_load_what_draws():
    code = (
        "import sys, ipywidgets, flowlens as fl; before = []; make = ipywidgets.Widget.open; "
        "ipywidgets.Widget.open = lambda self: (before.append('matplotlib' in sys.modules), make(self))[1]; "
        "shown = fl.sample().head(100).flow.explore(); "
        "print(len(before) > 40, any(before), 'matplotlib' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "True False True"


def test_import_sets_nothing_up_beyond_df_flow():
    code = (
        "import pandas as pd, warnings, logging\n"
        "names, rows = set(dir(pd.DataFrame)), pd.get_option('display.max_rows')\n"
        "filters, handlers = list(warnings.filters), list(logging.root.handlers)\n"
        "import flowlens\n"
        "assert set(dir(pd.DataFrame)) - names == {'flow'}\n"
        "assert rows == pd.get_option('display.max_rows')\n"
        "assert filters == list(warnings.filters)\n"
        "assert handlers == logging.root.handlers\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_all_is_exactly_what_can_be_imported():
    submodules = {module.name for module in pkgutil.iter_modules(fl.__path__)}
    public = {name for name in vars(fl) if not name.startswith("_")} - submodules
    # `simulate` is a room and the function of that name, `aws` a room that is public as it is.
    assert public | set(fl._LATE) | (set(fl.__all__) & submodules) == set(fl.__all__)
    assert all(hasattr(fl, name) for name in fl.__all__)
    assert fl.__all__ == sorted(fl.__all__)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_every_module_says_what_it_is_for_and_lists_what_it_offers(path):
    name = ".".join(("flowlens", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__")
    if name.endswith("__main__"):
        return
    module = importlib.import_module(name)
    assert module.__doc__
    assert all(hasattr(module, offered) for offered in getattr(module, "__all__", ()))


FUNCTIONS = [pytest.param(getattr(fl, name), id=name) for name in fl.__all__ if inspect.isfunction(getattr(fl, name))]
FUNCTIONS_OF_ROOMS = [
    pytest.param(getattr(getattr(fl, room), name), id=f"{room}.{name}")
    for room in ("aws", "groups")
    for name in getattr(fl, room).__all__
]
METHODS = FUNCTIONS_OF_ROOMS + [
    pytest.param(member, id=f"{cls.__name__}.{name}")
    for cls in (FlowAccessor, fl.Flows, FlowPlot, SqlText, InsightsText, fl.Selection, fl.Topology)
    for name, member in inspect.getmembers(cls, inspect.isfunction)
    if not name.startswith("_")
]


@pytest.mark.parametrize("function", FUNCTIONS + METHODS)
def test_public_functions_and_methods_say_what_they_take_and_return(function):
    doc = inspect.getdoc(function)
    assert doc
    assert "\nReturns\n-------\n" in doc
    parameters = [name for name in inspect.signature(function).parameters if name != "self"]
    section = doc.split("\nParameters\n----------\n")[-1].split("\nReturns\n")[0]
    for name in parameters:
        assert name in section, f"{function.__qualname__} does not explain {name}"


@pytest.mark.parametrize("function", FUNCTIONS + METHODS + [pytest.param(fl.Selection, id="Selection")])
def test_no_public_signature_swallows_unknown_arguments(function):
    kinds = {parameter.kind for parameter in inspect.signature(function).parameters.values()}
    assert inspect.Parameter.VAR_KEYWORD not in kinds
    assert inspect.Parameter.VAR_POSITIONAL not in kinds


@pytest.mark.parametrize("function", FUNCTIONS)
def test_all_but_the_first_argument_of_a_function_are_keyword_only(function):
    parameters = list(inspect.signature(function).parameters.values())
    # The two ends of a question "is it logged from here to there" belong together.
    leading = 2 if function is fl.is_logged else 1
    assert all(parameter.kind is inspect.Parameter.KEYWORD_ONLY for parameter in parameters[leading:])


@pytest.mark.parametrize("function", FUNCTIONS + METHODS)
def test_public_signatures_are_annotated(function):
    signature = inspect.signature(function)
    assert signature.return_annotation is not inspect.Signature.empty
    assert all(
        parameter.annotation is not inspect.Parameter.empty
        for name, parameter in signature.parameters.items()
        if name != "self"
    )


SIGNATURES = {
    fl.read: "source, *, fields=None, time=None, columns=None, on_bad_lines='error', progress=None, tag_keys=None",
    fl.from_frame: "df, *, fields=None",
    fl.prices: "",
    fl.check: "source, *, fields=None",
    fl.scan: "source, *, fields=None, time=None, on_bad_lines='error', progress=None",
    fl.Flows: "table",
    fl.is_logged: "src, dst, *, dst_port=None, protocol=None, topology=None",
    fl.Topology.from_describe: "source",
    fl.Topology.from_boto3: "session, *, regions=None",
    fl.Topology.at: "self, address, *, vpc=None",
    fl.Topology.suggest_rules: "self, df",
    fl.Topology.unused_rules: "self, df",
    fl.Topology.evaluate: "self, src, dst, *, dst_port, src_port=None, protocol='tcp'",
    fl.Flows.count: "self",
    fl.Flows.head: "self, n=5",
    fl.Flows.collect: "self",
    fl.Flows.sql: "self, dialect='duckdb', *, table='flows', time=None, partition='projection'",
    fl.Flows.insights: "self, *, fields=None",
    fl.aws.athena_ddl: "fields, location, *, table='vpc_flow_logs', partition='projection', format='text'",
    FlowAccessor.top_talkers: "self, n=10, *, by='bytes', key='srcaddr'",
    FlowAccessor.timeline: "self, freq='5min', *, by='action'",
    FlowAccessor.pairs: "self, n=None, *, by='bytes', keys=('srcaddr', 'dstaddr')",
    FlowAccessor.matrix: "self, rows='src_group', cols='dst_group', *, values='bytes'",
    FlowAccessor.costs: "self, prices=None, *, topology=None",
    FlowAccessor.ports: "self, n=None, *, by='flows'",
    FlowAccessor.fan_out: "self, *, key='srcaddr'",
    FlowAccessor.losses: "self, n=None, *, by='packets_lost', keys=('srcaddr', 'dstaddr')",
    FlowAccessor.rejected_by_port: "self, ports=('ssh', 'rdp'), *, freq='1h', threshold=10",
    FlowAccessor.top_contributors: "self, keys=('srcaddr',), *, n=10, by='bytes', freq=None",
    FlowAccessor.conversations: "self, *, timeout=None",
    FlowAccessor.coverage: "self",
    FlowAccessor.add_groups: "self, groups, *, default='other'",
    FlowAccessor.add_networks: "self, prefixlen=24, *, prefixlen6=64",
    FlowAccessor.add_scope: "self, *, internal=None",
    FlowAccessor.add_services: "self",
    FlowAccessor.add_direction: "self, *, internal=None, topology=None",
    FlowAccessor.add_resources: "self, topology",
    FlowPlot.matrix: "self, rows='src_group', cols='dst_group', *, values='bytes', n=20, ax=None",
    FlowPlot.timeline: "self, *, freq=None, by='action', values='flows', tz='UTC', ax=None",
    FlowPlot.heatmap: "self, *, values='flows', tz='UTC', ax=None",
    FlowPlot.coverage: "self, *, n=30, tz='UTC', ax=None",
    FlowPlot.conversation: "self, row, *, tz='UTC', ax=None",
    FlowPlot.beacon: "self, row, *, tz='UTC', ax=None",
    FlowAccessor.gaps: "self",
    FlowAccessor.accepted: "self",
    FlowAccessor.rejected: "self",
    FlowAccessor.between: "self, a, b",
    FlowAccessor.host: "self, x",
    FlowAccessor.select: "self, selection=None, /, *, src=None, dst=None, host=None, src_port=None, dst_port=None, "
    "port=None, protocol=None, action=None, interface=None, direction=None, time=None, status=None, group=None, "
    "src_group=None, dst_group=None, verdict=None, certainty=None, kind=None, min_score=None",
    FlowAccessor.to_parquet: "self, target, *, partition_by=('year', 'month', 'day')",
}


@pytest.mark.parametrize("function", SIGNATURES, ids=lambda function: function.__qualname__)
def test_signatures_are_those_of_the_contract(function):
    signature = inspect.signature(function)
    bare = signature.replace(
        parameters=[p.replace(annotation=inspect.Parameter.empty) for p in signature.parameters.values()],
        return_annotation=inspect.Signature.empty,
    )
    assert str(bare) == f"({SIGNATURES[function]})"


@pytest.mark.parametrize(
    ("error", "caught_as"),
    [
        (fl.ParseError, ValueError),
        (fl.NotAFlowFrameError, AttributeError),
        (fl.MissingFieldError, KeyError),
        (fl.EngineError, NotImplementedError),
        (fl.MissingExtraError, ImportError),
        (fl.TopologyError, ValueError),
    ],
)
def test_every_error_is_a_flowlens_error_and_the_builtin_a_user_would_catch(error, caught_as):
    assert issubclass(error, fl.FlowlensError)
    assert issubclass(error, caught_as)


def test_a_missing_field_reads_as_a_sentence_and_not_as_a_quoted_key():
    assert str(fl.MissingFieldError("add ${action}")) == "add ${action}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_modules_and_functions_stay_small_enough_to_hold_in_mind(path):
    source = path.read_text(encoding="utf-8")
    assert len(source.splitlines()) <= 400
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef):
            doc = (ast.get_docstring(node) or "").count("\n")
            assert node.end_lineno - node.lineno - doc <= 70, (
                f"{node.name} is {node.end_lineno - node.lineno} lines long"
            )
