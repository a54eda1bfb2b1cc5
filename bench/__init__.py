"""Benchmarks: what the engine does, measured beside its peers in interleaved rounds."""
