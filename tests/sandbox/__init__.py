"""Tests of the sandbox: what the vendor documents, each switch, each fault."""
