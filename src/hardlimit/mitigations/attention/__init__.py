"""Attention changed at inference: fewer keys, sharper rows, rescaled positions; the descriptions need no torch."""

from hardlimit.mitigations.attention.changes import (
    Attention,
    BlockTopK,
    Change,
    ChunkThenToken,
    Entmax,
    LogScaled,
    Rescaled,
    TopK,
    WindowSink,
)

__all__ = [
    "Attention",
    "BlockTopK",
    "Change",
    "ChunkThenToken",
    "Entmax",
    "LogScaled",
    "Rescaled",
    "TopK",
    "WindowSink",
]
