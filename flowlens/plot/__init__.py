"""Pictures: ``df.flow.plot``. The only room that imports matplotlib.

::

    pictures      what can be drawn
    conversation  a conversation on a time line
    hostile       the rhythm of a beacon, and the highest scores
    canvas        axes, colours and time, which all share
"""

from flowlens.plot.pictures import FlowPlot

__all__ = ["FlowPlot"]
