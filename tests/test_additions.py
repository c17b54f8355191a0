"""What is said of added columns in several places is the same: what needs which fields, and what adds which column."""

from __future__ import annotations

import pytest

import flowlens as fl
from flowlens.abilities import NEEDS
from flowlens.columns import missing_field
from flowlens.enrich.direction import Direction
from flowlens.enrich.names import PrefixNames
from flowlens.enrich.networks import Networks
from flowlens.enrich.resources import Resources
from flowlens.enrich.scopes import scopes
from flowlens.enrich.services import Services
from flowlens.schema import BY_COLUMN

ADDITIONS = {
    addition.verb: addition
    for addition in (
        PrefixNames("add_groups", {"src_group": "srcaddr", "dst_group": "dstaddr"}, [], None),
        Networks(24, 64),
        scopes(None),
        Services(),
        Direction(lambda: None, lambda: 60),
        Resources(fl.sample_topology()),
    )
}


@pytest.mark.parametrize("verb", ADDITIONS)
def test_can_asks_for_what_the_addition_needs(verb):
    needed = {need if isinstance(need, str) else frozenset(need) for need in ADDITIONS[verb].needs}
    told = {need if isinstance(need, str) else frozenset(need) for need in NEEDS[verb]}
    assert needed | {"srcaddr", "dstaddr"} == told | {"srcaddr", "dstaddr"}


@pytest.mark.parametrize("verb", ADDITIONS)
def test_a_column_that_is_not_there_is_told_with_what_adds_it(verb):
    for column in ADDITIONS[verb].added(BY_COLUMN):
        assert f" {verb}(" in str(missing_field(column, "pairs"))


def test_every_way_to_add_columns_is_compared_here():
    assert set(ADDITIONS) == {name for name in dir(fl.Flows) if name.startswith("add_")}
