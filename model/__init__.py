"""The recursive networks, their EMA and the checkpoint format."""
