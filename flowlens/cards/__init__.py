"""A row of a result as a paragraph for tickets that is a card in notebooks.

::

    explained     what kind of row it is, and its card
    diagnosis     a row of a diagnosis as a card
    finding       a row of a detector as a card
    markup        HTML that says all it has to say without styles, and in which no text from a log is HTML
"""
