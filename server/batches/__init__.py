"""Batches: puzzles by the file, kept on disk, solved behind everybody else."""
