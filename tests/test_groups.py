"""Groups by longest prefix: the answer of netaddr, every form of groups there is, and every mistake in one."""

from __future__ import annotations

import io
import ipaddress
import json

import duckdb
import netaddr
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from engines import ENGINES
from formats import frame, names_of, nodata, read, record, text, tuples
from hypothesis import example, given, settings
from hypothesis import strategies as st
from strategies import IPV4, IPV6
from test_sql import run, table_of
from test_topology import NETWORK

import flowlens as fl

NESTED = {
    "all": "0.0.0.0/0",
    "ten": "10.0.0.0/8",
    "shop": ["10.0.0.0/16", "2001:db8::/32"],
    "database": ["10.0.1.0/24", "2001:db8:0:1::/64"],
    "primary": ["10.0.1.9", "2001:db8:0:1::9/128"],
}
RECORDS = [
    record(srcaddr="10.0.0.5", dstaddr="10.0.1.9"),
    record(srcaddr="10.0.1.9", dstaddr="10.0.0.5", bytes=7000),
    record(srcaddr="10.9.9.9", dstaddr="10.0.1.8"),
    record(srcaddr="198.51.100.7", dstaddr="10.0.2.1", action="REJECT"),
    record(srcaddr="2001:db8:0:1::9", dstaddr="2001:db8:0:1::8"),
    record(srcaddr="2001:db8:ffff::1", dstaddr="2001:db9::1"),
    nodata(),
    nodata(log_status="SKIPDATA"),
]
NAMES = [
    ("shop", "primary"), ("primary", "shop"), ("ten", "database"), ("all", "shop"), ("primary", "database"),
    ("shop", "other"), (None, None), (None, None),
]  # fmt: skip
DF = frame(*RECORDS)
ELSEWHERE = list(ENGINES)[:3]


def named(groups, df=DF, **options):
    return tuples(df.flow.add_groups(groups, **options), "src_group", "dst_group")


def one(groups, address, **options):
    ((name, _),) = named(groups, frame(record(srcaddr=address)), **options)
    return name


# --- The longest prefix ---


def longest(prefixes, address):
    """Return the name of the longest prefix as netaddr has it, by looking at all of them."""
    number = netaddr.IPAddress(address)
    nets = {netaddr.IPNetwork(prefix).cidr: name for prefix, name in prefixes}
    holding = [net for net in nets if net.version == number.version and net.first <= int(number) <= net.last]
    return nets[max(holding, key=lambda net: net.prefixlen)] if holding else "other"


def edges(prefix):
    """Return the first and last address of a prefix, and those beside them."""
    net = netaddr.IPNetwork(prefix)
    last = 2**32 - 1 if net.version == 4 else 2**128 - 1
    make = ipaddress.IPv4Address if net.version == 4 else ipaddress.IPv6Address
    return [str(make(n)) for n in {net.first - 1, net.first, net.last, net.last + 1} if 0 <= n <= last]


def _cidr(address, length):
    return f"{address}/{length}"


#: Few addresses with prefixes of many lengths, so that they lie in one another; and any prefix.
_ANCHORS4 = ["0.0.0.0", "255.255.255.255", "10.0.0.5", "10.0.128.0", "172.16.7.255"]
_ANCHORS6 = ["::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db8::5", "2001:db8:0:0:8000::", "::a00:5"]
PREFIXES = st.one_of(
    st.builds(_cidr, st.sampled_from(_ANCHORS4), st.integers(0, 32)),
    st.builds(_cidr, st.sampled_from(_ANCHORS6), st.integers(0, 128)),
    st.builds(_cidr, IPV4, st.integers(0, 32)),
    st.builds(_cidr, IPV6, st.integers(0, 128)),
    st.sampled_from(["0.0.0.0/0", "::/0", "255.255.255.255/32", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128"]),
)


def distinct(prefixes):
    """Give each prefix a name; of several that are the same network only the first is left."""
    nets = {}
    for place, prefix in enumerate(prefixes):
        nets.setdefault(netaddr.IPNetwork(prefix).cidr, (prefix, f"group {place}"))
    return list(nets.values())


def expected_of(prefixes, addresses):
    return [longest(prefixes, address) for address in addresses]


@settings(max_examples=150)
@given(prefixes=st.lists(PREFIXES, max_size=14).map(distinct), addresses=st.lists(st.one_of(IPV4, IPV6), max_size=6))
@example([("0.0.0.0/0", "a"), ("255.255.255.255/32", "b"), ("128.0.0.0/1", "c")], ["255.255.255.255", "0.0.0.0"])
@example([("::/0", "a"), ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128", "b")], ["::", "255.255.255.255"])
@example([("10.0.0.0/8", "a"), ("10.0.0.0/16", "b"), ("10.0.0.0/32", "c"), ("10.255.255.255", "d")], ["11.0.0.0"])
@example([("10.0.0.0/9", "a"), ("10.128.0.0/9", "a"), ("10.0.0.0/8", "b")], ["10.127.255.255", "10.128.0.0"])
@example([("0.0.0.0/1", "a"), ("128.0.0.0/1", "b"), ("::/1", "c"), ("8000::/1", "d")], ["::ffff:10.0.0.1"])
def test_the_longest_prefix_is_that_of_netaddr(prefixes, addresses):
    asked = [*addresses, "10.0.0.5", "::a00:5", *(edge for prefix, _ in prefixes for edge in edges(prefix))]
    data = text([record(srcaddr=address) for address in asked])
    groups = pd.DataFrame(prefixes, columns=["cidr", "group"])
    assert read(data).flow.add_groups(groups)["src_group"].tolist() == expected_of(prefixes, asked)


@settings(max_examples=25)
@given(prefixes=st.lists(PREFIXES, max_size=14).map(distinct), addresses=st.lists(st.one_of(IPV4, IPV6), max_size=6))
@example([("::/0", "a"), ("::1/128", "b"), ("1::/16", "c"), ("::ffff:0:0/96", "d")], ["::", "::1", "1::", "1::1:0:0:1"])
@example([("2001:db8:0:0:1::/80", "a")], ["2001:db8::1:0:0:0", "2001:db8:0:0:1::", "2001:0db8:0:0:0001::7"])
def test_where_addresses_are_text_the_longest_prefix_is_the_same(prefixes, addresses):
    asked = [*addresses, "10.0.0.5", "::a00:5", *(edge for prefix, _ in prefixes for edge in edges(prefix))]
    scanned = fl.scan(io.BytesIO(text([record(srcaddr=address) for address in asked])))
    found = scanned.add_groups(pd.DataFrame(prefixes, columns=["cidr", "group"])).collect()
    assert found["src_group"].tolist() == expected_of(prefixes, asked)


@pytest.mark.parametrize("kind", ["frame", *ELSEWHERE])
def test_nested_prefixes_name_both_ends_and_records_without_traffic_have_none(kind, tmp_path):
    if kind == "frame":
        found = DF.flow.add_groups(NESTED)
    else:
        found = ENGINES[kind](RECORDS, names_of(RECORDS), tmp_path, None).add_groups(NESTED).collect()
    key = ["srcaddr", "dstaddr", "src_group", "dst_group"]
    expected = [(rec["srcaddr"], rec["dstaddr"], *pair) for rec, pair in zip(RECORDS, NAMES, strict=True)]
    assert sorted(tuples(found, *key), key=str) == sorted(expected, key=str)


def test_the_frame_keeps_its_rows_its_index_and_its_other_columns():
    labelled = DF.set_index(pd.Index([3, 1, 4, 1, 5, 9, 2, 6]))
    before = labelled.copy(deep=True)
    found = labelled.flow.add_groups(NESTED)
    pd.testing.assert_frame_equal(found.drop(columns=["src_group", "dst_group"]), before)
    pd.testing.assert_frame_equal(labelled, before)
    assert found["src_group"].dtype == found["dst_group"].dtype == "category"
    assert found["src_group"].cat.categories.dtype == "str"


def test_groups_that_are_there_already_are_replaced():
    again = DF.flow.add_groups({"x": "0.0.0.0/0"}).flow.add_groups(NESTED)
    assert tuples(again, "src_group", "dst_group") == NAMES
    assert named(NESTED, DF.assign(src_group="mine", dst_group=7)) == NAMES
    assert again.columns.tolist() == [*DF.columns, "src_group", "dst_group"]


def test_what_lies_in_no_prefix_has_the_default_or_nothing():
    groups = {"a": "10.0.0.5"}
    assert named(groups, DF.head(1)) == [("a", "other")]
    assert named(groups, DF.head(1), default="internet") == [("a", "internet")]
    assert named(groups, DF.head(1), default=None) == [("a", None)]
    assert named({}, DF.head(1)) == named({"a": []}, DF.head(1)) == [("other", "other")]
    assert named(groups, DF.tail(2), default="internet") == [(None, None)] * 2


@pytest.mark.parametrize("default", [5, float("nan"), pd.NA, ["other"]], ids=repr)
def test_a_default_that_is_no_text_is_refused(default):
    with pytest.raises(TypeError, match="default"):
        DF.flow.add_groups({"a": "10.0.0.5"}, default=default)


def test_an_address_is_not_taken_for_one_of_the_other_family():
    groups = {"v4": "0.0.0.0/0", "v6": "::/0"}
    assert [one(groups, address) for address in ("10.0.0.5", "::a00:5", "::ffff:10.0.0.5")] == ["v4", "v6", "v6"]
    assert one({"v4": "0.0.0.0/0"}, "::a00:5") == "other"


def test_groups_are_selected_by_either_end():
    named_frame = DF.flow.add_groups(NESTED)
    assert named_frame.flow.select(group="database").index.tolist() == [2, 4]
    assert named_frame.flow.select(group=["all", "ten"]).index.tolist() == [2, 3]
    assert named_frame.flow.select(group="nothing").empty


def test_a_matrix_of_groups_adds_up_to_the_log():
    found = DF.flow.add_groups(NESTED).flow.matrix()
    assert found.loc["primary", "shop"] == 7000
    assert found.to_numpy().sum() == DF["bytes"].sum()


# --- Forms ---

FORMS = [("10.0.0.0/16", "shop"), ("10.0.1.0/24", "database"), ("2001:db8::/32", "shop")]
BY_FORM = [("shop", "database"), ("database", "shop"), ("other", "database"), ("other", "shop"), ("shop", "shop")]


def as_csv(cells, folder, encoding="utf-8", newline="\n", **_):
    path = folder / "groups.csv"
    path.write_bytes(newline.join(",".join(row) for row in [("cidr", "group"), *cells, ()]).encode(encoding))
    return path


@pytest.mark.parametrize(
    "form",
    {
        "dict": lambda _: {"shop": ["10.0.0.0/16", "2001:db8::/32"], "database": "10.0.1.0/24"},
        "dict of tuples": lambda _: {"shop": ("10.0.0.0/16", "2001:db8::/32"), "database": {"10.0.1.0/24"}},
        "dict of iterators": lambda _: {"shop": iter(["10.0.0.0/16", "2001:db8::/32"]), "database": "10.0.1.0/24"},
        "dict of series": lambda _: {"shop": pd.Series(["10.0.0.0/16", "2001:db8::/32"]), "database": "10.0.1.0/24"},
        "dict of networks": lambda _: {
            "shop": [ipaddress.ip_network("10.0.0.0/16"), netaddr.IPNetwork("2001:db8::/32")],
            "database": ipaddress.ip_network("10.0.1.0/24"),
        },
        "host bits": lambda _: {"shop": ["10.0.77.7/16", "2001:db8::7/32"], "database": "10.0.1.255/24"},
        "spaces": lambda _: {" shop": [" 10.0.0.0/16", "2001:db8::/32 "], "database ": "10.0.1.0/24"},
        "frame": lambda _: pd.DataFrame(FORMS, columns=["cidr", "group"]),
        "frame with more": lambda _: pd.DataFrame(FORMS, columns=["cidr", "group"], index=[7, 7, 7]).assign(note=1),
        "frame of categories": lambda _: pd.DataFrame(FORMS, columns=["cidr", "group"]).astype("category"),
        "twice the same": lambda _: pd.DataFrame(FORMS + FORMS, columns=["cidr", "group"]),
        "CSV": lambda folder: as_csv(FORMS, folder),
        "CSV as text": lambda folder: str(as_csv(FORMS, folder)),
        "CSV of Excel": lambda folder: as_csv(FORMS, folder, "utf-8-sig", "\r\n"),
        "CSV with quotes": lambda folder: as_csv([(f'"{cidr}"', f' "{name}"') for cidr, name in FORMS], folder),
        "CSV with comments": lambda folder: as_csv([("# ours",), (), FORMS[0], ("",), *FORMS[1:]], folder),
    }.items(),
    ids=lambda form: form[0].replace(" ", "-"),
)
def test_groups_come_in_every_form(form, tmp_path):
    assert named(form[1](tmp_path))[:5] == BY_FORM


def test_a_csv_file_may_have_its_columns_in_any_order_and_more_of_them(tmp_path):
    path = tmp_path / "g.csv"
    path.write_text('Group,note,CIDR\n"web, shop",x,10.0.0.0/16\n', encoding="utf-8")
    assert one(path, "10.0.0.5") == "web, shop"


def test_a_group_may_be_called_what_words_there_are():
    names = ["other", "ACCEPT", "10.0.0.0/8", "Zürich", "a'b\"c", "x" * 300]
    groups = {name: f"10.0.{place}.0/24" for place, name in enumerate(names)}
    data = text([record(srcaddr=f"10.0.{place}.1") for place in range(len(names))])
    assert read(data).flow.add_groups(groups)["src_group"].tolist() == names
    assert fl.scan(io.BytesIO(data)).add_groups(groups).collect()["src_group"].tolist() == names


def test_a_thousand_prefixes_name_in_a_scan_what_they_name_in_a_frame():
    groups = {f"net {n}": [f"10.{n // 4}.{n % 4 * 64}.0/18", f"2001:db8:{n:x}::/48"] for n in range(1000)}
    asked = [f"10.{n}.{n}.{n}" for n in range(0, 256, 5)] + [f"2001:db8:{n:x}::1" for n in range(0, 1100, 37)]
    data = text([record(srcaddr=address) for address in asked])
    expected = read(data).flow.add_groups(groups)["src_group"].tolist()
    assert expected[0] == "net 0"
    assert expected[-1] == "other"
    assert fl.scan(io.BytesIO(data)).add_groups(groups).collect()["src_group"].tolist() == expected


# --- Mistakes ---


def mistakes(groups):
    with pytest.raises(fl.ParseError) as caught:
        DF.flow.add_groups(groups)
    return caught.value


def test_a_duplicate_prefix_with_two_names_is_an_error_that_names_both_rows():
    rows_ = [("10.0.0.0/8", "a"), ("10.1.0.0/16", "b"), ("10.9.9.9/8", "c")]
    (bad,) = mistakes(pd.DataFrame(rows_, columns=["cidr", "group"])).bad_lines
    assert (bad.line, bad.text) == (3, "10.9.9.9/8, c")
    for said in ("10.0.0.0/8", "'a'", "'c'", "row 1"):
        assert said in bad.reason
    assert str(bad).startswith("groups, row 3: ")


def test_prefixes_where_names_belong_are_told_so():
    assert "Names come first, then their prefixes." in str(mistakes({"10.0.0.0/8": "vpc", "fd00::/8": "lab"}))
    assert "Names come first" not in str(mistakes({"10.0.0.0/8": "vpc", "lab": "fd00::/8"}))


def test_a_topology_in_place_of_groups_is_told_how_to_become_some():
    with pytest.raises(TypeError, match=r"not a Topology; fl\.groups\.subnets\(topology\)"):
        DF.flow.add_groups(fl.sample_topology())


@pytest.mark.parametrize("what", ["subnets", "vpcs", "zones", "accounts"])
def test_groups_of_what_is_no_topology_are_refused(what):
    with pytest.raises(TypeError, match=rf"groups\.{what} takes a Topology and not a DataFrame; .*from_describe"):
        getattr(fl.groups, what)(DF)


def test_of_vpcs_with_the_same_addresses_each_has_groups_of_its_own():
    subnets = [
        {"SubnetId": f"subnet-{vpc}", "VpcId": vpc, "CidrBlock": "10.0.0.0/24", "AvailabilityZoneId": zone}
        for vpc, zone in (("vpc-a", "use1-az1"), ("vpc-b", "use1-az2"))
    ]
    topology = fl.Topology.from_describe({"Subnets": subnets})
    with pytest.raises(fl.ParseError, match="is in 'subnet-vpc-b', and in 'subnet-vpc-a'"):
        DF.flow.add_groups(fl.groups.subnets(topology))
    for vpc, zone in (("vpc-a", "use1-az1"), ("vpc-b", "use1-az2")):
        assert fl.groups.subnets(topology, vpc=vpc)["group"].tolist() == [f"subnet-{vpc}"]
        assert fl.groups.zones(topology, vpc=vpc)["group"].tolist() == [zone]


def test_every_row_with_a_mistake_is_named():
    rows_ = [("10.0.0.0/8", "a"), ("nonsense", "b"), ("10.0.0.0/33", "c"), ("10.1.0.0/16", ""), ("10.0.0.0/8", "d")]
    error = mistakes(pd.DataFrame(rows_, columns=["cidr", "group"]))
    assert [bad.line for bad in error.bad_lines] == [2, 3, 4, 5]
    assert "nonsense" in str(error)
    assert "3 more" in str(error)


def test_a_mistake_in_a_file_is_told_with_its_line(tmp_path):
    path = as_csv([("10.0.0.0/8", "a"), ("# no", "b"), (), ("eni-1", "c"), ("10.0.0.0/8", "d")], tmp_path)
    first, second = mistakes(path).bad_lines
    assert (first.file, first.line, second.line) == (str(path), 5, 6)
    assert "line 2" in second.reason


@pytest.mark.parametrize("cidr", ["", "x", "10.0.0", "10.0.0.0/33", "::/129", "10.0.0.0/-1", "10.0.0.1-10.0.0.9", None])
def test_a_malformed_prefix_is_refused(cidr):
    assert mistakes({"a": ["10.0.0.0/8", cidr]}).line == 2
    assert mistakes(pd.DataFrame({"cidr": [cidr], "group": ["a"]})).line == 1


@pytest.mark.parametrize("name", ["", " ", "-", None, float("nan"), pd.NA], ids=repr)
def test_a_group_without_a_name_is_refused(name):
    (bad,) = mistakes({name: "10.0.0.0/8"}).bad_lines
    assert "no name" in bad.reason
    frame_of_it = pd.DataFrame({"cidr": ["10.0.0.0/8", "10.0.0.0/8"], "group": [name, "a"]}, dtype=object)
    (bad,) = mistakes(frame_of_it).bad_lines
    assert bad.line == 1


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "cidr,group"),
        (b"10.0.0.0/8,a\n", "cidr,group"),
        (b"cidr;group\n10.0.0.0/8;a\n", "cidr,group"),
        (b"cidr,group\n10.0.0.0/8\n", "no name"),
        (b"cidr,group\n10.0.0.0/8,web, shop\n", "3"),
        ("cidr,group\n10.0.0.0/8,Zürich\n".encode("latin-1"), "UTF-8"),
    ],
    ids=["empty", "no header", "semicolons", "no name", "comma in a name", "Latin-1"],
)
def test_a_file_that_is_not_such_a_table_is_an_error_that_names_it(content, said, tmp_path):
    path = tmp_path / "groups.csv"
    path.write_bytes(content)
    error = mistakes(path)
    assert str(path) in str(error)
    assert said in str(error)


def test_a_file_that_is_not_there_is_named():
    with pytest.raises(FileNotFoundError, match=r"nowhere\.csv"):
        DF.flow.add_groups("nowhere.csv")


@pytest.mark.parametrize("groups", [None, 5, ["10.0.0.0/8"], [("10.0.0.0/8", "a")]], ids=repr)
def test_what_are_no_groups_is_refused_with_what_they_are(groups):
    with pytest.raises(TypeError, match="cidr"):
        DF.flow.add_groups(groups)


def test_a_frame_without_the_columns_is_told_which():
    with pytest.raises(ValueError, match="group") as caught:
        DF.flow.add_groups(pd.DataFrame({"cidr": ["10.0.0.0/8"], "name": ["a"]}))
    assert "name" in str(caught.value)


def test_a_scan_and_text_refuse_the_same_mistakes_at_once():
    for log in (fl.scan(io.BytesIO(text(RECORDS))), DF.flow.sql()):
        with pytest.raises(fl.ParseError, match="nonsense"):
            log.add_groups({"a": "nonsense"})


# --- Strange frames ---


def strange_frames():
    made = pd.DataFrame({end: [rec[end] for rec in RECORDS] for end in ("srcaddr", "dstaddr")})
    everyone = {*made["srcaddr"].dropna(), *made["dstaddr"].dropna()}
    dashes = made.fillna("-")
    return {
        "objects": made.astype(object),
        "str": made.astype("str"),
        "string": made.astype("string"),
        "pyarrow": made.astype("string[pyarrow]"),
        "python": made.astype("string[python]"),
        "dashes": dashes,
        "dashes in categories": dashes.astype("category"),
        "categories unused": made.astype(pd.CategoricalDtype(["zzz", "-", "::5", *sorted(everyone, reverse=True)])),
        "duplicate index": made.set_index(np.zeros(len(made), int)),
        "two levels of index": made.set_index(pd.MultiIndex.from_product([[1, 2], [1, 2, 3, 4]])),
    }  # fmt: skip


@pytest.mark.parametrize("kind", strange_frames())
def test_a_frame_may_be_made_by_hand(kind):
    df = strange_frames()[kind]
    assert named(NESTED, df) == NAMES
    assert df.flow.add_groups(NESTED).index.equals(df.index)


def test_frames_without_records_or_without_traffic_get_the_columns():
    empty = pd.DataFrame(columns=["srcaddr", "dstaddr"])
    for df in (DF.iloc[:0], empty, empty.astype("str"), empty.astype("category"), DF.tail(2)):
        found = df.flow.add_groups(NESTED)
        assert found.columns.tolist() == [*df.columns, "src_group", "dst_group"]
        assert len(found) == len(df)
        assert found["src_group"].isna().all()


def test_categories_that_arrow_holds_in_several_pieces_are_read():
    pieces = pd.concat([pd.Series(["10.0.0.5"], dtype="string[pyarrow]"), pd.Series(["x"], dtype="string[pyarrow]")])
    df = pd.DataFrame({"srcaddr": pieces.array, "dstaddr": "10.0.1.9"})
    assert named(NESTED, df) == [("shop", "primary"), ("other", "primary")]


# --- Elsewhere ---


@pytest.mark.parametrize("missing", ["-", None], ids=["dashes", "nulls"])
def test_the_text_of_a_matrix_of_groups_returns_its_cells(missing):
    query = DF.flow.sql("duckdb").add_groups(NESTED).matrix()
    found = {(row, column): size for row, column, size in run(query, table_of(RECORDS, missing))}
    assert found == {
        ("shop", "primary"): 840, ("primary", "shop"): 7000, ("ten", "database"): 840, ("all", "shop"): 840,
        ("primary", "database"): 840, ("shop", "other"): 840,
    }  # fmt: skip


@pytest.mark.parametrize("default", ["other", None])
@pytest.mark.parametrize("kind", ELSEWHERE)
def test_a_matrix_is_the_same_from_a_scan(kind, default, tmp_path):
    flows = ENGINES[kind](RECORDS, names_of(RECORDS), tmp_path, None)
    pd.testing.assert_frame_equal(
        flows.add_groups(NESTED, default=default).matrix(), DF.flow.add_groups(NESTED, default=default).flow.matrix()
    )


def _columns_but(file, *kept):
    """Damage a Parquet file: of other columns than these, no page can be read any more."""
    group = pq.ParquetFile(file).metadata.row_group(0)
    content = bytearray(file.read_bytes())
    for place in range(group.num_columns):
        column = group.column(place)
        if column.path_in_schema not in kept:
            begin = min(column.dictionary_page_offset or column.data_page_offset, column.data_page_offset)
            content[begin : begin + column.total_compressed_size] = b"\xff" * column.total_compressed_size
    file.write_bytes(bytes(content))


def test_a_matrix_of_groups_reads_only_the_columns_that_it_needs(tmp_path):
    (file,) = DF.flow.to_parquet(tmp_path, partition_by=())
    _columns_but(file, "srcaddr", "dstaddr", "packets", "bytes")
    with pytest.raises((fl.FlowlensError, duckdb.Error, OSError)):
        fl.scan(tmp_path).timeline()
    found = fl.scan(tmp_path).add_groups(NESTED).matrix()
    pd.testing.assert_frame_equal(found, DF.flow.add_groups(NESTED).flow.matrix())


def test_of_text_the_columns_that_groups_do_not_need_are_not_looked_at(tmp_path):
    bad = b"2 123456789010 eni-1 10.0.0.5 10.0.1.9 not-a-port 443 6 10 840 1773151200 1773151259 ACCEPT OK\n"
    (tmp_path / "log").write_bytes(text(RECORDS) + bad)
    scanned = fl.scan(tmp_path).add_groups(NESTED)
    assert scanned.matrix(values="flows").loc["shop", "primary"] == 2
    with pytest.raises(fl.ParseError, match="not-a-port"):
        scanned.ports()


def test_a_column_that_was_added_twice_is_that_of_the_last_time():
    scanned = fl.scan(io.BytesIO(text(RECORDS))).add_groups({"x": "::/0"}).add_groups(NESTED)
    assert scanned.collect().columns.tolist() == [*DF.columns, "src_group", "dst_group"]
    assert tuples(scanned.collect(), "src_group", "dst_group") == NAMES


def test_a_selection_of_groups_stands_between_those_of_two_times():
    def both(log):
        return log.flow.add_groups({"ours": "10.0.0.0/8"}).flow.select(group="ours").flow.add_groups(NESTED)

    scanned = fl.scan(io.BytesIO(text(RECORDS)))
    assert tuples(both(DF), "src_group", "dst_group") == NAMES[:4]
    assert tuples(both(scanned).collect(), "src_group", "dst_group") == NAMES[:4]
    assert both(scanned).count() == 4


# --- fl.groups ---

RANGES = {
    "syncToken": "1700000000",
    "createDate": "2026-01-01-00-00-00",
    "prefixes": [
        {"ip_prefix": prefix, "region": region, "service": service, "network_border_group": region}
        for prefix, region, service in [
            ("52.95.128.0/21", "ap-southeast-2", "AMAZON"),
            ("52.95.128.0/21", "ap-southeast-2", "S3"),
            ("52.95.128.0/21", "ap-southeast-2", "EC2"),
            ("52.95.0.0/16", "ap-southeast-2", "AMAZON"),
            ("3.5.0.0/19", "eu-west-1", "EC2"),
            ("3.5.0.0/19", "eu-west-1", "AMAZON"),
            ("3.4.0.0/24", "eu-west-1", "S3"),
            ("3.4.0.0/24", "eu-west-1", "DYNAMODB"),
            ("3.4.1.0/24", "GLOBAL", "S3"),
        ]
    ],
    "ipv6_prefixes": [
        {"ipv6_prefix": "2600:1f00::/24", "region": "us-east-1", "service": "AMAZON"},
        {"ipv6_prefix": "2600:1ff8::/40", "region": "us-east-1", "service": "S3"},
    ],
}


def ranges_of(found):
    return dict(zip(found["cidr"], found["group"], strict=True))


def test_of_several_services_of_a_range_the_most_special_one_counts():
    found = fl.groups.aws_ranges(RANGES)
    assert found.columns.tolist() == ["cidr", "group"]
    assert ranges_of(found) == {
        "52.95.128.0/21": "S3", "52.95.0.0/16": "AMAZON", "3.5.0.0/19": "EC2", "3.4.0.0/24": "DYNAMODB",
        "3.4.1.0/24": "S3", "2600:1f00::/24": "AMAZON", "2600:1ff8::/40": "S3",
    }  # fmt: skip


def test_services_with_as_many_ranges_tie_the_same_way_in_any_order():
    tied = [
        {"ip_prefix": "3.4.0.0/24", "region": "r", "service": service}
        for service in ("S3", "DYNAMODB", "AMAZON", "EC2")
    ]
    told = {
        tuple(ranges_of(fl.groups.aws_ranges({"prefixes": order, "ipv6_prefixes": []})).items())
        for order in (tied, tied[::-1], tied[1:] + tied[:1])
    }
    assert len(told) == 1
    assert told.pop()[0][1] in {"S3", "DYNAMODB"}


def test_ranges_by_region_are_groups_too():
    found = ranges_of(fl.groups.aws_ranges(RANGES, by="region"))
    assert found["52.95.128.0/21"] == "ap-southeast-2"
    assert found["3.4.1.0/24"] == "GLOBAL"
    assert found["2600:1f00::/24"] == "us-east-1"


def test_ranges_name_addresses_by_the_longest_of_them(tmp_path):
    path = tmp_path / "ip-ranges.json"
    path.write_text(json.dumps(RANGES), encoding="utf-8")
    groups = fl.groups.aws_ranges(path)
    pd.testing.assert_frame_equal(groups, fl.groups.aws_ranges(str(path)))
    pd.testing.assert_frame_equal(groups, fl.groups.aws_ranges(RANGES))
    asked = ["52.95.128.179", "52.95.1.1", "3.5.1.1", "2600:1ff8::1", "2600:1f01::1", "8.8.8.8"]
    assert [one(groups, address) for address in asked] == ["S3", "AMAZON", "EC2", "S3", "AMAZON", "other"]


def test_private_addresses_can_be_put_beside_others():
    groups = pd.concat([fl.groups.aws_ranges(RANGES), fl.groups.private()])
    asked = ["10.0.0.5", "172.31.0.1", "192.168.7.7", "100.64.0.1", "fd00::1", "172.32.0.1", "52.95.128.179"]
    assert [one(groups, address) for address in asked] == [*["private"] * 5, "other", "S3"]


@pytest.mark.parametrize(
    "content",
    [
        "", "[]", "{}", "no JSON", '{"prefixes": []}', '{"prefixes": {}, "ipv6_prefixes": []}',
        '{"prefixes": [{"ip_prefix": "3.0.0.0/8", "service": 5, "region": "r"}], "ipv6_prefixes": []}',
        '{"prefixes": [{"service": "S3", "region": "r"}], "ipv6_prefixes": []}',
        '{"prefixes": ["3.0.0.0/8"], "ipv6_prefixes": []}',
    ],
)  # fmt: skip
def test_a_file_that_holds_no_ranges_is_an_error_that_names_it(content, tmp_path):
    path = tmp_path / "ranges.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(fl.ParseError, match=r"ranges\.json"):
        fl.groups.aws_ranges(path)


def test_ranges_are_by_service_or_by_region():
    with pytest.raises(ValueError, match="'service' and 'region'"):
        fl.groups.aws_ranges(RANGES, by="zone")


@pytest.fixture(scope="module")
def topology():
    return fl.Topology.from_describe(NETWORK)


def test_subnets_vpcs_zones_and_accounts_of_a_topology_are_groups(topology):
    assert set(map(tuple, fl.groups.subnets(topology).to_numpy())) == {
        ("10.0.1.0/24", "app"), ("2001:db8:0:1::/64", "app"), ("10.0.1.0/24", "subnet-b"),
    }  # fmt: skip
    assert set(map(tuple, fl.groups.vpcs(topology).to_numpy())) == {
        ("10.0.0.0/16", "main"), ("10.9.0.0/16", "main"), ("2001:db8::/56", "main"), ("10.0.0.0/16", "vpc-b"),
    }  # fmt: skip
    assert ("10.9.0.0/16", "111122223333") in set(map(tuple, fl.groups.accounts(topology).to_numpy()))
    assert ("2001:db8:0:1::/64", "usw2-lax1-az1") in set(map(tuple, fl.groups.zones(topology).to_numpy()))
    # Two VPCs with the same addresses cannot be told apart by addresses, and that is said.
    with pytest.raises(fl.ParseError, match="subnet-b") as caught:
        DF.flow.add_groups(fl.groups.subnets(topology))
    assert [bad.text for bad in caught.value.bad_lines] == ["10.0.1.0/24, subnet-b"]


def test_subnets_of_one_name_are_told_apart_by_their_ids():
    subnets = [
        {"SubnetId": f"subnet-{n}", "VpcId": "vpc-1", "CidrBlock": f"10.0.{n}.0/24",
         "Tags": [{"Key": "Name", "Value": name}] if name else []}
        for n, name in enumerate(["app", "app", "data", None])
    ]  # fmt: skip
    named_subnets = fl.groups.subnets(fl.Topology.from_describe({"Subnets": subnets}))
    assert named_subnets["group"].tolist() == ["app (subnet-0)", "app (subnet-1)", "data", "subnet-3"]
    assert one(named_subnets, "10.0.1.7") == "app (subnet-1)"


def test_the_groups_of_a_simulated_network_hold_every_interface():
    sim = fl.simulate(hours=0.2)
    topology = fl.Topology.from_describe(sim.topology)
    for make in (fl.groups.subnets, fl.groups.vpcs, fl.groups.zones, fl.groups.accounts):
        found = sim.records.flow.add_direction().flow.add_groups(make(topology), default=None)
        egress = found[found["direction"] == "egress"]
        assert len(egress)
        assert egress["src_group"].notna().all()


def test_the_sample_from_a_scan_has_the_matrix_that_netaddr_would_give(tmp_path):
    df, prefixes = fl.sample(), [("10.20.0.0/16", "vpc"), ("10.20.20.0/24", "data")]
    sent = df.dropna(subset="srcaddr").astype({"srcaddr": str, "dstaddr": str})
    ends = [sent[end].map({a: longest(prefixes, a) for a in sent[end].unique()}) for end in ("srcaddr", "dstaddr")]
    expected = sent["bytes"].groupby(ends).sum()
    df.flow.to_parquet(tmp_path)
    groups = {name: prefix for prefix, name in prefixes}
    for found in (df.flow.add_groups(groups).flow.matrix(), fl.scan(tmp_path).add_groups(groups).matrix()):
        assert {ends: found.loc[ends] for ends in expected.index} == expected.to_dict()
        assert found.to_numpy().sum() == expected.sum()
