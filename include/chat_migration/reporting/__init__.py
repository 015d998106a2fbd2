"""What became of every row of a run, as JSON for machines and one page for people."""
