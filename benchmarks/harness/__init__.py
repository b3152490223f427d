"""What the benchmarks have in common: the stack, a client that times, clips, the machine, tables."""
