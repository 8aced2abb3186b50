"""Verbs: what happens to a file, an item, a refund. Flows take plain values, never settings."""
