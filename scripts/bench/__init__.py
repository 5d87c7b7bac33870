"""Benchmarks: each measures the service and its ceiling in the same run, so that ratios mean something on any machine."""
