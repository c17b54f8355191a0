"""What `explain` says of a row: a paragraph that is text, and a card without styles in which no log speaks HTML."""

from __future__ import annotations

import copy
import json
import pickle
import re
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from formats import frame, record

import flowlens as fl
from flowlens.cards.explained import Explanation
from flowlens.detect import DETECTORS
from flowlens.detect.advice import NEXT, TECHNIQUES

DF = fl.sample()
TOPOLOGY = fl.sample_topology()
FOUND = pd.concat([DF.flow.findings(), DF.flow.matches({"drop zone": "198.51.100.16/28"})], ignore_index=True)
FIRST = {kind: rows.iloc[0] for kind, rows in FOUND.groupby("kind")}
DIAGNOSED = DF.flow.diagnose(topology=TOPOLOGY)
REFUSED = DIAGNOSED[DIAGNOSED["srcaddr"] == "10.20.11.30"].iloc[0]
CROWD = DIAGNOSED[DIAGNOSED["srcaddr"].isna()].iloc[0]
UNDECIDED = frame(record(action="REJECT", flow_direction="ingress")).flow.diagnose().iloc[0]
ASKED = {
    port: DF.flow.diagnose_conversation(src, dst, dst_port=port).iloc[-1]
    for src, dst, port in [("10.20.10.31", "10.20.20.10", 5432), ("10.20.0.10", "169.254.169.254", 80)]
}
#: The first three kinds are not in the sample.
OTHER_KINDS = {
    "flood": {"srcaddr": None, "dstport": pd.NA, "evidence": {"packets_a_second": 12_345.6, "bytes_a_packet": 60.0}},
    "new_peer": {"evidence": {"what": "port", "days_before": 3.25, "hosts": 1}},
    "log_gap": {
        "srcaddr": None, "dstaddr": None, "dstport": pd.NA, "protocol": pd.NA, "flows": pd.NA, "bytes": pd.NA,
        "evidence": {"seconds": 7200, "seen_elsewhere": 3, "to_the_end": False},
    },
}  # fmt: skip
FINDINGS = FIRST | {
    kind: pd.Series({**FIRST["beacon"].to_dict(), "kind": kind, **changes}) for kind, changes in OTHER_KINDS.items()
}
DIAGNOSES = {
    "refused": REFUSED, "crowd": CROWD, "undecided": UNDECIDED, "works": ASKED[5432], "never logged": ASKED[80],
    **{verdict: rows.iloc[0] for verdict, rows in DIAGNOSED.groupby("verdict")},
}  # fmt: skip
ROWS = [pytest.param(row, id=name) for name, row in (FINDINGS | DIAGNOSES).items()]
rows = pytest.mark.parametrize("row", ROWS)

_VOID = {"br", "hr"}


class Page(HTMLParser):
    """The elements of a card with their attributes, its text, and its tables."""

    def __init__(self, card: str):
        super().__init__(convert_charrefs=True)
        self.open, self.elements, self.text, self.tables, self.code = [], [], "", {}, []
        self.feed(card)
        self.close()
        assert not self.open, "every element is closed"

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        self.elements.append((tag, dict(attrs)))
        if tag == "table":
            self._table, self._caption = [], ""
        if tag == "tr":
            self._table.append([])
        if tag in {"th", "td"}:
            self._table[-1].append("")
        if tag == "code":
            self.code.append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag
        if tag == "table":
            self.tables[self._caption] = [row for row in self._table if row]

    def handle_data(self, data):
        self.text += data
        if "caption" in self.open:
            self._caption += data
        if {"th", "td"} & set(self.open):
            self._table[-1][-1] += data
        if "code" in self.open:
            self.code[-1] += data


def page(row) -> Page:
    return Page(DF.flow.explain(row)._repr_html_())


# --- It is text ---


@rows
def test_an_explanation_is_text_like_any_other(row):
    text = DF.flow.explain(row)
    assert isinstance(text, Explanation)
    plain = "".join(text)
    assert type(plain) is str
    assert text == plain
    assert hash(text) == hash(plain)
    assert f"{text}" == plain
    assert repr(text) == repr(plain)
    assert (text[:20], text.upper(), text + "!") == (plain[:20], plain.upper(), plain + "!")
    assert "\n" not in text
    assert "  " not in text


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda text: pickle.loads(pickle.dumps(text))])
def test_a_copy_is_still_a_card(copied):
    text = DF.flow.explain(REFUSED)
    again = copied(text)
    assert again == text
    assert again._repr_html_() == text._repr_html_()


def test_the_paragraph_of_a_diagnosis_says_what_refused_it_and_what_would_open_it():
    assert DF.flow.explain(REFUSED) == (
        "10.20.11.30:50472 to 10.20.20.10:5432 (TCP, postgresql) was refused on the way in at eni-0d68be0bfd9137557: "
        "1 attempt, 4 packets between 2026-03-10 10:15:00 and 2026-03-10 10:15:07 UTC. Certain: the security group "
        f"refused it, inbound (SG_IN). {REFUSED['why']} This assumes that the rules of the topology are those of the "
        "time of the records and the rules did not change between the records. Ruled out: network ACL of "
        "subnet-0aa9eb9cfc9be81f1 inbound, security group of eni-057cce22cfe6a8ee3 outbound, network ACL of "
        "subnet-00f1112b9341a41d2 outbound. This would open it, checked against a copy of the rules: "
        f"`{REFUSED['fix'][0]['cli']}`. Records: 27242."
    )


@rows
def test_a_dict_of_a_row_says_the_same(row):
    text = DF.flow.explain(row)
    same = DF.flow.explain(row.to_dict())
    assert (same, same._repr_html_()) == (text, text._repr_html_())


def test_a_scan_explains_its_rows_too(tmp_path):
    DF.flow.to_parquet(tmp_path)
    scan = fl.scan(tmp_path)
    assert scan.explain(FIRST["beacon"]) == DF.flow.explain(FIRST["beacon"])


# --- A finding as a paragraph ---


def test_there_is_a_next_step_for_every_kind_and_a_name_for_every_technique():
    assert NEXT.keys() == DETECTORS.keys() == FINDINGS.keys()
    sources = "".join(
        path.read_text() for path in (Path(fl.__file__).parent / "detect").glob("*.py") if path.stem != "advice"
    )
    assert set(re.findall(r"T1\d{3}(?:\.\d{3})?", sources)) == TECHNIQUES.keys()


def test_the_paragraph_of_a_finding_says_all_that_the_row_says():
    assert DF.flow.explain(FIRST["brute_force"]) == (
        "Brute force, score 1.00 of 1: 192.0.2.66 opened 714 connections to 10.20.0.10 at 22/tcp, 712 of them as "
        "short as a failed login, 17 packets in the median; one has 634 packets: a guess may have been right. "
        "Seen at eni-051600e4597bf2d51 between 2026-03-10 04:30:00 and 2026-03-10 23:45:00 UTC: 714 contacts, "
        "2.11 MB of the source. The score is made of volume 1.00, in band 1.00, alike 1.00, port 1.00, most 1.00, "
        "success 0.20, context 1.00. The numbers behind: tries 712, tries in an hour 560, connections 714, "
        "packets median 17, packets median deviation 2, largest 634, role target, possible success yes. To mind: "
        "our host is the target, not the actor. Nearest in ATT&CK T1110.001 (Brute Force: Password Guessing) and "
        "in GuardDuty UnauthorizedAccess:EC2/SSHBruteForce. Next: see in the login records of 10.20.0.10 whether "
        "a guess from 192.0.2.66 was right; let only those reach 22/tcp who need it. Its records: "
        "`df.flow.between('192.0.2.66', '10.20.0.10')`."
    )


@pytest.mark.parametrize("kind", FINDINGS)
def test_every_term_and_every_number_is_named(kind):
    row, text, card = FINDINGS[kind], DF.flow.explain(FINDINGS[kind]), page(FINDINGS[kind])
    terms = card.tables["What the score is made of"][1:]
    assert len(terms) == len(row["parts"])
    for (name, value), (key, term) in zip(terms, row["parts"].items(), strict=True):
        assert name == key.replace("_", " ")
        assert value.split()[0] == f"{term:.2f}"
        assert f"{name} {term:.2f}" in text
    numbers = card.tables["The numbers behind"][1:]
    assert len(numbers) == len(row["evidence"])
    assert all(value and f"{name} {value}" in text for name, value in numbers)
    for words in (row["why"], row["caveat"], row["technique"], f"score {row['score']:.2f} of 1"):
        assert words in text
        assert words in card.text
    assert "nan" not in text.lower().split()
    assert "None" not in text
    assert "<NA>" not in text


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("period", 299.0, "period 4.98 min"),
        ("longest_seconds", 72_000, "longest time 20 h"),
        ("bytes_in", 80_648_954, "bytes in 80.6 MB"),
        ("bytes_a_second", 1317.7, "bytes a second 1.32 kB/s"),
        ("gap_mad", 0.0, "gap median deviation 0 s"),
        ("tries", 12_345, "tries 12,345"),
        ("hosts_alike", 0.25, "hosts alike 0.25"),
        ("packets_a_second", 12_345.6, "packets a second 12,346"),
        ("deviation_of_pair", None, "deviation of pair not known"),
        ("from_outside", False, "from outside no"),
        ("sources", tuple(f"10.0.0.{n}" for n in range(12)), "10.0.0.9 and 2 more"),
        ("ports", (), "ports none"),
    ],
)
def test_numbers_have_their_units(name, value, shown):
    row = FIRST["beacon"].to_dict() | {"evidence": {name: value}}
    assert shown in DF.flow.explain(row)


@pytest.mark.parametrize("kind", FIRST)
def test_the_code_for_the_records_finds_them(kind):
    text = DF.flow.explain(FIRST[kind])
    (code,) = re.findall(r"Its records: `(.*)`\.$", text)
    assert code in page(FIRST[kind]).code
    records = eval(code, {"df": DF})
    row = FIRST[kind]
    assert len(records) >= 1
    assert records["start"].min() <= row["first"] <= records["end"].max()


# --- The card ---


@rows
def test_a_card_is_plain_html_that_needs_no_styles(row):
    card = DF.flow.explain(row)._repr_html_()
    elements = Page(card).elements
    allowed = {"div", "p", "b", "table", "caption", "thead", "tr", "th", "td", "code", "pre", "ul", "li", "span"}
    assert {tag for tag, _ in elements} <= allowed
    assert {name for _, attrs in elements for name in attrs} <= {"scope", "aria-hidden"}
    assert all(attrs.get("scope") in {"row", "col"} for tag, attrs in elements if tag == "th")
    assert len(card) < 32_000


def test_the_card_of_a_diagnosis_has_both_directions_side_by_side():
    assert page(REFUSED).tables["Both directions"] == [
        ["", "refused", "opposite direction"],
        ["from", "10.20.11.30:50472", "10.20.20.10:5432"],
        ["to", "10.20.20.10:5432", "10.20.11.30:50472"],
        ["protocol", "TCP, postgresql", "TCP"],
        ["on the", "way in at eni-0d68be0bfd9137557", "way out at eni-0d68be0bfd9137557"],
        ["seen", "1 attempt, 4 packets, between 2026-03-10 10:15:00 and 2026-03-10 10:15:07 UTC",
         "see df.flow.reject_pairs()"],
        ["security group", "refused it", "not told by this row"],
        ["network ACL", "ruled out", "not told by this row"],
    ]  # fmt: skip
    works = page(ASKED[5432]).tables["Both directions"]
    assert works[0][1] == "asked"
    assert works[-2:] == [
        ["security group", "let it pass", "let it pass"],
        ["network ACL", "let it pass", "let it pass"],
    ]


def test_the_card_of_a_diagnosis_says_verdict_and_trust_in_words():
    assert page(REFUSED).text.startswith(
        "Certain: the security group refused it, inbound (SG_IN): deduced, not weighed"
    )
    undecided = page(UNDECIDED)
    assert undecided.text.startswith("Not decided: the security group or the network ACL refused it, inbound")
    assert {what for _, what in undecided.tables["Filters on the way"][1:]} == {"may have refused it"}
    likely = DF.flow.diagnose_conversation("10.20.11.30", "10.20.20.10", dst_port=5432).iloc[1]
    assert likely["certainty"] == "likely"
    assert page(likely).tables["Filters on the way"][1][1] == "refused it, most likely"


def test_the_card_of_a_diagnosis_has_the_rules_and_the_commands():
    card = page(REFUSED)
    (call,) = REFUSED["fix"]
    assert call["cli"] in card.code
    assert ("pre", {}) in card.elements
    _, blocked = card.tables["Refused by"]
    assert blocked[0] == "security group, ingress"
    assert "sg-0c629f5e5982c3bfc" in blocked[1]
    assert "sgr-07c1027c28e08aae4 (TCP 5432 from sg-074e4dc79db45019c) differs in reference" in blocked[2]
    assert all(words in card.text for words in (REFUSED["why"], *REFUSED["assumptions"]))
    acl = page(DIAGNOSED[DIAGNOSED["verdict"] == "NACL_OUT"].iloc[0]).tables["Refused by"][1]
    assert acl[1:] == ["acl-031b24a281c92be3e of subnet-051cf93871b012e75", "entry 32767: implicit deny"]


def test_what_refuses_next_is_a_table_of_its_own():
    later = {"layer": "network_acl", "direction": "egress", "subnet": "subnet-1", "network_acl": "acl-1",
             "rule_number": 90, "rule": "explicit deny"}  # fmt: skip
    row = REFUSED.to_dict() | {"surfaces_after_fix": [later]}
    assert page(row).tables["Would refuse it after that"][1] == [
        "network ACL, egress", "acl-1 of subnet-1", "entry 90: explicit deny",
    ]  # fmt: skip


def test_records_of_a_diagnosis_can_be_taken_from_the_frame():
    (code,) = [code for code in page(REFUSED).code if code.startswith("df.loc")]
    assert len(eval(code, {"df": DF})) == len(REFUSED["records"])
    many = page(CROWD)
    assert f", {len(CROWD['records']):,} in all" in many.text
    assert len(many.text) < 4000


# --- What others wrote stays text ---

EVIL = "<script>alert('&')</script><img src=x onerror=\"x\">"


def poisoned(value):
    if isinstance(value, str):
        return value + EVIL
    if isinstance(value, list | tuple):
        return type(value)(map(poisoned, value))
    return {key: poisoned(each) for key, each in value.items()} if isinstance(value, dict) else value


@rows
def test_nothing_in_a_row_is_html(row):
    # What says which words to take stays as it is: nobody but flowlens writes it.
    own = {"kind", "verdict", "certainty", "direction", "candidates", "excluded"}
    evil = {name: value if name in own else poisoned(value) for name, value in row.to_dict().items()}
    for step in evil.get("blocked_by", []):
        step["layer"] = step["layer"].removesuffix(EVIL)
    card = page(evil)
    assert not {tag for tag, _ in card.elements} & {"script", "img"}
    assert not {name for _, attrs in card.elements for name in attrs} & {"src", "onerror"}
    assert EVIL in card.text
    assert "<script" not in DF.flow.explain(evil)._repr_html_()


def test_names_and_tags_of_a_topology_cannot_put_a_script_into_the_notebook():
    folder = Path(__file__).parent.parent / "sample_data" / "vpc" / "describe"
    documents = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    named = [0]

    def renamed(value, key=""):
        if isinstance(value, dict):
            return {name: renamed(each, name) for name, each in value.items()}
        if isinstance(value, list):
            return [renamed(each) for each in value]
        if key in {"GroupName", "Description", "Value"}:
            named[0] += 1
            return f"{value}{EVIL}"
        return value

    topology = fl.Topology.from_describe(renamed(documents))
    assert named[0] > 20
    found = DF.flow.add_resources(topology).flow.diagnose(topology=topology)
    for _, row in found.groupby(["verdict", "srcaddr"], dropna=False).head(1).iterrows():
        assert "<script" not in DF.flow.explain(row)._repr_html_()


def test_a_list_of_bad_addresses_cannot_put_a_script_into_the_notebook():
    row = DF.flow.matches({EVIL: "198.51.100.16/28"}).iloc[0]
    card = page(row)
    assert ("script", {}) not in card.elements
    assert dict(map(tuple, card.tables["The numbers behind"][1:]))["name"] == EVIL


# --- What cannot be explained ---


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        (DIAGNOSED, "and not a DataFrame"),
        (3, "and not a int"),
        (DF.iloc[0], "this one has version, account_id, interface_id, srcaddr, dstaddr, srcport, ..."),
        (DF.flow.host_scores().iloc[0], "this one has address, score, findings, top_kind, why"),
        ({}, "this one has nothing"),
        (REFUSED[["verdict", "why"]], "takes a row of diagnose.., which has interface_id"),
        (
            FIRST["beacon"][["kind", "score", "why"]],
            "takes a whole row of findings.. or a detector; this one lacks subject",
        ),
        (FIRST["beacon"].to_dict() | {"kind": "rumour"}, "no finding of the kind 'rumour'"),
        (FIRST["beacon"].to_dict() | {"parts": "{'timing': 1.0}"}, "where parts is a dict and not a str"),
    ],
)
def test_what_is_no_such_row_is_refused_with_what_is_expected(wrong, what):
    with pytest.raises(ValueError, match=rf"explain .*{what}.*df\.flow\.explain\(found\.loc\[0\]\)"):
        DF.flow.explain(wrong)
