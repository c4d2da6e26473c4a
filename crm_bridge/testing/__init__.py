"""What tests of adapters stand on: a CRM in memory, and the promises that every adapter keeps.

`contract` needs pytest; `memory`, `world` and `ground` do not.
"""
