"""The lattice's supervision step as machine code, compiled for this CPU when it starts."""
