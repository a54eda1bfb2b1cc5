"""ARC tasks over HTTP: which are known, and votes of many views of a question."""
