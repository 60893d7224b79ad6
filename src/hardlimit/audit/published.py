"""Tables of others, to set a model's result beside; every number was read in the place that `source` names."""

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

POISONED_RAG = Published(
    title="PoisonedRAG: attack success with 5 planted texts per question, %",
    source=Source(
        title="Zou et al., PoisonedRAG: Knowledge Corruption Attacks to Retrieval-Augmented Generation, 2024",
        locator="abstract",
        url="arXiv:2402.07867",
    ),
    columns=("setting", "attack success"),
    rows=(("5 texts in a database of millions", "over 90"),),
    caution="Their texts are written by a model and must be retrieved first; ours stand in the context beside the true "
    "passage, so that belief is measured apart from retrieval.",
)

SUFFICIENT_CONTEXT = Published(
    title="Sufficient Context: right answers although the context does not suffice, %",
    source=Source(
        title="Joren et al., Sufficient Context: A New Lens on Retrieval Augmented Generation Systems, 2024",
        locator="abstract",
        url="arXiv:2411.06037",
    ),
    columns=("setting", "right answers"),
    rows=(("insufficient context, over models and data sets", "35–62"),),
    caution="Their questions are about the real world, so that models know answers by themselves; set it beside "
    "'distractors only', not beside the coined facts.",
)

ZEBRALOGIC = Published(
    title="ZebraLogic: puzzles solved by size of the search space, %",
    source=Source(
        title="Lin et al., ZebraLogic: On the Scaling Limits of LLMs for Logical Reasoning, 2025",
        locator="main results table",
        url="arXiv:2502.01100",
    ),
    columns=("model", "S", "M", "L", "XL"),
    rows=(
        ("o3-mini-high", 99.7, 97.1, 87.5, 75.5),
        ("o1", 97.2, 92.1, 78.0, 42.5),
        ("R1", 98.4, 95.7, 73.5, 28.5),
        ("Llama-3.1-405B", 81.3, 22.5, 1.5, 0.0),
        ("Llama-3.1-70B", 67.8, 10.4, 1.5, 0.0),
    ),
    caution="Their puzzles are graded whole from a form that the model fills in (Llama-3.1-70B left 43 % unanswered); "
    "ours ask for one row, are drawn afresh, and are set out by a threshold on the size of the search space.",
)

BLIND_TEST = Published(
    title="BlindTest: accuracy by task, %",
    source=Source(
        title="Rahmanzadehgervi et al., Vision language models are blind, 2024",
        locator="table of results by task",
        url="arXiv:2407.06581",
    ),
    columns=("model", "line crossings", "touching circles", "circled letter", "coloured paths"),
    rows=(
        ("GPT-4o", 48.7, 72.7, 70.2, 45.9),
        ("Gemini-1.5-Pro", 69.7, 92.8, 92.8, 40.0),
        ("Claude 3 Sonnet", 64.0, 84.5, 73.3, 23.8),
        ("Claude 3.5 Sonnet", 77.3, 91.7, 89.2, 50.2),
    ),
    caution="Their pictures are drawn otherwise and stand alone: set these beside our accuracy of single pictures, not "
    "of pairs, and compare the pattern, not the digits.",
)

MMVP = Published(
    title="MMVP and MMVP-VLM: pairs right, %",
    source=Source(
        title="Tong et al., Eyes Wide Shut? Exploring the Visual Shortcomings of Multimodal LLMs, 2024",
        locator="tables of results on MMVP and MMVP-VLM",
        url="arXiv:2401.06209",
    ),
    columns=("who", "pairs right"),
    rows=(
        ("human", 95.7),
        ("GPT-4V", 38.7),
        ("guessing", 25.0),
        ("CLIP-type encoder, 427M parameters", 19.3),
        ("877M", 37.8),
        ("986M", 39.3),
        ("5.0B", 33.3),
    ),
    caution="Photographs that a vision encoder confuses, chosen for that; ours are drawn without looking at any model. "
    "The last four rows are encoders of growing size on MMVP-VLM: size barely helps.",
)
