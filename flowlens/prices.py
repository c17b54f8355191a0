"""What AWS asks for a gigabyte on each path: list prices to begin with, in a table to edit."""

from __future__ import annotations

import pandas as pd

__all__ = ["GB", "checked", "prices"]

#: AWS counts gigabytes of 2**30 bytes, as its example of a bill for S3 does: "/ 1,073,741,824 bytes per GB".
#: https://aws.amazon.com/s3/faqs/
GB = 2**30

_VPC = "https://aws.amazon.com/vpc/pricing/"
_TRANSFER = "https://aws.amazon.com/ec2/pricing/on-demand/#Data_Transfer"
_TGW = "https://aws.amazon.com/transit-gateway/pricing/"
_PRIVATELINK = "https://aws.amazon.com/privatelink/pricing/"
_NO_CHARGE = "https://docs.aws.amazon.com/vpc/latest/privatelink/gateway-endpoints.html"
_VPN = "https://aws.amazon.com/vpn/pricing/"
_ZONES = "https://aws.amazon.com/about-aws/global-infrastructure/localzones/pricing/"

#: Path, US dollars a gigabyte in us-east-1 in the first tier, what is charged, when it was looked up, where it stands.
_LIST = (
    ("NAT gateway", 0.045, "processing, both directions; what leaves is internet egress, too", "2026-09", _VPC),
    ("internet egress", 0.09, "first 10 TB a month, without the 100 GB that are free", "2026-11", _TRANSFER),
    ("internet ingress", 0.0, "free", "2026-11", _TRANSFER),
    ("AWS service", 0.0, "free to and from a service in the same region", "2026-11", _TRANSFER),
    ("cross-AZ", 0.02, "0.01 for the side that sends and 0.01 for the one that gets it", "2026-11", _TRANSFER),
    ("same zone", 0.0, "free over private addresses", "2026-11", _TRANSFER),
    ("VPC peering, cross-AZ", 0.02, "as cross-AZ", "2026-11", _TRANSFER),
    ("VPC peering, same zone", 0.0, "free", "2026-11", _TRANSFER),
    ("inter-region peering", 0.02, "for the side that sends; to most regions", "2026-11", _TRANSFER),
    ("transit gateway", 0.02, "processing of what is sent into it; no cross-AZ price", "2026-09", _TGW),
    ("interface endpoint", 0.01, "processing, both directions, first PB; no cross-AZ price", "2026-11", _PRIVATELINK),
    ("gateway endpoint", 0.0, "free", "2026-11", _NO_CHARGE),
    ("virtual private gateway", None, "VPN or Direct Connect, which have prices of their own", "2026-11", _VPN),
    ("local gateway or zone", None, "Outposts, Local Zones and Wavelength have prices of their own", "2026-11", _ZONES),
)  # fmt: skip

_COLUMNS = ["path", "usd_per_gb", "note", "date", "source"]


def prices() -> pd.DataFrame:
    """Return the list prices of data transfer and processing, to edit and to pass to ``df.flow.costs``.

    Returns
    -------
    pandas.DataFrame
        `path`, `usd_per_gb` (US dollars for 2**30 bytes in us-east-1, first tier; missing where there is none), `note`
        (what is charged), `date` (when it was looked up) and `source` (the page of AWS). A new frame each time.

    Examples
    --------
    >>> import flowlens as fl
    >>> prices = fl.prices()
    >>> prices.loc[prices.path == "NAT gateway", "usd_per_gb"] = 0.048
    >>> prices.loc[:2, ["path", "usd_per_gb"]]
                   path  usd_per_gb
    0       NAT gateway       0.048
    1   internet egress       0.090
    2  internet ingress       0.000
    """
    return pd.DataFrame(_LIST, columns=_COLUMNS).astype({"usd_per_gb": "float64"})


def checked(given: pd.DataFrame | None) -> dict[str, float]:
    """Return the price of each path of an edited table, NaN where there is none.

    Raises
    ------
    ValueError
        If a column or a path is not there, is there twice or is none, or a price is not a number from 0 up.
    """
    usual = prices()
    if given is None:
        given = usual
    if not isinstance(given, pd.DataFrame):
        raise TypeError(f"prices is a {type(given).__name__}; edit and pass the frame that fl.prices() returns")
    for column in ("path", "usd_per_gb"):
        if column not in given.columns:
            raise ValueError(f"prices has no column {column!r}; fl.prices() returns a table that has all")
    known, found = set(usual["path"]), list(given["path"])
    for row, path in zip(given.index, found, strict=True):
        if path not in known:
            raise ValueError(f"prices, row {row}: {path!r} is no path; there are {', '.join(usual['path'])}")
        if found.count(path) > 1:
            raise ValueError(f"prices, row {row}: {path!r} is there {found.count(path)} times")
    lacking = [path for path in usual["path"] if path not in found]
    if lacking:
        raise ValueError(f"prices has no row for {', '.join(map(repr, lacking))}; fl.prices() returns all")
    return {
        path: _price(row, path, value) for row, path, value in zip(given.index, found, given["usd_per_gb"], strict=True)
    }


def _price(row: object, path: str, value: object) -> float:
    if value is None or value is pd.NA:
        return float("nan")
    try:
        price = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError) as error:
        raise ValueError(f"prices, row {row}: {value!r} for {path!r} is no number of US dollars") from error
    if price < 0 or price == float("inf"):
        raise ValueError(f"prices, row {row}: {value!r} for {path!r} is no price; give 0 or more, or leave it missing")
    return price
