"""Benchmarks, run on this machine by `make bench`. They report figures and assert nothing."""
