"""Pictures: ``df.flow.plot``. The only room that imports matplotlib.

::

    pictures      what can be drawn
    conversation  a conversation on a time line
    canvas        axes, colours and time, which all share
"""

from flowlens.plot.pictures import FlowPlot

__all__ = ["FlowPlot"]
