"""Whole journeys: see it first, take it away, bring it back; told by the vendors' own truth."""
