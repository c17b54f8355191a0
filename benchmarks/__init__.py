"""How fast flowlens is, always as a ratio to the same work done by hand in the same run."""
