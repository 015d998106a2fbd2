"""How the files of an export are wrapped: a folder, a zip, a tar; names made safe, sizes bounded."""
