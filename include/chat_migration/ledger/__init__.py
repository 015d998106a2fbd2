"""What has been sent, to whom, under which keys: the memory that makes every task repeatable."""
