"""Memory for reading one row of attention, against `output_attentions=True`, at 1k, 4k and 8k tokens.

Usage: python bench/attention_memory.py [--quick]

Each figure is the peak of resident memory above that of the loaded model, in a process of its own (Linux). The
matrices of the embedded model at 8k tokens would take 72 GB, so the reference is shown on a small Llama of random
weights, beside hardlimit on both. Models are given with their layers × heads.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

LENGTHS = (1024, 4096, 8192)
SMALL = {"hidden_size": 256, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2}


def resident_peak() -> float:
    """Peak of resident memory since the last reset, MiB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise SystemExit("This bench reads /proc/self/status, which only Linux has.")


def reset_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def make_small(folder: str) -> None:
    """Save a small Llama of random weights with the embedded model's tokenizer."""
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    from hardlimit.models.embedded import prepare

    tokenizer = AutoTokenizer.from_pretrained(prepare(), local_files_only=True)
    config = LlamaConfig(
        **SMALL, vocab_size=len(tokenizer), intermediate_size=512, max_position_embeddings=8192, initializer_range=0.2
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def child(way: str, folder: str, tokens: int) -> None:
    """Read the needle's mass in the last row, one way, and print it with the peak of memory."""
    import torch

    from hardlimit.core import Attend, Message, Span
    from hardlimit.models.local import ReadableModel, open_local

    model = open_local(folder)
    assert isinstance(model, ReadableModel)
    needle, filler = "The code is 4821. ", "The sky is blue and the grass is green. "
    text = needle
    while model.count_tokens(model.prompt((Message(role="user", content=text + filler),))) <= tokens:
        text += filler
    messages = (Message(role="user", content=text),)
    spans = (Span(name="needle", message=0, start=0, end=len(needle) - 1),)
    keys, ((first, end),) = model.located(messages, spans)
    if way == "output_attentions":
        from transformers import AutoModelForCausalLM

        del model
        own = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
        own(torch.tensor([keys[:8]]))
        reset_peak()
        before, began = resident_peak(), time.perf_counter()
        with torch.inference_mode():
            attentions = own(torch.tensor([keys]), output_attentions=True, logits_to_keep=1).attentions
        mass = [layer[0, :, -1, first:end].sum(-1).tolist() for layer in attentions]
    else:
        reset_peak()
        before, began = resident_peak(), time.perf_counter()
        ((_, reply),) = model.attend([Attend(messages=messages, spans=spans)])
        assert reply.error is None, reply.error
        mass = [list(row) for row in reply.spans[0].mass]
    seconds = time.perf_counter() - began
    print(json.dumps({"mib": resident_peak() - before, "seconds": seconds, "mass": mass, "keys": len(keys)}))


def measured(way: str, folder: str, tokens: int) -> dict[str, object]:
    command = [sys.executable, __file__, "--child", way, folder, str(tokens)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return found


def apart(a: object, b: object) -> float:
    assert isinstance(a, list) and isinstance(b, list)
    return max(abs(float(x) - float(y)) for one, two in zip(a, b, strict=True) for x, y in zip(one, two, strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description="Memory for reading one row of attention.")
    parser.add_argument("--quick", action="store_true", help="1k and 2k tokens only")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child[0], options.child[1], int(options.child[2]))
        return
    from hardlimit.models.embedded import prepare

    table = Table(title="Peak memory above the loaded model, MiB")
    for column in ("model", "tokens", "one row", "output_attentions", "ratio", "mass differs by"):
        table.add_column(column, justify="left" if column == "model" else "right")
    with tempfile.TemporaryDirectory() as small:
        make_small(small)
        embedded = str(prepare())
        for name, folder in (("Llama 2×4", small), ("SmolLM2 30×9", embedded)):
            for tokens in (1024, 2048) if options.quick else LENGTHS:
                row = measured("row", folder, tokens)
                cells = [name, f"{row['keys']:,}", f"{row['mib']:,.0f}"]
                if folder == small or tokens == LENGTHS[0]:
                    whole = measured("output_attentions", folder, tokens)
                    ratio = float(str(whole["mib"])) / float(str(row["mib"]))
                    cells += [f"{whole['mib']:,.0f}", f"{ratio:.0f}×", f"{apart(row['mass'], whole['mass']):.0e}"]
                else:
                    needed = 30 * 9 * tokens**2 * 4 / 2**20
                    cells += [f"(> {needed:,.0f})", "", ""]
                table.add_row(*cells)
    Console().print(table)


if __name__ == "__main__":
    main()
