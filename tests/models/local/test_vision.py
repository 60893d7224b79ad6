"""Vision–language models through transformers: three families with random weights, against transformers itself."""

import io

import numpy as np
import pytest
import torch
import transformers
from PIL import Image

from hardlimit.core import Generate, InvalidValueError, Message, ModelError, Score, See
from hardlimit.models import Attends, Generates, Scores, Sees
from hardlimit.models.catalog import open_model
from hardlimit.models.loading import ends
from hardlimit.models.local import LocalModel
from hardlimit.models.local_vision import VisionModel
from hardlimit.models.looking import Looks
from hardlimit.models.weighing import Contrast, Weigh, Weighs
from hardlimit.testing import check_model

from .conftest import trained_tokenizer

# transformers' processor of PaliGemma makes an array of a tensor in the old way.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

FAMILIES = ("llava", "idefics3", "paligemma")
TEXT = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 48,
    "max_position_embeddings": 512,
    "initializer_range": 0.4,
}
EYE = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "image_size": 28,
    "patch_size": 14,
}
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{% for p in m['content'] %}"
    "{% if p['type'] == 'image' %}<image>{% else %}{{ p['text'] }}{% endif %}{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def built(kind):
    """A tiny model of a family and its processor, which resizes with Pillow."""
    tokenizer = trained_tokenizer("plain")
    extra = ["<image>"]
    if kind == "idefics3":
        extra += ["<fake_token_around_image>", "<global-img>", "<end_of_utterance>"]
    tokenizer.add_special_tokens({"additional_special_tokens": extra})
    image, words = tokenizer.convert_tokens_to_ids("<image>"), len(tokenizer)
    match kind:
        case "llava":
            pictures = transformers.CLIPImageProcessorPil(
                size={"shortest_edge": 28}, crop_size={"height": 28, "width": 28}
            )
            processor = transformers.LlavaProcessor(
                pictures,
                tokenizer,
                patch_size=14,
                vision_feature_select_strategy="default",
                num_additional_image_tokens=1,
                chat_template=TEMPLATE,
            )
            config = transformers.LlavaConfig(
                vision_config=transformers.CLIPVisionConfig(**EYE, projection_dim=32),
                text_config=transformers.LlamaConfig(vocab_size=words, **TEXT),
                image_token_index=image,
            )
        case "idefics3":
            size = {"longest_edge": 28}
            pictures = transformers.Idefics3ImageProcessorPil(size=size, max_image_size=size, do_image_splitting=False)
            processor = transformers.Idefics3Processor(pictures, tokenizer, image_seq_len=1, chat_template=TEMPLATE)
            config = transformers.Idefics3Config(
                vision_config=EYE,
                text_config=transformers.LlamaConfig(vocab_size=words, **TEXT),
                image_token_id=image,
                scale_factor=2,
                pad_token_id=0,
            )
        case "paligemma":
            pictures = transformers.SiglipImageProcessorPil(size={"height": 28, "width": 28})
            pictures.image_seq_length = 4
            processor = transformers.PaliGemmaProcessor(pictures, tokenizer)
            config = transformers.PaliGemmaConfig(
                vision_config={"model_type": "siglip_vision_model", **EYE},
                text_config={"model_type": "gemma", "vocab_size": words + 1100, "head_dim": 8, **TEXT},
                projection_dim=32,
                image_token_index=image,
            )
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return transformers.AutoModelForImageTextToText.from_config(config).eval(), processor


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folders = {}
    for kind in FAMILIES:
        model, processor = built(kind)
        folders[kind] = tmp_path_factory.mktemp(kind)
        model.save_pretrained(folders[kind])
        processor.save_pretrained(folders[kind])
    return folders


@pytest.fixture(scope="module")
def opened(saved):
    return {kind: open_model(f"local:{folder}") for kind, folder in saved.items()}


def picture(colour, side=64):
    file = io.BytesIO()
    image = Image.new("RGB", (side, side), colour)
    image.paste((0, 0, 0), (0, 0, side // 2, side // 4))
    image.save(file, format="PNG")
    return file.getvalue()


def user(text):
    return (Message(role="user", content=text),)


RED, BLUE = picture((250, 20, 20)), picture((10, 30, 240))
QUESTION = user("Which word is the secret word?")


@pytest.mark.parametrize("kind", FAMILIES)
def test_local_opens_it_as_a_model_with_eyes(opened, kind):
    model = opened[kind]
    assert isinstance(model, VisionModel)
    assert isinstance(model, Generates) and isinstance(model, Scores) and isinstance(model, Sees)
    assert isinstance(model, Looks) and not isinstance(model, Attends)
    assert (model.card.adapter, model.card.layers, model.card.heads, model.card.window) == ("local", 2, 4, 512)


@pytest.mark.parametrize("kind", FAMILIES)
def test_it_answers_as_transformers_does(opened, saved, kind):
    # The reference: the processor called by hand, and the model's own greedy search.
    model = transformers.AutoModelForImageTextToText.from_pretrained(saved[kind]).eval()
    processor = transformers.AutoProcessor.from_pretrained(saved[kind])
    words = QUESTION[0].content
    text = words
    if kind != "paligemma":
        text = f"<|im_start|>user\n<image>{words}<|im_end|>\n<|im_start|>assistant\n"
    answers = []
    for png in (RED, BLUE):
        made = processor(text=[text], images=[[Image.open(io.BytesIO(png))]], return_tensors="pt")
        inputs = {name: value for name, value in made.items() if name != "labels"}
        stops = sorted(ends(model, processor.tokenizer))
        out = model.generate(**inputs, max_new_tokens=8, do_sample=False, eos_token_id=stops)
        chosen = out[0, inputs["input_ids"].shape[1] :].tolist()
        answers.append(processor.tokenizer.decode(chosen, skip_special_tokens=True))
    replies = dict(opened[kind].see([See(messages=QUESTION, images=(png,), max_tokens=8) for png in (RED, BLUE)]))
    assert [replies[0].text, replies[1].text] == answers
    assert answers[0] != answers[1], "the picture must make a difference for this test to see one"
    assert replies[0].usage.prompt_tokens == inputs["input_ids"].shape[1]


def test_log_probabilities_and_scores_are_the_models_own(opened):
    model = opened["llava"]
    ((_, reply),) = model.generate([Generate(messages=QUESTION, max_tokens=4, logprobs=True)])
    ((_, scored),) = model.score([Score(messages=QUESTION, continuation=reply.text)])
    if model.count_tokens(reply.text) == len(reply.token_logprobs):
        assert scored.token_logprobs == pytest.approx(reply.token_logprobs, abs=1e-4)
    assert scored.greedy == (scored.token_logprobs == pytest.approx(reply.token_logprobs, abs=1e-4))


@pytest.mark.parametrize("kind", FAMILIES)
def test_looking_gives_what_goes_in_and_out_of_the_projector(opened, kind):
    model = opened[kind]
    first, second = model.look([See(messages=QUESTION, images=(png,), max_tokens=1) for png in (RED, BLUE)])
    tokens = {"llava": 4, "idefics3": 1, "paligemma": 4}[kind]
    assert first.projector.shape == (tokens, 32) and first.encoder.shape[1] == 32
    assert not np.allclose(first.encoder, second.encoder)
    assert np.allclose(first.words, second.words)
    assert first.mass.shape == (2, 4)


@pytest.mark.parametrize("kind", FAMILIES)
def test_the_row_of_attention_is_that_of_the_whole_matrix(opened, saved, kind):
    model = transformers.AutoModelForImageTextToText.from_pretrained(saved[kind], attn_implementation="eager").eval()
    inputs = opened[kind]._inputs(QUESTION, (RED,))
    with torch.inference_mode():
        whole = model(**inputs, output_attentions=True).attentions
    image = getattr(model.config, "image_token_id", None) or model.config.image_token_index
    there = inputs["input_ids"][0] == image
    expected = np.stack([layer[0, :, -1, there].sum(-1).numpy() for layer in whole])
    (looked,) = opened[kind].look([See(messages=QUESTION, images=(RED,), max_tokens=1)])
    assert looked.mass == pytest.approx(expected, abs=1e-5)
    # The model answers as before: what reads the row is taken out again.
    ((_, after),) = opened[kind].see([See(messages=QUESTION, images=(RED,), max_tokens=4)])
    assert after.finish != "error"


@pytest.mark.parametrize("kind", FAMILIES[:1])
def test_it_keeps_the_contract(opened, kind):
    check_model(opened[kind])


def test_what_cannot_be_asked_says_why(opened):
    model = opened["llava"]
    broken = See(messages=QUESTION, images=(b"no image at all",), max_tokens=2)
    long = See(messages=user("the needle " * 400), images=(RED,), max_tokens=2)
    (_, first), (_, second) = model.see([broken, long])
    assert first.error.startswith("The picture cannot be read: cannot identify image file")
    assert "but the window of" in second.error
    with pytest.raises(InvalidValueError) as caught:
        list(model.look([See(messages=QUESTION, images=(), max_tokens=1)]))
    assert str(caught.value) == "There is no picture to look at: See.images is empty."


def test_a_damaged_folder_says_what_is_wrong(saved, tmp_path):
    folder = tmp_path / "half"
    folder.mkdir()
    for file in saved["llava"].iterdir():
        if file.suffix != ".safetensors":
            (folder / file.name).write_bytes(file.read_bytes())
    with pytest.raises(ModelError, match="cannot be loaded"):
        open_model(f"local:{folder}")


def test_a_model_that_only_reads_stays_one(tiny):
    assert isinstance(open_model(f"local:{tiny('llama')}"), LocalModel)


def forced(model, inputs, tokens):
    """The reference: transformers' own `generate`, made to write given tokens; log-probabilities before each."""
    prompt = inputs["input_ids"].shape[1]
    told = [*tokens, 0]
    out = model._model.generate(
        **inputs,
        max_new_tokens=len(told),
        min_new_tokens=len(told),
        do_sample=False,
        prefix_allowed_tokens_fn=lambda _, ids: [told[len(ids) - prompt]],
        output_logits=True,
        return_dict_in_generate=True,
    )
    return [step[0].float().log_softmax(-1) for step in out.logits]


@pytest.mark.parametrize("kind", FAMILIES)
def test_weighing_is_the_sum_over_the_answers_tokens(opened, kind):
    model = opened[kind]
    assert isinstance(model, Weighs)
    options = ("secret word", "the needle", "secret")
    before = "" if model._template else " "
    tokens = [model._tokenizer(before + option, add_special_tokens=False)["input_ids"] for option in options]
    assert max(map(len, tokens)) > 1
    for images in ((RED,), ()):
        ((_, reply),) = model.weigh([Weigh(messages=QUESTION, images=images, options=options)])
        inputs = model._inputs(QUESTION, images)
        for told, option in zip(reply.log_likelihoods, tokens, strict=True):
            steps = forced(model, inputs, option)
            assert told == pytest.approx(sum(float(steps[i][token]) for i, token in enumerate(option)), abs=1e-3)
        assert reply.usage.computed_tokens == inputs["input_ids"].shape[1] + sum(map(len, tokens)) - len(options)


@pytest.mark.parametrize("kind", FAMILIES)
def test_contrast_is_the_rule_at_every_token(opened, kind):
    model = opened[kind]
    see = See(messages=QUESTION, images=(RED,), max_tokens=5)
    ((_, plain),) = model.see([see])
    for alpha, cutoff in ((0.0, 0.0), (3.0, 1.0)):
        ((_, same),) = model.contrast([Contrast(see=see, instead=(BLUE,), alpha=alpha, cutoff=cutoff)])
        assert same.text == plain.text
    for instead in ((), (BLUE,)):
        ((_, reply),) = model.contrast([Contrast(see=see, instead=instead, alpha=2.0, cutoff=0.3)])
        seen, other = (model._inputs(QUESTION, images) for images in ((RED,), instead))
        written = []
        while len(written) < 5 and (not written or written[-1] not in model._ends):
            first, second = (forced(model, each, written)[-1].exp() for each in (seen, other))
            ratio = first * (first / second) ** 2
            ratio[first < 0.3 * first.max()] = 0
            written.append(int(ratio.argmax()))
        kept = [token for token in written if token not in model._ends]
        assert reply.text == model._tokenizer.decode(kept, skip_special_tokens=True)
        assert reply.usage.calls == 2
        assert reply.usage.prompt_tokens == sum(int(each["input_ids"].shape[1]) for each in (seen, other))
        assert reply.usage.completion_tokens == 2 * len(written)


def test_what_cannot_be_weighed_says_why(opened):
    model = opened["llava"]
    broken = Weigh(messages=QUESTION, images=(b"no image at all",), options=("a",))
    empty = Weigh(messages=QUESTION, images=(), options=("",))
    (_, first), (_, second) = model.weigh([broken, empty])
    assert first.error.startswith("The picture cannot be read") and second.log_likelihoods == ()
    assert second.error == "An answer to be weighed has no tokens."
    see = See(messages=QUESTION, images=(RED,), max_tokens=2)
    ((_, reply),) = model.contrast([Contrast(see=see, instead=(b"no image",), alpha=1.0, cutoff=0.1)])
    assert reply.finish == "error" and reply.error.startswith("The picture cannot be read")
