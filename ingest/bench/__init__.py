"""Benchmarks of the product against what it replaces, on servers of their own."""
