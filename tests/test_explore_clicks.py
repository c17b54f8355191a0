"""Whatever is clicked, in whatever order: the code of an explorer gives its selection, and undo goes all the way."""

from __future__ import annotations

import pandas as pd
from exploring import EXPLORERS, button, chips, evaluated, lists, named, slider, status, take_away, toggles, typed
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

import flowlens as fl

#: Few records of every kind, so that a click takes no time.
DF = pd.concat([named().iloc[::80], named().flow.rejected().iloc[::20]]).sort_index()
DF = DF[~DF.index.duplicated()]

PLACES = st.integers(0, 9)
TYPED = st.sampled_from(
    ["10.20.0.0/16", "ssh", "443", "REJECT", "src=10.20.0.5, 192.0.2.66", "protocol=udp", "dst=", "src=nonsense",
     "time=2026-03-10 03:00..2026-03-10 12:30:07", "verdict=SG_IN", "min_score=0.5", "interface=", "nothing", "port=0"]
)  # fmt: skip


class Clicks(RuleBasedStateMachine):
    """A user who clicks on everything."""

    @initialize(name=st.sampled_from(sorted(EXPLORERS)))
    def open(self, name):
        self.explorer = EXPLORERS[name](DF)
        self.filters = [self.explorer.filter]

    def done(self):
        if self.explorer.filter != self.filters[-1]:
            self.filters.append(self.explorer.filter)

    @rule(which=PLACES, places=st.lists(PLACES, max_size=3, unique=True))
    def pick(self, which, places):
        found = list(lists(self.explorer).values())
        one = found[which % len(found)]
        values = [one.options[place % len(one.options)][1] for place in places] if one.options else []
        several = isinstance(one.value, tuple) and type(one).__name__ == "SelectMultiple"
        one.value = tuple(dict.fromkeys(values)) if several else next(iter(values), one.value)
        self.done()

    @rule(begin=st.floats(0, 1), end=st.floats(0, 1))
    def cut(self, begin, end):
        last = len(slider(self.explorer).options) - 1
        slider(self.explorer).index = tuple(sorted((round(begin * last), round(end * last))))
        self.done()

    @rule(label=st.sampled_from(["Earlier", "Later", "A shorter time", "A longer time"]))
    def move(self, label):
        button(self.explorer, label).click()
        self.done()

    @rule(text=TYPED)
    def type(self, text):
        typed(self.explorer, text)
        self.done()

    @rule(place=PLACES)
    @precondition(lambda self: chips(self.explorer))
    def take_away(self, place):
        shown = chips(self.explorer)
        take_away(self.explorer, shown[place % len(shown)])
        self.done()

    @rule()
    def reset(self):
        button(self.explorer, "Reset").click()
        self.done()

    @rule(on=st.booleans())
    def compare(self, on):
        button(self.explorer, "Compare").value = on

    @rule(zone=st.sampled_from(["UTC", "local"]))
    def look_in(self, zone):
        toggles(self.explorer, "local").value = zone

    @rule()
    @precondition(lambda self: len(self.filters) > 1)
    def undo(self):
        button(self.explorer, "Undo").click()
        self.filters.pop()

    @invariant()
    def code_gives_the_selection_and_the_status_counts_it(self):
        if not hasattr(self, "explorer"):
            return
        explorer = self.explorer
        assert explorer.filter == self.filters[-1]
        assert button(explorer, "Undo").disabled == (len(self.filters) == 1)
        kept = evaluated(explorer, DF)
        assert kept.equals(explorer.selection)
        assert repr(explorer).split(": ")[1].startswith(f"{len(kept):,} of ")
        said = status(explorer)
        assert said in repr(explorer) or said.startswith("<b>Not done.</b>")
        assert eval(repr(explorer.filter), {"Selection": fl.Selection}) == explorer.filter


TestClicks = Clicks.TestCase
TestClicks.settings = settings(max_examples=5, stateful_step_count=8, deadline=None)
