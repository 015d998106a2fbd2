"""``python -m chat_migration``."""

import sys

from chat_migration.cli import main

sys.exit(main())
