"""ZEGOCLOUD ZIM as a target. Its own names (``UserId``, ``MsgSeq``, ``ImportGroupMsg``) live here only."""
