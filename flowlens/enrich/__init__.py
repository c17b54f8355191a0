"""Columns that are added to records: names for addresses, directions, services, owners.

One file a kind. Each works a frame out once per distinct value, and is an Ibis expression for all else.
"""
