"""Checkpoint to bundle (ONNX step graphs and manifest), with parity."""
