"""`make bench-detect`: what detection reaches, simulated, beside the exact optimum. `ARGS=--quick` for a few minutes."""
