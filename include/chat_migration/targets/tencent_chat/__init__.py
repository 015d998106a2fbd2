"""Tencent Cloud Chat as a target. Its own names (account, ``MsgSeq``, ``import_group_msg``) live here only."""
