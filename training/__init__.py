"""Data to checkpoint, and evaluation."""
