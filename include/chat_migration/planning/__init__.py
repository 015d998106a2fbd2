"""Deciding what is sent, under which ids and in which order, before anything is sent.

The plan of a run lies beside its stage: small tables as Parquet, messages as one Parquet file per shard in
the order in which they are sent. Target ids stand in the plan, legacy ids stay with every row. Slots and
sequence numbers are not fixed here but when a conversation is streamed, because only its frontier in the
target decides them; the rules that assign them (``slots``) are pure and give the same on every machine.
"""
