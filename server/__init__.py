"""HTTP, scheduling, solving policy, metrics. Imports neither torch nor onnx."""
