"""Move a legacy chat into a chat platform: exactly once, in order, within the rate.

The way of the data, top to bottom: ``sources`` read an export, ``extraction`` checks it and stages it
(``store``), ``planning`` decides what is sent, ``delivery`` sends it to a target (``targets``) and writes
each step into the ``ledger``, ``reporting`` tells what became of every row. No module here knows Airflow.
"""

__version__ = "0.1.0"
