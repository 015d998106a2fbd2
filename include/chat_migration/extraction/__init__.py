"""The extract stage: an export becomes checked, sorted Parquet, whatever its size."""

from chat_migration.extraction.parts import ExportPart
from chat_migration.extraction.run import Progress, extract

__all__ = ["ExportPart", "Progress", "extract"]
