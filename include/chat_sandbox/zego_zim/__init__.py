"""A stand-in for ZEGOCLOUD ZIM's (In-app Chat's) server API."""
