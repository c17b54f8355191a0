"""Lists of indicators: every form in which people have them, everything in them accounted for, all prefixes found."""

from __future__ import annotations

import contextlib
import ipaddress
import json
from pathlib import Path

import netaddr
import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from strategies import IPV4, IPV6
from test_groups import PREFIXES, edges

import flowlens as fl
from flowlens.indicators import Indicators, files, known

COLUMNS = ["cidr", "name", "port", "protocol", "confidence", "valid_from", "valid_until", "source"]


def rows(indicators, *columns):
    """Return columns of the table as tuples, what is missing as None."""
    cells = indicators.table[list(columns)].astype(object)
    return list(cells.where(cells.notna(), None).itertuples(index=False, name=None))


def cidrs(source):
    return Indicators.of(source).table["cidr"].tolist()


def left_out(source):
    """Return what is left out, beside why."""
    return list(Indicators.of(source).left_out[["text", "reason"]].itertuples(index=False, name=None))


def written(folder, text, name="list.txt"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def bundle(folder, *objects, name="bundle.json", **more):
    return written(folder, json.dumps({"type": "bundle", "id": "bundle--1", "objects": list(objects)} | more), name)


def indicator(pattern, /, **more):
    return {
        "type": "indicator", "spec_version": "2.1", "id": f"indicator--{abs(hash(pattern))}", "pattern_type": "stix",
        "pattern": pattern, "valid_from": "2026-03-01T00:00:00Z",
    } | more  # fmt: skip


def of_pattern(folder, pattern, *columns):
    return rows(Indicators.of(bundle(folder, indicator(pattern))), *(columns or ("cidr",)))


def unusable(folder, pattern):
    """Return what of a pattern is left out; an address beside it makes the list usable."""
    return left_out(bundle(folder, indicator("[ipv4-addr:value = '192.0.2.1']"), indicator(pattern)))


# --- Given in Python ---


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("198.51.100.1", ["198.51.100.1/32"]),
        ("198.51.100.0/24", ["198.51.100.0/24"]),
        (" 2001:DB8:0::1 ", ["2001:db8::1/128"]),
        ("198.51.100.77/24", ["198.51.100.0/24"]),
        (["198.51.100.1", "2001:db8::/32"], ["198.51.100.1/32", "2001:db8::/32"]),
        (("198.51.100.1",), ["198.51.100.1/32"]),
        ({"198.51.100.2", "198.51.100.1"}, ["198.51.100.1/32", "198.51.100.2/32"]),
        ((each for each in ["198.51.100.1"]), ["198.51.100.1/32"]),
        (pd.Series(["198.51.100.1"], index=[7]), ["198.51.100.1/32"]),
        (pd.Index(["198.51.100.1"]), ["198.51.100.1/32"]),
        (np.array(["198.51.100.1"]), ["198.51.100.1/32"]),
        (netaddr.IPNetwork("198.51.100.0/30"), ["198.51.100.0/30"]),
        ([ipaddress.ip_network("2001:db8::/64"), netaddr.IPAddress("198.51.100.1")],
         ["2001:db8::/64", "198.51.100.1/32"]),
        ([ipaddress.ip_address("198.51.100.1")], ["198.51.100.1/32"]),
    ],
)  # fmt: skip
def test_addresses_and_prefixes_are_taken_as_they_are(source, expected):
    found = Indicators.of(source)
    assert found.table["cidr"].tolist() == expected
    assert found.table.columns.tolist() == COLUMNS
    assert found.table["source"].tolist() == ["indicators"] * len(expected)
    assert found.left_out.columns.tolist() == ["where", "text", "reason"]
    assert found.left_out.empty
    assert len(found) == len(expected)


def test_what_is_not_said_is_missing_and_has_the_type_of_what_is():
    table = Indicators.of("198.51.100.1").table
    assert table[["name", "port", "protocol", "confidence", "valid_from", "valid_until"]].isna().all(axis=None)
    assert [str(table[column].dtype) for column in COLUMNS] == [
        "string", "string", "UInt16", "UInt8", "Float64", "datetime64[us, UTC]", "datetime64[us, UTC]", "string",
    ]  # fmt: skip


def test_a_dict_has_names_of_one_or_several_prefixes():
    found = Indicators.of({"scanner": "198.51.100.1", "botnet": ["203.0.113.0/24", "2001:db8::/32"], "gone": []})
    assert rows(found, "cidr", "name") == [
        ("198.51.100.1/32", "scanner"), ("203.0.113.0/24", "botnet"), ("2001:db8::/32", "botnet"),
    ]  # fmt: skip
    assert cidrs({"one": netaddr.IPNetwork("203.0.113.0/30")}) == ["203.0.113.0/30"]


@pytest.mark.parametrize("column", ["cidr", "indicator", "ip", "address", "value", "IP", " Dst IP "])
def test_a_frame_needs_a_column_of_addresses(column):
    assert cidrs(pd.DataFrame({"other": [1], column: ["198.51.100.1"]})) == ["198.51.100.1/32"]


def test_a_frame_may_say_more_of_each_indicator():
    frame = pd.DataFrame(
        {
            "value": ["198.51.100.1", "198.51.100.2", "198.51.100.3", "198.51.100.4"],
            "label": ["Dridex", None, np.nan, "-"],
            "port": [443.0, np.nan, 0, 65535],
            "protocol": ["tcp", 17, None, "UDP"],
            "confidence": [0.5, 1, np.nan, 0],
            "valid_from": [pd.Timestamp("2026-03-01", tz="Europe/Berlin"), pd.NaT, 1772323200, "2026-03-01"],
            "valid_until": ["2026-03-02 12:00:00 UTC", "9999-12-31T23:59:59Z", None, "20260302"],
            "source": ["feed a", None, "feed b", ""],
        }
    )
    before = frame.copy(deep=True)
    found = Indicators.of(frame)
    assert rows(found, "name", "port", "protocol", "confidence", "source") == [
        ("Dridex", 443, 6, 0.5, "feed a"),
        (None, None, 17, 1.0, "indicators"),
        (None, 0, None, None, "feed b"),
        (None, 65535, 17, 0.0, "indicators"),
    ]
    stamps = [[each and each.isoformat() for each in row] for row in rows(found, "valid_from", "valid_until")]
    assert stamps == [
        ["2026-02-28T23:00:00+00:00", "2026-03-02T12:00:00+00:00"],
        [None, "9999-12-31T23:59:59+00:00"],
        ["2026-03-01T00:00:00+00:00", None],
        ["2026-03-01T00:00:00+00:00", "2026-03-02T00:00:00+00:00"],
    ]
    pd.testing.assert_frame_equal(frame, before)


def test_of_two_columns_of_addresses_the_first_name_counts_and_of_two_of_one_name_the_first():
    assert cidrs(pd.DataFrame({"value": ["x"], "cidr": ["198.51.100.1"]})) == ["198.51.100.1/32"]
    twice = pd.DataFrame([["198.51.100.1", "198.51.100.2"]], columns=["ip", "ip"])
    assert cidrs(twice) == ["198.51.100.1/32"]


def test_confidence_is_out_of_a_hundred_where_one_number_says_so():
    def confidence(*numbers):
        addresses = [f"198.51.100.{place}" for place in range(len(numbers))]
        return Indicators.of(pd.DataFrame({"ip": addresses, "confidence": numbers})).table["confidence"].tolist()

    assert confidence(0.25, 1) == [0.25, 1]
    assert confidence(25, 1, 100) == [0.25, 0.01, 1]


def test_one_indicator_said_twice_is_one_and_said_otherwise_two():
    found = Indicators.of(pd.DataFrame({"ip": ["198.51.100.1"] * 3, "port": [80, 80, 443]}))
    assert rows(found, "cidr", "port") == [("198.51.100.1/32", 80), ("198.51.100.1/32", 443)]
    assert found.match(["198.51.100.1"])["indicator"].tolist() == [0, 1]


def test_a_name_may_be_a_word_of_stix():
    assert rows(Indicators.of({"type": "198.51.100.1", "objects": ["198.51.100.2"]}), "name") == [
        ("type",),
        ("objects",),
    ]


def test_it_says_what_it_holds():
    assert repr(Indicators.of(["198.51.100.1", "evil.example"])) == "Indicators(1, 1 left out)"


# --- How addresses are written ---


@pytest.mark.parametrize(
    ("text", "cidr", "port"),
    [
        ("1[.]2[.]3[.]4", "1.2.3.4/32", None),
        ("1(.)2{.}3[dot]4", "1.2.3.4/32", None),
        ("1\\.2\\.3\\.4", "1.2.3.4/32", None),
        ("2001[:]db8::1", "2001:db8::1/128", None),
        ("1.2.3.0[/]24", "1.2.3.0/24", None),
        ("hxxp://1[.]2[.]3[.]4", "1.2.3.4/32", None),
        ("hXXps[://]1[.]2[.]3[.]4/evil.exe?x=1#y", "1.2.3.4/32", None),
        ("http://user:secret@1.2.3.4:8080/", "1.2.3.4/32", 8080),
        ("https://[2001:db8::1]:8443/a", "2001:db8::1/128", 8443),
        ("1.2.3.4:443", "1.2.3.4/32", 443),
        ("1.2.3.4[:]0", "1.2.3.4/32", 0),
        ("1.2.3.4|443", "1.2.3.4/32", 443),
        ("[2001:db8::1]:443", "2001:db8::1/128", 443),
        ("[2001:db8::1]", "2001:db8::1/128", None),
        ("1.2.0.0/255.255.0.0", "1.2.0.0/16", None),
        ("::ffff:1.2.3.4", "::ffff:1.2.3.4/128", None),
    ],
)
def test_addresses_may_be_defanged_have_ports_and_be_hosts_of_urls(text, cidr, port, tmp_path):
    for source in (text, [text], written(tmp_path, f"# list\n{text}\n")):
        if isinstance(source, Path) and "#" in text:
            continue
        assert rows(Indicators.of(source), "cidr", "port") == [(cidr, port)]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("evil.example", "a host name"),
        ("*.evil[.]example", "a host name"),
        ("bücher.example.", "a host name"),
        ("dead.beef", "a host name"),
        ("evil.example:443", "a host name"),
        ("4.3.2.1.in-addr.arpa", "a host name"),
        ("hxxp://evil[.]example/1.2.3.4", "a URL with a host name"),
        ("evil.example/1.2.3.4", "a URL with a host name"),
        ("d41d8cd98f00b204e9800998ecf8427e", "a hash"),
        ("DA39A3EE5E6B4B0D3255BFEF95601890AFD80709", "a hash"),
        ("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "a hash"),
        ("00:11:22:aa:bb:cc", "a MAC address"),
        ("00-11-22-AA-BB-CC", "a MAC address"),
        ("AS64496", "an autonomous system"),
        ("someone@evil.example", "an e-mail address"),
        ("file:///etc/passwd", "no address"),
        ("<html>", "no address"),
        ("localhost", "no address"),
        ("3221226219", "no address"),
        ("\N{BENGALI DIGIT ONE}.2.3.\N{BENGALI DIGIT FOUR}", "no address"),
        ("", "nothing stands there"),
        ("-", "nothing stands there"),
    ],
)
def test_what_is_no_address_is_left_out_and_said(text, reason):
    found = Indicators.of(["198.51.100.1", text])
    assert found.table["cidr"].tolist() == ["198.51.100.1/32"]
    where, said, why = found.left_out.iloc[0]
    assert (where, said, why) == ("indicators, row 2", text.replace("-", "") if text == "-" else text, reason)


@pytest.mark.parametrize(
    "text",
    [
        "300.1.2.3", "1.2.3", "10.0.0.0/33", "1.2.3.4/", "1.2.3.4-1.2.3.9", "1.2.3.*", "010.1.1.1", "1.2.3.4.5",
        "1.2.3.4x", "2001:db8::1::2", "2001:db8::/129", "fe80::1%eth0", "12345::", "hxxp://300.1.2.3/", "1.2.3.4:65536",
        "1.2.3.4|99999",
        "1.2.3.4:" + "9" * 5000,
    ],
    ids=lambda text: text[:20],
)  # fmt: skip
def test_what_is_meant_as_an_address_and_is_none_is_a_mistake_with_its_place(text, tmp_path):
    path = written(tmp_path, f"# list\n198.51.100.1\n{text}\nevil.example\n")
    with pytest.raises(fl.ParseError) as caught:
        Indicators.of(path)
    assert (caught.value.file, caught.value.line) == (str(path), 3)
    assert caught.value.text.startswith(text[:100])
    with pytest.raises(fl.ParseError, match=r"indicators, row 2: "):
        Indicators.of(["198.51.100.1", text])
    with pytest.raises(fl.ParseError, match=r"indicators, row 1: "):
        Indicators.of(text)


def test_a_mistake_of_a_million_letters_is_not_repeated_in_full():
    with pytest.raises(fl.ParseError) as caught:
        Indicators.of(pd.DataFrame({"ip": ["1.2." + "3" * 1_000_000, "1.2.3.4"], "port": [1, "x" * 1_000_000]}))
    assert len(str(caught.value)) < 1000
    assert max(len(line.reason) for line in caught.value.bad_lines) < 300


def test_all_mistakes_are_said_at_once():
    with pytest.raises(fl.ParseError) as caught:
        Indicators.of({"a": ["300.1.1.1", "198.51.100.1"], "b": ["1.2.3", 7]})
    assert [line.line for line in caught.value.bad_lines] == [1, 3, 4]
    assert "and 2 more bad rows" in str(caught.value)
    assert "a int is no address" in caught.value.bad_lines[2].reason


# --- What cannot be indicators ---


@pytest.mark.parametrize(
    "source", [5, None, b"198.51.100.1", bytearray(b"x"), object()], ids=lambda source: type(source).__name__
)
def test_what_is_nothing_of_this_is_refused(source):
    with pytest.raises(TypeError, match="indicators are an address or CIDR prefix"):
        Indicators.of(source)


@pytest.mark.parametrize("source", [[Path("list.txt")], [["198.51.100.1"]], [b"198.51.100.1"], [7]])
def test_what_is_no_text_in_a_list_is_refused_with_its_place(source):
    with pytest.raises(fl.ParseError, match=r"row 1: a .* is no address"):
        Indicators.of(source)


def test_a_frame_without_addresses_is_refused():
    with pytest.raises(
        ValueError, match="lack a column cidr, indicator, ip, address or value; they have prefix, group"
    ):
        Indicators.of(pd.DataFrame({"prefix": ["10.0.0.0/8"], "group": ["a"]}))


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("port", 65536, "no port"), ("port", -1, "no port"), ("port", "https", "no port"), ("port", 1.5, "no port"),
        ("port", True, "no port"), ("protocol", "http", "no protocol"), ("protocol", 256, "no protocol"),
        ("confidence", 101, "no confidence"), ("confidence", "high", "no confidence"), ("confidence", -0.1, "no conf"),
        ("confidence", float("inf"), "no confidence"), ("valid_until", "soon", "no time"),
        ("valid_until", 2026, "no time"),
        ("valid_from", "2026", "no time"), ("valid_from", 1772323200000, "no time"), ("valid_from", ["x"], "no time"),
        ("valid_from", "2026-02-30", "no time"), ("valid_from", True, "no time"), ("valid_from", -1, "no time"),
        ("valid_from", 10**400, "no time"), ("port", 10**400, "no port"), ("confidence", 10**400, "no confidence"),
        ("protocol", 10**400, "no protocol"),
    ],
)  # fmt: skip
def test_what_stands_beside_an_address_has_to_be_right(column, value, message):
    frame = pd.DataFrame({"ip": ["198.51.100.1", "198.51.100.2"], column: pd.Series([None, value], dtype=object)})
    with pytest.raises(fl.ParseError, match=message) as caught:
        Indicators.of(frame)
    assert caught.value.line == 2


def test_a_port_beside_the_address_and_one_in_its_column_have_to_agree():
    frame = pd.DataFrame({"ip": ["198.51.100.1:80"], "port": [80]})
    assert rows(Indicators.of(frame), "port") == [(80,)]
    with pytest.raises(fl.ParseError, match="the port is 80 beside the address, and 81 in its column"):
        Indicators.of(frame.assign(port=81))


def test_what_is_never_valid_is_left_out():
    frame = pd.DataFrame(
        {
            "ip": ["198.51.100.1", "198.51.100.2"],
            "valid_from": ["2026-03-01", "2026-03-01"],
            "valid_until": ["2026-03-02", "2026-03-01"],
        }
    )
    assert left_out(frame) == [("198.51.100.2", "it is never valid: from 2026-03-01 until 2026-03-01")]


@pytest.mark.parametrize("source", [["evil.example", "evil.example", "AS64496"], {"10.0.0.0/8": "ten.example"}])
def test_a_list_without_one_indicator_says_so(source):
    with pytest.raises(ValueError, match=r"indicators has no indicator to look for in flow logs: [12] a host name"):
        Indicators.of(source)


@pytest.mark.parametrize("source", [[], {}, {"a": []}, pd.DataFrame({"cidr": []})])
def test_a_list_without_anything_says_so(source):
    with pytest.raises(ValueError, match="indicators lists no indicators"):
        Indicators.of(source)


# --- Text or path ---


@pytest.mark.parametrize(
    "text", ["evil.example", "nowhere/list.txt", "evil.example\n198.51.100.2", "a\0b", "x" * 5000, ""]
)
def test_text_that_is_neither_an_address_nor_a_file_is_refused(text):
    with pytest.raises(FileNotFoundError, match="is neither an IP address, nor a CIDR prefix, nor a file"):
        Indicators.of(text)


def test_a_file_may_be_called_like_a_malformed_address(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("1.2.3").write_text("198.51.100.1")
    Path("198.51.100.9").write_text("198.51.100.1")
    assert cidrs("1.2.3") == ["198.51.100.1/32"]
    assert cidrs("198.51.100.9") == ["198.51.100.9/32"]
    assert cidrs(Path("198.51.100.9")) == ["198.51.100.1/32"]


def test_a_path_has_to_be_that_of_a_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no file"):
        Indicators.of(tmp_path / "list.txt")
    for folder in (tmp_path, str(tmp_path)):
        with pytest.raises(IsADirectoryError, match="is a folder; name one file"):
            Indicators.of(folder)


# --- Plain text ---

FIREHOL = """\
#
# firehol_level1
# ipv4 hash:net ipset
#
1.10.16.0/20
5.188.10.7
"""
DROP = """\
; Spamhaus DROP List 2026/03/10 - (c) 2026 The Spamhaus Project
; Last-Modified: Tue, 10 Mar 2026 03:10:11 GMT
1.10.16.0/20 ; SBL256894
2a06:e480::/29 ; SBL301771

  1.19.0.0/16\t;SBL434604
"""


def test_lists_of_firehol_and_spamhaus_are_read(tmp_path):
    path = written(tmp_path, FIREHOL, "firehol_level1.netset")
    assert rows(Indicators.of(path), "cidr", "name", "source") == [
        ("1.10.16.0/20", None, str(path)), ("5.188.10.7/32", None, str(path)),
    ]  # fmt: skip
    assert rows(Indicators.of(str(written(tmp_path, DROP))), "cidr", "name") == [
        ("1.10.16.0/20", "SBL256894"), ("2a06:e480::/29", "SBL301771"), ("1.19.0.0/16", "SBL434604"),
    ]  # fmt: skip


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_line_ends_and_byte_order_marks_make_no_difference(newline, tmp_path):
    path = tmp_path / "list.txt"
    path.write_bytes(b"\xef\xbb\xbf" + newline.join(["198.51.100.1", "# c", "evil.example", "2001:db8::1"]).encode())
    found = Indicators.of(path)
    assert found.table["cidr"].tolist() == ["198.51.100.1/32", "2001:db8::1/128"]
    assert found.left_out["where"].tolist() == [f"{path}, line 3"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("0.0.0.0 evil.example", "several words"),
        ("198.51.100.1\t7", "several words"),
        ("198.51.100.1,Dridex", "a table needs a first line that names its columns, one of them cidr"),
        ("198.51.100.1, Dridex # x", "a table needs"),
    ],
)
def test_a_line_that_says_more_than_one_thing_is_a_mistake(line, message, tmp_path):
    with pytest.raises(fl.ParseError, match=message) as caught:
        Indicators.of(written(tmp_path, f"198.51.100.1\n{line}\n"))
    assert caught.value.line == 2


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing today\n", "; nothing\n"])
def test_an_empty_list_says_so(text, tmp_path):
    with pytest.raises(ValueError, match=r"list\.txt lists no indicators"):
        Indicators.of(written(tmp_path, text))


# --- CSV ---

FEODO = """\
################################################################
# abuse.ch Feodo Tracker Botnet C2 IP Blocklist (CSV)          #
################################################################
#
"first_seen_utc","dst_ip","dst_port","c2_status","last_online","malware"
"2026-01-17 07:44:46","51.178.161.32","4643","online","2026-03-10","Dridex"
"2026-02-03 01:02:03","198.51.100.9","443","offline","2026-03-09","QakBot"
# END (2 entries)
"""
SSLBL = """\
# abuse.ch SSLBL Botnet C2 IP Blacklist (CSV)
# For questions please contact "sslbl [at] abuse.ch
#
# Firstseen,DstIP,DstPort
2026-03-10 05:11:02,198.51.100.7,4449
2026-03-09 14:00:41,198.51.100.8,8808
"""
THREATFOX = """\
# "first_seen_utc","ioc_id","ioc_value","ioc_type","threat_type","malware_printable","confidence_level"
"2026-03-10 10:00:00", "1", "198.51.100.4:8080", "ip:port", "botnet_cc", "Cobalt Strike", "100"
"2026-03-10 10:00:01", "2", "evil.example", "domain", "botnet_cc", "Cobalt Strike", "75"
"""


def test_lists_of_abuse_ch_are_read(tmp_path):
    assert rows(Indicators.of(written(tmp_path, FEODO)), "cidr", "name", "port") == [
        ("51.178.161.32/32", "Dridex", 4643), ("198.51.100.9/32", "QakBot", 443),
    ]  # fmt: skip
    assert rows(Indicators.of(written(tmp_path, SSLBL)), "cidr", "port") == [
        ("198.51.100.7/32", 4449), ("198.51.100.8/32", 8808),
    ]  # fmt: skip
    path = written(tmp_path, THREATFOX)
    assert rows(Indicators.of(path), "cidr", "name", "port", "confidence") == [
        ("198.51.100.4/32", "Cobalt Strike", 8080, 1.0)
    ]
    assert left_out(path) == [("evil.example", "a host name")]


def test_intelligence_files_of_zeek_are_read(tmp_path):
    text = "#fields\tindicator\tindicator_type\tmeta.source\n1.2.3.4\tIntel::ADDR\tx\nevil.example\tIntel::DOMAIN\t-\n"
    path = written(tmp_path, text)
    assert cidrs(path) == ["1.2.3.4/32"]
    assert left_out(path) == [("evil.example", "a host name")]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv_says_of_its_columns_what_they_are(delimiter, tmp_path):
    lines = [
        ["Name", "CIDR", "Protocol", "valid until"],
        ["net, \n# of two lines", "198.51.100.0/24", "tcp", "2026-03-01T00:00:00+01:00"],
        ["", "2001:db8::1"],
        ["", "", "", ""],
        ["hash", "d41d8cd98f00b204e9800998ecf8427e", "nonsense", ""],
    ]
    text = "\n".join(delimiter.join(f'"{cell}"' if "," in cell else cell for cell in line) for line in lines)
    path = written(tmp_path, text, "list")
    found = Indicators.of(path)
    assert rows(found, "cidr", "protocol", "name")[1:] == [("2001:db8::1/128", None, None)]
    assert found.table.loc[0, "valid_until"] == pd.Timestamp("2026-02-28T23:00:00Z")
    assert found.table.loc[0, "name"].startswith("net,")
    assert found.left_out["where"].tolist() == [f"{path}, line 6"]


def test_a_header_may_be_one_word(tmp_path):
    assert cidrs(written(tmp_path, "ip\n198.51.100.1\n")) == ["198.51.100.1/32"]
    # ... but not in a comment, where it may be any word.
    assert cidrs(written(tmp_path, "# ip\n198.51.100.1\n")) == ["198.51.100.1/32"]


@pytest.mark.parametrize(
    ("row", "line", "message"),
    [
        ("198.51.100.1,a,b", 2, "there are 3 values for 2 columns"),
        ('198.51.100.1,"a', 2, "no CSV"),
        ('198.51.100.1,"a"b', 2, "no CSV"),
        ("198.51.100.1," + "x" * 200_000, 2, "no CSV: field larger"),
        ("300.1.1.1,a", 2, "neither an IP address"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_row_that_is_wrong_is_a_mistake_with_its_line(row, line, message, tmp_path):
    with pytest.raises(fl.ParseError, match=message) as caught:
        Indicators.of(written(tmp_path, f"ip,name\n{row}\n"))
    assert caught.value.line == line


# --- STIX ---


def test_an_indicator_of_stix_says_what_it_looks_for_how_sure_and_how_long(tmp_path):
    path = bundle(
        tmp_path,
        {"type": "identity", "id": "identity--1", "name": "somebody"},
        indicator(
            "[ipv4-addr:value = '198.51.100.1']", name="C2 of Dridex", confidence=85,
            valid_from="2026-03-01T10:00:00.123456789Z", valid_until="2026-03-10T00:00:00Z",
        ),
        indicator("[ipv6-addr:value = '2001:db8::1']", indicator_types=["malicious-activity", "attribution"]),
        {"type": "indicator", "id": "indicator--20", "labels": ["malicious-activity"],  # 2.0 has no pattern_type
         "pattern": "[ipv4-addr:value = '203.0.113.0/24']", "valid_from": "2026-03-01T10:00:00Z"},
    )  # fmt: skip
    found = Indicators.of(path)
    assert rows(found, "cidr", "name", "confidence", "source") == [
        ("198.51.100.1/32", "C2 of Dridex", 0.85, str(path)),
        ("2001:db8::1/128", "malicious-activity, attribution", None, str(path)),
        ("203.0.113.0/24", "malicious-activity", None, str(path)),
    ]
    assert found.table.loc[0, "valid_from"] == pd.Timestamp("2026-03-01T10:00:00.123456Z")
    assert found.table.loc[0, "valid_until"] == pd.Timestamp("2026-03-10", tz="UTC")
    assert found.left_out.empty


def test_confidence_of_stix_is_always_out_of_a_hundred(tmp_path):
    path = bundle(tmp_path, indicator("[ipv4-addr:value = '198.51.100.1']", confidence=1))
    assert rows(Indicators.of(path), "confidence") == [(0.01,)]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("[ipv4-addr:value = '198.51.100.1']", ["198.51.100.1/32"]),
        ("[ipv4-addr:value='198.51.100.1/32']", ["198.51.100.1/32"]),
        ("  [ ipv4-addr:value\n==\t\N{NO-BREAK SPACE}'198.51.100.1' ] ", ["198.51.100.1/32"]),
        ("[ipv4-addr:value ISSUBSET '198.51.100.0/24']", ["198.51.100.0/24"]),
        ("[ipv6-addr:value = '2001:db8::1' or ipv6-addr:value issubset '2001:db8:1::/48']",
         ["2001:db8::1/128", "2001:db8:1::/48"]),
        ("[ipv4-addr:value IN ('198.51.100.1', '198.51.100.2')]", ["198.51.100.1/32", "198.51.100.2/32"]),
        ("[ipv4-addr:value = '198.51.100.1'] OR [ipv4-addr:value = '198.51.100.2']",
         ["198.51.100.1/32", "198.51.100.2/32"]),
        ("(([ipv4-addr:value = '198.51.100.1']) OR [(ipv4-addr:value = '198.51.100.2')])",
         ["198.51.100.1/32", "198.51.100.2/32"]),
        ("[ipv4-addr:value = '198.51.100.1'] WITHIN 600 SECONDS", ["198.51.100.1/32"]),
        ("[ipv4-addr:value = '198.51.100.1'] /* seen */ // today", ["198.51.100.1/32"]),
        ("[url:value = 'http://198.51.100.1/a']", ["198.51.100.1/32"]),
        ("[network-traffic:src_ref.value = '198.51.100.1']", ["198.51.100.1/32"]),
        ("[network-traffic:'dst_ref'.'value' ISSUBSET '198.51.100.0/24']", ["198.51.100.0/24"]),
    ],
    ids=range(13),
)  # fmt: skip
def test_patterns_ask_for_addresses(pattern, expected, tmp_path):
    assert of_pattern(tmp_path, pattern) == [(cidr,) for cidr in expected]


C2 = "network-traffic:dst_ref.type = 'ipv4-addr' AND network-traffic:dst_ref.value = '198.51.100.1'"


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (f"[{C2} AND network-traffic:dst_port = 443]", [(443, None)]),
        (f"[{C2} AND network-traffic:dst_port = '443']", [(443, None)]),
        (f"[{C2} AND network-traffic:dst_port IN (80, 443)]", [(80, None), (443, None)]),
        (f"[{C2} AND (network-traffic:dst_port = 80 OR network-traffic:dst_port = 443)]", [(80, None), (443, None)]),
        (f"[{C2} AND network-traffic:protocols[*] = 'tcp']", [(None, 6)]),
        (f"[{C2} AND network-traffic:protocols[0] = 'ipv4' AND network-traffic:protocols[1] = 'UDP']", [(None, 17)]),
        (f"[{C2} AND network-traffic:src_ref.type = 'ipv4-addr' AND network-traffic:dst_port = 0]", [(0, None)]),
        (f"[{C2} AND network-traffic:dst_ref.value = '198.51.100.1']", [(None, None)]),
        ("[network-traffic:src_ref.value = '198.51.100.1' AND network-traffic:src_port = 53]", [(53, None)]),
    ],
    ids=range(9),
)
def test_patterns_of_traffic_ask_for_a_port_and_a_protocol(pattern, expected, tmp_path):
    found = of_pattern(tmp_path, pattern, "cidr", "port", "protocol")
    assert found == [("198.51.100.1/32", *each) for each in expected]


@pytest.mark.parametrize(
    ("pattern", "text", "reason"),
    [
        ("[domain-name:value = 'evil.example']", "domain-name:value = 'evil.example'",
         "flow logs do not have domain-name:value"),
        ("[file:hashes.'SHA-256' = 'e3b0' AND file:size = 4]", "file:hashes.'SHA-256' = 'e3b0' AND file:size = 4",
         "it asks for several things together"),
        ("[file:hashes.\"SHA-256\" IN ('e3b0', 'it\\'s')]", "file:hashes.SHA-256 = 'e3b0'",
         "flow logs do not have file:hashes.SHA-256"),
        ("[ipv4-addr:value = '198.51.100.1' AND ipv4-addr:value = '198.51.100.2']",
         "ipv4-addr:value = '198.51.100.1' AND ipv4-addr:value = '198.51.100.2'",
         "it asks for several things together"),
        ("[domain-name:value = 'a.example' AND domain-name:resolves_to_refs[*].value = '198.51.100.1']",
         "domain-name:value = 'a.example' AND domain-name:resolves_to_refs[*].value = '198.51.100.1'",
         "it asks for several things together"),
        ("[ipv4-addr:value != '198.51.100.1']", "ipv4-addr:value != '198.51.100.1'",
         "!= cannot be looked up; only =, IN and ISSUBSET can"),
        ("[ipv4-addr:value NOT IN ('198.51.100.1')]", "ipv4-addr:value NOT IN ('198.51.100.1')",
         "NOT IN cannot be looked up; only =, IN and ISSUBSET can"),
        ("[ipv4-addr:value NOT = '198.51.100.1']", "ipv4-addr:value NOT = '198.51.100.1'",
         "NOT = cannot be looked up; only =, IN and ISSUBSET can"),
        ("[ipv4-addr:value LIKE '198.51.%']", "ipv4-addr:value LIKE '198.51.%'",
         "LIKE cannot be looked up; only =, IN and ISSUBSET can"),
        ("[EXISTS ipv4-addr:value]", "EXISTS ipv4-addr:value",
         "EXISTS cannot be looked up; only =, IN and ISSUBSET can"),
        ("[ipv4-addr:value = 5]", "ipv4-addr:value = 5", "the address is no text"),
        ("[ipv4-addr:value = 't'] REPEATS 5 TIMES WITHIN 60 SECONDS",
         "[ipv4-addr:value = 't'] REPEATS 5 TIMES WITHIN 60 SECONDS",
         "it asks for observations in a given time, or a given number of them"),
        ("[ipv4-addr:value = 't'] START t'2026-03-01T00:00:00Z' STOP t'2026-03-02T00:00:00Z'",
         "[ipv4-addr:value = 't'] START t'2026-03-01T00:00:00Z' STOP t'2026-03-02T00:00:00Z'",
         "it asks for observations in a given time, or a given number of them"),
        ("[ipv4-addr:value = 'a'] AND [ipv4-addr:value = 'b']", "[ipv4-addr:value = 'a'] AND [ipv4-addr:value = 'b']",
         "it asks for several observations"),
        ("([ipv4-addr:value = 'a'] FOLLOWEDBY [ipv4-addr:value = 'b']) WITHIN 5 SECONDS",
         "[ipv4-addr:value = 'a'] FOLLOWEDBY [ipv4-addr:value = 'b']", "it asks for observations one after the other"),
        (f"[{C2} AND network-traffic:src_ref.value = '198.51.100.2']", None, "it asks for both ends of the traffic"),
        ("[network-traffic:dst_port = 443]", "network-traffic:dst_port = 443", "it names no address"),
        ("[network-traffic:dst_ref.value = 5]", "network-traffic:dst_ref.value = 5", "the address is no text"),
        ("[network-traffic:dst_ref.type = 'domain-name' AND network-traffic:dst_ref.value = 'evil.example']", None,
         "an end of the traffic is no IP address"),
        (f"[{C2} AND network-traffic:src_port = 443]", None,
         "network-traffic:src_port cannot be told of a single address"),
        (f"[{C2} AND network-traffic:start = t'2026-03-01T00:00:00Z']", None,
         "network-traffic:start cannot be told of a single address"),
        (f"[{C2} AND network-traffic:dst_port = 443 AND network-traffic:dst_port = 80]", None,
         "it asks for different values of one property"),
        (f"[{C2} AND network-traffic:dst_port ISSUBSET '443']", None,
         "network-traffic:dst_port is no address, and has no subsets"),
        (f"[{C2} AND network-traffic:dst_port = 70000]", None, "70000 is no port"),
        (f"[{C2} AND network-traffic:dst_port = 4.5]", None, "None is no port"),
        (f"[{C2} AND network-traffic:protocols[*] = 'http']", None, "flow logs do not have the protocol http"),
        (f"[{C2} AND network-traffic:protocols[*] = 'tcp' AND network-traffic:protocols[*] = 'udp']", None,
         "it asks for several protocols, of which flow logs have one"),
        (f"[{C2} AND url:value = 'http://198.51.100.1/']", None, "it asks for several things together"),
    ],
    ids=range(28),
)  # fmt: skip
def test_what_a_pattern_asks_beyond_addresses_is_left_out(pattern, text, reason, tmp_path):
    said, why = unusable(tmp_path, pattern)[0]
    assert why == reason
    assert said == (pattern[1:-1] if text is None else text)


def test_of_alternatives_those_that_can_be_used_are_used(tmp_path):
    pattern = (
        "[ipv4-addr:value = '198.51.100.1' OR domain-name:value = 'evil.example'] OR "
        "([ipv4-addr:value = '198.51.100.2'] AND [ipv4-addr:value = '198.51.100.3']) OR "
        "[ipv4-addr:value = '198.51.100.4']"
    )
    assert of_pattern(tmp_path, pattern) == [("198.51.100.1/32",), ("198.51.100.4/32",)]
    assert [reason for _, reason in unusable(tmp_path, pattern)] == [
        "flow logs do not have domain-name:value", "it asks for several observations",
    ]  # fmt: skip


def test_and_binds_closer_than_or_and_or_closer_than_followedby(tmp_path):
    one, two, three = (f"[ipv4-addr:value = '198.51.100.{n}']" for n in (1, 2, 3))
    assert of_pattern(tmp_path, f"{one} OR {two} AND {three}") == [("198.51.100.1/32",)]
    assert unusable(tmp_path, f"{one} OR {two} FOLLOWEDBY {three}") == [
        (f"{one} OR {two} FOLLOWEDBY {three}", "it asks for observations one after the other")
    ]
    inner = "ipv4-addr:value = '198.51.100.1' OR ipv4-addr:value = '198.51.100.2' AND ipv4-addr:value = '198.51.100.3'"
    assert of_pattern(tmp_path, f"[{inner}]") == [("198.51.100.1/32",)]


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        ("", "'the end' stands where '[' belongs"),
        ("198.51.100.1", "stands where '[' belongs"),
        ("[ipv4-addr:value = '198.51.100.1'", "'the end' stands where ']' belongs"),
        ("[ipv4-addr:value = '198.51.100.1]", "nothing of STIX begins with"),
        ("[ipv4-addr:value = '198.51.100.1'] [ipv4-addr:value = '198.51.100.2']", "'[' stands where the end belongs"),
        ("[ipv4-addr:value]", "']' compares nothing"),
        ("[ipv4-addr:value = ]", "']' stands where a value belongs"),
        ("[ipv4-addr:value IN '198.51.100.1']", "stands where '(' belongs"),
        ("[ipv4-addr:value IN ()]", "')' stands where a value belongs"),
        ("[value = '198.51.100.1']", "'VALUE' stands where a path like ipv4-addr:value belongs"),
        ("[]", "']' stands where a path"),
        ("([ipv4-addr:value = '198.51.100.1']", "'the end' stands where ')' belongs"),
        ("[ipv4-addr:value = '198.51.100.1'] WITHIN [", "WITHIN has no number or time"),
        ("[ipv4-addr:value = '198.51.100.1'] WITHIN 5", "'the end' stands where 'SECONDS' belongs"),
        ("(" * 51 + "[ipv4-addr:value = '198.51.100.1']" + ")" * 51, "its brackets are nested too deeply"),
        (
            "[" + "(" * 5000 + "ipv4-addr:value = '198.51.100.1'" + ")" * 5000 + "]",
            "its brackets are nested too deeply",
        ),
        ("[" + " AND ".join(["(file:size = 1 OR file:size = 2)"] * 40) + "]", "it has too many alternatives"),
        ("[" + " " * 1_000_000 + "]", "it has more than 1,000,000 characters"),
        ("$" * 50, "nothing of STIX begins with '$$$$$$$$$$$$$$$$$$$$'"),
    ],
    ids=range(19),
)
def test_what_is_no_pattern_is_left_out_with_what_is_wrong(pattern, problem, tmp_path):
    ((text, reason),) = unusable(tmp_path, pattern)
    assert reason.startswith("the pattern cannot be read: ")
    assert problem in reason
    assert text == (pattern if len(pattern) <= 200 else f"{pattern[:197]}...")


def test_a_malformed_address_in_a_pattern_is_a_mistake_with_its_object(tmp_path):
    path = bundle(tmp_path, {"type": "malware"}, indicator("[ipv4-addr:value = '300.1.1.1']", name="C2"))
    with pytest.raises(fl.ParseError, match=rf"{path}, object 2: '300\.1\.1\.1' is neither an IP address") as caught:
        Indicators.of(path)
    assert caught.value.text == "300.1.1.1, C2, 2026-03-01T00:00:00Z"
    path = bundle(tmp_path, indicator("[ipv4-addr:value = '198.51.100.1']", valid_until="soon"))
    with pytest.raises(fl.ParseError, match="object 1: 'soon' is no time"):
        Indicators.of(path)


def test_a_bundle_of_other_things_says_so(tmp_path):
    with pytest.raises(ValueError, match=r"bundle\.json lists no indicators"):
        Indicators.of(bundle(tmp_path, {"type": "malware", "id": "malware--1", "name": "Dridex"}))


def test_a_host_name_where_an_address_belongs_is_left_out(tmp_path):
    assert unusable(tmp_path, "[ipv4-addr:value = 'evil.example']") == [("evil.example", "a host name")]


def test_objects_that_are_no_indicators_are_left_out_where_they_are_things_to_look_for(tmp_path):
    path = bundle(
        tmp_path,
        {"type": "ipv4-addr", "id": "ipv4-addr--1", "value": "198.51.100.0/24"},
        {"type": "ipv6-addr", "id": "ipv6-addr--1", "value": "2001:db8::1"},
        {"type": "ipv4-addr", "id": "ipv4-addr--2", "value": "10.0.0.5"},
        {"type": "observed-data", "id": "observed-data--1", "object_refs": ["ipv4-addr--2"]},
        {"type": "domain-name", "id": "domain-name--1", "value": "evil.example"},
        {"type": "relationship", "id": "relationship--1"},
        {"type": "malware", "id": "malware--1", "name": "Dridex"},
        {"type": "ipv4-addr", "id": ["odd"]},
        {"type": ["odd"]},
        7,
    )
    found = Indicators.of(path)
    assert found.table["cidr"].tolist() == ["198.51.100.0/24", "2001:db8::1/128"]
    assert list(found.left_out.itertuples(index=False, name=None)) == [
        (f"{path}, object 3", "10.0.0.5", "this was observed; nobody says that it is bad"),
        (f"{path}, object 4", "observed-data--1", "this was observed; nobody says that it is bad"),
        (f"{path}, object 5", "evil.example", "flow logs do not have domain-name"),
        (f"{path}, object 8", "", "nothing stands there"),
        (f"{path}, object 9", "{'type': ['odd']}", "this is no STIX object"),
        (f"{path}, object 10", "7", "this is no STIX object"),
    ]


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"revoked": True}, "it is revoked"),
        ({"pattern_type": "snort"}, "the pattern is one of snort"),
        ({"pattern": None}, "it has no pattern"),
        ({"valid_until": "2026-03-01T00:00:00Z"},
         "it is never valid: from 2026-03-01T00:00:00Z until 2026-03-01T00:00:00Z"),
    ],
    ids=str,
)  # fmt: skip
def test_indicators_that_do_not_count_are_left_out(more, reason, tmp_path):
    path = bundle(
        tmp_path,
        indicator("[ipv4-addr:value = '192.0.2.1']"),
        indicator("[ipv4-addr:value = '198.51.100.1']", **more),
    )
    assert cidrs(path) == ["192.0.2.1/32"]
    assert [why for _, why in left_out(path)] == [reason]


def test_of_several_versions_of_an_indicator_the_latest_counts(tmp_path):
    def version(modified, address, **more):
        return indicator(f"[ipv4-addr:value = '{address}']", id="indicator--1", modified=modified, **more)

    old, new = "2026-03-01T00:00:00Z", "2026-03-01T00:00:00.5Z"
    path = bundle(tmp_path, version(new, "198.51.100.2"), version(old, "198.51.100.1"), version("?", "198.51.100.3"))
    assert cidrs(path) == ["198.51.100.2/32"]
    assert [why for _, why in left_out(path)] == ["object 1 is a later version"] * 2
    other = indicator("[ipv4-addr:value = '192.0.2.1']")
    revoked = bundle(tmp_path, version(old, "198.51.100.1"), version(new, "198.51.100.1", revoked=True), other)
    assert cidrs(revoked) == ["192.0.2.1/32"]


def test_stix_may_be_a_bundle_what_a_server_answers_a_list_or_one_object_also_in_memory(tmp_path):
    one = indicator("[ipv4-addr:value = '198.51.100.1']")
    for content in ({"type": "bundle", "objects": [one]}, {"more": False, "objects": [one]}, [one], one):
        assert cidrs(written(tmp_path, json.dumps(content, indent=1))) == ["198.51.100.1/32"]
        assert rows(Indicators.of(content), "cidr", "source") == [("198.51.100.1/32", "indicators")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"prefixes": []}', "JSON without STIX objects"),
        ('["198.51.100.1"]', "JSON without STIX objects"),
        ("[[]]", "JSON without STIX objects"),
        ('{"type": "bundle", "objects": []}', "JSON without STIX objects"),
        ('{"type": "bundle",\n', "this begins like JSON, and is none"),
        ('{"cidr": "1.10.16.0/20"}\n{"cidr": "1.19.0.0/16"}', "this begins like JSON, and is none: Extra data"),
        ('{"confidence": ' + "9" * 5000 + "}", "this begins like JSON, and is none"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a":' * 100_000, "nested too deeply"),
    ],
    ids=range(9),
)
def test_json_that_is_no_stix_is_refused(text, message, tmp_path):
    with pytest.raises(fl.ParseError, match=message):
        Indicators.of(written(tmp_path, text))


def test_brackets_may_begin_an_address_in_text(tmp_path):
    assert cidrs(written(tmp_path, "[2001:db8::1]:443\n")) == ["2001:db8::1/128"]


# --- Bounds ---


def test_a_file_that_is_too_large_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "_LARGEST", 20)
    assert cidrs(written(tmp_path, "198.51.100.1 # 90123")) == ["198.51.100.1/32"]
    with pytest.raises(fl.ParseError, match="more than 20 bytes"):
        Indicators.of(written(tmp_path, "198.51.100.1 # 901234"))


@pytest.mark.parametrize("data", [b"\x1f\x8b\x08\x00", "198.51.100.1\n".encode("utf-16"), b"198.51.100.1\n\xff\n"])
def test_what_is_no_text_is_refused(data, tmp_path):
    path = tmp_path / "list.txt"
    path.write_bytes(data)
    with pytest.raises(fl.ParseError, match="no text in UTF-8"):
        Indicators.of(path)


@settings(max_examples=200)
@given(data=st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)))
@example(data=b"ip\n\0")
@example(data=b"ip," + b"x" * 200_000)
@example(data=b'ip,name\n"')
@example(data=b"198.51.100.1\x0b198.51.100.2")
def test_no_file_breaks_it(data, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "random"
    path.write_bytes(data)
    with contextlib.suppress(ValueError):  # ParseError is one
        assert len(Indicators.of(path))


_JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=5,
)
_OBJECT = st.fixed_dictionaries(
    {"type": st.one_of(st.sampled_from(["indicator", "ipv4-addr", "observed-data", "url"]), _JSON)},
    optional=dict.fromkeys(
        ["id", "name", "pattern_type", "confidence", "valid_from", "valid_until", "modified", "revoked", "labels",
         "value", "object_refs"],
        _JSON,
    ) | {"pattern": st.one_of(_JSON, st.just("[ipv4-addr:value = '198.51.100.1']"))},
)  # fmt: skip


@settings(max_examples=200)
@given(objects=st.lists(_OBJECT, max_size=4))
def test_no_stix_breaks_it(objects):
    with contextlib.suppress(ValueError):
        assert len(Indicators.of({"type": "bundle", "objects": objects}))


_WORDS = st.sampled_from(
    ["[", "]", "(", ")", "AND", "OR", "NOT", "IN", "FOLLOWEDBY", "WITHIN", "5", "SECONDS", "=", "ISSUBSET", ",", "'a'",
     "ipv4-addr:value", "'198.51.100.1'", "network-traffic:dst_port", "EXISTS", "t'2026'", "1.5", "true", "'", "$"]
)  # fmt: skip


@settings(max_examples=300)
@given(pattern=st.one_of(st.lists(_WORDS, max_size=25).map(" ".join), st.text(max_size=40)))
def test_no_pattern_breaks_it(pattern):
    objects = [indicator("[ipv4-addr:value = '192.0.2.1']"), indicator(pattern, id="indicator--2")]
    assert Indicators.of(objects).table["cidr"].iloc[0] == "192.0.2.1/32"


def _or(parts):
    return st.lists(parts, min_size=1, max_size=3).map(
        lambda some: (f"({' OR '.join(text for text, _ in some)})", [leaf for _, leaves in some for leaf in leaves])
    )


_COMPARISONS = st.recursive(IPV4.map(lambda address: (f"ipv4-addr:value = '{address}'", [address])), _or, max_leaves=5)
_OBSERVATIONS = st.recursive(_COMPARISONS.map(lambda one: (f"[{one[0]}]", one[1])), _or, max_leaves=5)


@given(pattern=_OBSERVATIONS)
def test_whatever_is_joined_by_or_is_found_in_its_order(pattern):
    text, addresses = pattern
    assert cidrs([indicator(text)]) == [f"{address}/32" for address in dict.fromkeys(addresses)]


OTHERS = ["evil.example", "AS64496", "someone@evil.example"]
MISTAKE = "300.1.1.1"
_ENTRIES = st.lists(st.one_of(IPV4, IPV6, PREFIXES, st.sampled_from([*OTHERS, MISTAKE])), max_size=12)


@given(entries=_ENTRIES)
def test_nothing_of_a_list_is_lost(entries, tmp_path_factory):
    path = written(tmp_path_factory.getbasetemp(), "".join(f"{entry} ; {n}\n" for n, entry in enumerate(entries)))
    others = [entry for entry in entries if entry in OTHERS]
    bad = [n for n, entry in enumerate(entries, 1) if entry == MISTAKE]
    if bad:
        with pytest.raises(fl.ParseError) as caught:
            Indicators.of(path)
        assert [line.line for line in caught.value.bad_lines] == bad
    elif others == entries:
        with pytest.raises(ValueError, match=r"no indicator to look for|lists no indicators"):
            Indicators.of(path)
    else:
        found = Indicators.of(path)
        assert found.left_out["text"].tolist() == others
        assert found.table["name"].tolist() == [str(n) for n, entry in enumerate(entries) if entry not in OTHERS]


# --- Addresses among them ---


def holding(prefixes, address):
    """Return the places of the prefixes that hold an address as netaddr has it, the most specific first."""
    asked = netaddr.IPAddress(address)
    nets = [netaddr.IPNetwork(prefix) for prefix in prefixes]
    places = [place for place, net in enumerate(nets) if net.version == asked.version and asked in net]
    return sorted(places, key=lambda place: (-nets[place].prefixlen, place))


@settings(max_examples=200)
@given(prefixes=st.lists(PREFIXES, min_size=1, max_size=14), addresses=st.lists(st.one_of(IPV4, IPV6), max_size=6))
@example([f"10.0.0.0/{length}" for length in range(33)], ["10.0.0.0", "10.0.0.1", "11.0.0.0", "255.255.255.255"])
@example(["::/0", "::/1", "8000::/1", "0.0.0.0/0"], ["::", "::ffff:10.0.0.1", "255.255.255.255"])
@example(["10.0.0.0/8", "10.0.0.0/8", "10.0.0.0/16", "10.0.0.0/8"], ["10.0.0.1", "10.1.0.1"])
@example(["10.0.0.0/9", "10.128.0.0/9", "10.0.0.0/8", "10.127.255.255"], ["10.127.255.255", "10.128.0.0"])
def test_all_prefixes_that_hold_an_address_are_found_as_netaddr_finds_them(prefixes, addresses):
    asked = [*addresses, "10.0.0.5", "::a00:5", *(edge for prefix in prefixes for edge in edges(prefix))]
    # Names keep equal prefixes apart.
    found = Indicators.of(pd.DataFrame({"cidr": prefixes, "name": range(len(prefixes))})).match(asked)
    expected = [(place, row) for place, address in enumerate(asked) for row in holding(prefixes, address)]
    assert list(found.itertuples(index=False, name=None)) == expected


def test_what_is_no_address_is_in_no_indicator():
    found = Indicators.of(["0.0.0.0/0", "::/0"]).match(["-", "", None, "evil.example", "10.0.0", "10.0.0.1", "::1"])
    assert list(found.itertuples(index=False, name=None)) == [(5, 0), (6, 1)]
    assert found.dtypes.tolist() == [np.dtype("int64")] * 2


@pytest.mark.parametrize("kind", [list, tuple, pd.Index, pd.CategoricalIndex, np.array])
def test_addresses_may_come_in_any_sequence(kind):
    indicators = Indicators.of("198.51.100.0/24")
    assert indicators.match(kind(["10.0.0.1", "198.51.100.9"]))["address"].tolist() == [1]
    assert indicators.match(kind([])).empty
    assert indicators.match(kind([])).columns.tolist() == ["address", "indicator"]


def test_more_pairs_than_can_be_held_are_refused(monkeypatch):
    monkeypatch.setattr(known, "_MOST_PAIRS", 3)
    indicators = Indicators.of({"a": "0.0.0.0/0", "b": "0.0.0.0/0"})
    assert len(indicators.match(["10.0.0.1"])) == 2
    with pytest.raises(ValueError, match="2 addresses are in 4 indicators together, too many to list"):
        indicators.match(["10.0.0.1", "10.0.0.2"])
