"""The field table against the AWS pages, retyped in formats.py."""

from __future__ import annotations

import pytest
from formats import ADDRESSES, ALL_TGW, ALL_VPC, DTYPES, NUMBERS, TGW, TIMES, VPC

from flowlens.schema import BY_COLUMN, BY_NAME, DEFAULT_FIELDS, TGW_FIELDS, VOCABULARIES, VPC_FIELDS, field_for


def test_there_are_54_vpc_fields_in_the_order_aws_added_them():
    assert [field.name for field in VPC_FIELDS] == " ".join(VPC.values()).split()
    assert len(VPC_FIELDS) == 54


@pytest.mark.parametrize(
    ("version", "added"), [(2, 14), (3, 7), (4, 4), (5, 4), (6, 0), (7, 10), (8, 1), (9, 1), (10, 1), (11, 12)]
)
def test_each_version_added_its_number_of_vpc_fields(version, added):
    names = [field.name for field in VPC_FIELDS if field.version == version]
    assert names == VPC.get(version, "").split()
    assert len(names) == added


def test_the_default_format_is_the_fourteen_fields_of_version_2():
    assert [field.name for field in DEFAULT_FIELDS] == VPC[2].split()


def test_the_transit_gateway_has_36_fields_in_default_order_and_neither_action_nor_interface():
    names = [field.name for field in TGW_FIELDS]
    assert names == TGW.split()
    assert len(names) == 36
    assert not {"action", "interface-id", "pkt-srcaddr", "pkt-dstaddr"} & set(names)


@pytest.mark.parametrize("column", list(dict.fromkeys(ALL_VPC + ALL_TGW)))
def test_every_field_has_the_dtype_of_the_frame_contract(column):
    field = BY_COLUMN[column]
    by_rule = DTYPES[NUMBERS[column]] if column in NUMBERS else "category"
    assert field.dtype == ("datetime64[s, UTC]" if column in TIMES else by_rule)
    assert (field.kind == "address") == (column in ADDRESSES)


def test_tables_by_name_and_by_column_hold_the_same_fields():
    assert len(BY_NAME) == len(BY_COLUMN) == len(set(ALL_VPC + ALL_TGW))
    assert all(BY_COLUMN[field.column] is field and BY_NAME[field.name] is field for field in BY_NAME.values())
    assert all("_" not in name for name in BY_NAME)
    assert all("-" not in column for column in BY_COLUMN)


def test_only_action_status_and_direction_are_closed_lists():
    assert VOCABULARIES == {
        "action": ("ACCEPT", "REJECT"),
        "log_status": ("NODATA", "OK", "SKIPDATA"),
        "flow_direction": ("egress", "ingress"),
    }


def test_a_field_aws_has_not_published_is_text():
    field = field_for("hop_count")
    assert (field.name, field.column, field.dtype) == ("hop-count", "hop_count", "category")


def test_every_field_says_what_it_means_in_one_line():
    assert all(field.meaning and "\n" not in field.meaning for field in BY_NAME.values())
    assert len({field.meaning for field in BY_NAME.values()}) == len(BY_NAME)


def test_a_field_cannot_be_changed():
    with pytest.raises(AttributeError):
        VPC_FIELDS[0].name = "other"
