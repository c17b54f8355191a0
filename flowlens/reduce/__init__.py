"""Millions of records to thousands of rows: Ibis expressions in, Ibis expressions out.

A function here knows nothing of engines. Words (addresses, ids, actions) may be strings or integer codes, so it
compares and groups them and never looks inside; `says` is the one way to ask for a known word. Times are Unix seconds.
"""
