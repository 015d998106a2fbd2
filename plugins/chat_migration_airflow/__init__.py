"""The Airflow side of the chat migration: hooks, operators, Params. All decisions are in ``chat_migration``."""
