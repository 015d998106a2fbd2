"""Where a history goes: one package per vendor behind one protocol."""
