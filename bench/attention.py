"""Dense attention beside attention that gathers chunks: tokens/s, peak memory and perplexity at 2k, 4k and 8k tokens.

Usage: python bench/attention.py [--quick] [--lengths 2048 8000] [--ways dense "TopK(keys=64)"] [--all]

The embedded model scores the end of one story after the rest of it, once per way, each in a process of its own (Linux)
which has warmed up on a short text. Time is of the processor. Perplexity is over the last 512 tokens. `--all` adds the
ways that compute every logit, which are slower than dense.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

LENGTHS = (2048, 4096, 8000)
SCORED = 512
GATHERED = ("dense", "ChunkThenToken(chunk=64, chosen=8)", "WindowSink(window=512)")
OTHERS = ("TopK(keys=64)", "BlockTopK(block=32, chosen=8)", "LogScaled(reference=512)")


def resident_peak() -> float:
    """Peak of resident memory since the last reset, MiB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise SystemExit("This bench reads /proc/self/status, which only Linux has.")


def child(way: str, tokens: int) -> None:
    """Score the end of a story one way, and print what it took."""
    import numpy as np

    from hardlimit.core import Message, Score
    from hardlimit.mitigations import attention
    from hardlimit.mitigations.attention.opening import with_attention
    from hardlimit.models.embedded import open_embedded
    from hardlimit.probes.context.haystack import bury

    model = open_embedded()
    if way != "dense":
        kind, _, rest = way.partition("(")
        options = dict(pair.split("=") for pair in rest.rstrip(")").split(", "))
        change = getattr(attention, kind)(**{name: int(value) for name, value in options.items()})
        model = with_attention(model, change)
    text = bury([], [], length=tokens, count=model.count_tokens, rng=np.random.default_rng(0)).text
    cut = text.rindex(" ", 0, int(len(text) * (1 - SCORED / tokens)))
    # The engine frames the story as a question; what is scored follows as the answer.
    for story, end in ((text[:800], text[800:900]), (text[:cut], text[cut:])):
        Path("/proc/self/clear_refs").write_text("5")
        before, began = resident_peak(), time.process_time()
        request = Score(messages=(Message(role="user", content=story),), continuation=end)
        ((_, reply),) = model.score([request])
        seconds = time.process_time() - began
        assert reply.error is None, reply.error
    found = {
        "tokens": reply.usage.prompt_tokens,
        "seconds": seconds,
        "mib": resident_peak() - before,
        "perplexity": math.exp(-reply.log_likelihood / len(reply.token_logprobs)),
    }
    print(json.dumps(found))


def measured(way: str, tokens: int) -> dict[str, float]:
    command = [sys.executable, __file__, "--child", way, str(tokens)]
    done = subprocess.run(command, capture_output=True, text=True, env={"OMP_WAIT_POLICY": "passive", **os.environ})
    if done.returncode:
        raise SystemExit(done.stderr)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="Dense attention beside attention that gathers chunks.")
    parser.add_argument("--quick", action="store_true", help="1k and 2k tokens only")
    parser.add_argument("--lengths", type=int, nargs="+", default=LENGTHS, help="tokens")
    parser.add_argument("--ways", nargs="+", help="dense first, then changes as they are written in Python")
    parser.add_argument("--all", action="store_true", help="also the ways that compute every logit")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child[0], int(options.child[1]))
        return
    table = Table(title="SmolLM2-135M-Instruct, 32-bit floats: one story, its last 512 tokens scored")
    for column in ("tokens", "attention", "CPU s", "tokens/s", "against dense", "peak MiB", "perplexity"):
        table.add_column(column, justify="left" if column == "attention" else "right")
    for tokens in (1024, 2048) if options.quick else options.lengths:
        dense = 0.0
        for way in options.ways or (*GATHERED, *(OTHERS if options.all else ())):
            row = measured(way, tokens)
            dense = dense or row["seconds"]
            cells = (
                f"{row['tokens']:,.0f}",
                way,
                f"{row['seconds']:.1f}",
                f"{row['tokens'] / row['seconds']:.0f}",
                f"{dense / row['seconds']:.2f}×",
                f"{row['mib']:,.0f}",
                f"{row['perplexity']:.3f}",
            )
            print("  ".join(cells), file=sys.stderr, flush=True)  # a long run shows where it is
            table.add_row(*cells)
    Console().print(table)


if __name__ == "__main__":
    main()
