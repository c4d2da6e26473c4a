"""Frozen data: records, abilities, plans, results."""
