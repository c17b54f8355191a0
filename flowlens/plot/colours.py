"""Colours and hatches: those of Okabe and Ito (https://jfly.uni-koeln.de/color/).

Any colour vision tells them apart, and they are never the only sign.
"""

__all__ = ["BLUE", "GHOST", "HATCHES", "INK", "ORANGE", "OTHERS", "REST", "ROLES"]

BLUE, ORANGE = "#0072B2", "#D55E00"
OTHERS = ("#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442", "#000000")
#: What is summed up in one.
REST = "#999999"

#: Colour and hatch of what was accepted and refused, and of what the log says of its own records.
ROLES = {
    "ACCEPT": (BLUE, ""), "REJECT": (ORANGE, "///"),
    "OK": (BLUE, ""), "NODATA": (OTHERS[3], "..."), "SKIPDATA": (ORANGE, "xxx"),
}  # fmt: skip
#: Hatches of what has no role.
HATCHES = ("", "///", "...", "xxx", "\\\\\\", "++", "oo", "**", "--", "||", "//..", "xx..")

#: Four and a half times as dark as white and as light as black: words that can be read on light and on dark pages.
INK = "#777777"
#: What is compared with.
GHOST = "#999999"
