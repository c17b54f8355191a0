"""The sample against its truth table: what the conversations of a day say is what happened."""

from pathlib import Path

import duckdb
import pandas as pd
import pytest

import flowlens as fl

TRUTH = Path(__file__).parent.parent / "sample_data" / "vpc" / "truth.csv"
FIVE_TUPLE = ["initiator", "responder", "initiator_port", "responder_port", "protocol"]
NAT_GATEWAY = "10.20.0.5"
ICMP, ICMPV6, TCP = 1, 58, 6


@pytest.fixture(scope="module")
def df():
    return fl.sample()


@pytest.fixture(scope="module")
def found(df):
    return df.flow.conversations()


@pytest.fixture(scope="module")
def truth():
    return pd.read_csv(TRUTH, dtype={"initiator_port": "UInt16", "responder_port": "UInt16", "protocol": "UInt8"})


def with_ports(table):
    # Echo requests of one pair all look alike: neither ports nor ids are logged.
    return table[~table["protocol"].isin([ICMP, ICMPV6])]


def five_tuples(table):
    return set(map(tuple, table[FIVE_TUPLE].astype(object).to_numpy()))


def test_every_conversation_is_found_with_the_side_that_began_it_or_lies_where_records_were_lost(df, found, truth):
    lost = five_tuples(with_ports(truth)) - five_tuples(with_ports(found))
    lost_at = pd.to_datetime(truth.loc[[tuple(key) in lost for key in truth[FIVE_TUPLE].to_numpy()], "start"])
    skipped = df.flow.select(status="SKIPDATA")
    assert len(lost) < 10
    for moment in lost_at:
        assert ((skipped["start"] <= moment) & (moment <= skipped["end"])).any()


def test_nothing_else_is_found_but_the_far_side_of_the_nat_gateway(found, truth):
    others = five_tuples(with_ports(found)) - five_tuples(with_ports(truth))
    assert {initiator for initiator, *_ in others} == {NAT_GATEWAY}


def test_no_conversation_is_counted_twice_although_both_ends_log_it(found, truth):
    tcp = truth[truth["protocol"] == TCP]
    once = five_tuples(tcp[~tcp.duplicated(FIVE_TUPLE, keep=False)])
    counts = found[found["protocol"] == TCP].groupby(FIVE_TUPLE).size()
    assert {tuple(map(str, key)) for key in counts[counts > 1].index}.isdisjoint({tuple(map(str, key)) for key in once})


@pytest.mark.parametrize(
    ("blocked_by", "states"),
    [
        ("SG_IN", {"rejected"}),
        ("NACL_IN", {"rejected"}),
        ("NACL_OUT", {"reply rejected"}),
        # The late packet of a closed connection is refused after both directions had worked.
        ("SG_OUT", {"rejected", "mixed"}),
    ],
)
def test_the_state_says_in_which_direction_the_filter_stood(found, truth, blocked_by, states):
    refused = truth[truth["blocked_by"] == blocked_by]
    joined = refused.merge(found, on=FIVE_TUPLE, validate="many_to_many")
    assert len(joined) >= len(refused) > 0
    assert set(joined["state"]) <= states


def test_what_no_filter_refused_is_not_called_refused(found, truth):
    free = truth.groupby(FIVE_TUPLE)["blocked_by"].count().loc[lambda refused: refused == 0].reset_index()
    joined = with_ports(free).merge(found, on=FIVE_TUPLE)
    assert set(joined["state"]) <= {"established", "closed", "reset", "unanswered"}


def test_bytes_of_the_large_upload_are_those_of_its_own_interface(df, found, truth):
    upload = truth[truth["label"] == "exfiltration"].iloc[0]
    own = df[(df["srcaddr"] == upload["initiator"]) & (df["dstaddr"] == upload["responder"])]
    at_home = own.groupby("interface_id", observed=True)["bytes"].sum().max()
    row = found[(found["initiator"] == upload["initiator"]) & (found["responder"] == upload["responder"])]
    assert row["bytes_out"].tolist() == [at_home]


def test_interval_and_coverage_are_those_of_the_simulation(df):
    assert df.flow.interval == 60
    coverage = df.flow.coverage()
    assert coverage["skipdata"].sum() == 2
    assert (coverage["gap_time"] == pd.Timedelta(0)).all()


def test_the_text_of_a_matrix_holds_the_cells_that_the_matrix_shows(df):
    shown = df.flow.matrix("action", "protocol", values="flows")
    text = df.flow.sql("duckdb", table="logged").matrix("action", "protocol", values="flows")
    logged = df[["srcaddr", "action", "protocol", "packets", "bytes"]].astype({"srcaddr": str, "action": str})
    with duckdb.connect() as connection:
        connection.register("logged", logged.where(df["srcaddr"].notna(), None))
        cells = connection.sql(text).fetchall()
    assert {(row, column): value for row, column, value in cells} == {
        (row, column): value for row, values in shown.iterrows() for column, value in values.items() if value
    }
