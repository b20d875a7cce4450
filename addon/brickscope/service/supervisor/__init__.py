"""Many processes on one port: a supervisor that accepts connections and hands them to worker processes."""
