"""Tables of others, to set a model's result beside; every number was read in the table that `source` names."""

from hardlimit.audit.document import Published
from hardlimit.core import Source

HALLULENS = Published(
    title="HalluLens: short facts (PreciseWikiQA) and non-existent entities, %",
    source=Source(
        title="Bang et al., HalluLens: LLM Hallucination Benchmark, 2025", locator="Table 1", url="arXiv:2504.17550"
    ),
    columns=("model", "false refusal", "hallucinated when not refused", "correct", "false acceptance"),
    rows=(
        ("Llama-3.1-8B", 83.09, 48.37, 8.73, 13.18),
        ("Llama-3.1-70B", 52.03, 37.30, 30.08, 24.02),
        ("Llama-3.1-405B", 56.77, 26.84, 31.62, 6.88),
        ("GPT-4o", 4.13, 45.15, 52.59, 42.31),
        ("Qwen2.5-7B", 13.85, 85.22, 12.73, 49.35),
    ),
    caution="Their questions come from Wikipedia pages, ours from packaged tables of places and elements: "
    "compare the pattern, not the digits.",
)

SIMPLEQA = Published(
    title="SimpleQA: correct, %",
    source=Source(
        title="OpenAI, simple-evals results", locator="SimpleQA column", url="github.com/openai/simple-evals"
    ),
    columns=("model", "correct"),
    rows=(
        ("o3", 49.4),
        ("GPT-4.1", 41.6),
        ("GPT-4o", 38.8),
        ("Claude 3.5 Sonnet", 28.9),
        ("GPT-4.1-mini", 16.8),
        ("GPT-4o-mini", 9.5),
        ("GPT-4.1-nano", 7.6),
    ),
    caution="SimpleQA keeps only questions that strong models got wrong: its accuracies are lower than ours would be.",
)

NOLIMA = Published(
    title="NoLiMa: needle without lexical overlap, accuracy by context length, %",
    source=Source(
        title="Modarressi et al., NoLiMa: Long-Context Evaluation Beyond Literal Matching, 2025",
        locator="main results table",
        url="arXiv:2502.05167",
    ),
    columns=("model", "claimed", "effective", "base", "1K", "2K", "4K", "8K", "16K", "32K"),
    rows=(
        ("GPT-4o", "128K", "8K", 99.3, 98.1, 98.0, 95.7, 89.2, 81.6, 69.7),
        ("Llama-3.3-70B", "128K", "2K", 97.3, 94.2, 87.4, 81.5, 72.1, 59.5, 42.7),
        ("Llama-3.1-8B", "128K", "1K", 76.7, 65.7, 54.4, 44.1, 31.9, 22.6, 14.2),
        ("Claude 3.5 Sonnet", "200K", "4K", 87.6, 85.4, 84.0, 77.6, 61.7, 45.7, 29.8),
    ),
    caution="Same construction and the same 85 %-of-base rule, but our associations and our haystack.",
)

RULER = Published(
    title="RULER: average accuracy at 128K, %, and effective length (absolute line 85.6)",
    source=Source(
        title="Hsieh et al., RULER: What's the Real Context Size of Your Long-Context Language Models?, 2024",
        locator="results table of the repository",
        url="arXiv:2404.06654",
    ),
    columns=("model", "average at 128K", "effective"),
    rows=(
        ("Qwen3-235B", 90.6, ">128K"),
        ("Qwen3-32B", 85.6, None),
        ("Qwen3-14B", 85.1, None),
        ("GPT-4-1106", 81.2, "64K"),
        ("Qwen3-8B", 77.4, "64K"),
        ("Llama-3.1-8B", 77.0, "32K"),
        ("Llama-3.1-70B", 66.6, "64K"),
        ("Qwen3-4B", 66.0, "64K"),
    ),
    caution="RULER allows literal overlap and averages thirteen tasks; its effective length uses an absolute line.",
)
