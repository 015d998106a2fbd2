"""Lets ``python -m chat_sandbox`` start the sandbox."""

from __future__ import annotations

from chat_sandbox.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
