"""Hooks: an Airflow connection becomes a ready target."""
