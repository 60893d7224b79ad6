"""The lab: small transformers trained here, and experiments that confront the theory's mechanisms with them.

It needs the extra `lab` (torch, entmax); `hardlimit.lab` itself loads nothing.
"""
