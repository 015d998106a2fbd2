"""A stand-in for the server REST API of Tencent Cloud Chat."""
