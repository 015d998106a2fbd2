"""Operators: one per record type and stage, each a thin call of one use case."""
