"""What `bench http` measures the server beside: one process each."""
