"""Pictures: ``df.flow.plot``. The only room that imports matplotlib.

::

    pictures      what can be drawn
    timeline      traffic over time
    heatmap       hours of the day against days
    coverage      what the log covers, and where it has gaps
    rankings      the largest as bars, who talks to whom as a matrix
    conversation  a conversation on a time line
    hostile       the rhythm of a beacon, and the highest scores
    panels        pictures of the explorers' panels
    artists, bars what draws these
    contents      what these show, without matplotlib
    colours       colours and hatches, without matplotlib, too
    scales        what is written beside a picture that is drawn again and again
    words         words that are drawn again and again
    canvas        axes, amounts and time, which all share
"""
