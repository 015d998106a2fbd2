"""Sending a plan to a target: the one place that turns answers into ledger states and row outcomes."""
