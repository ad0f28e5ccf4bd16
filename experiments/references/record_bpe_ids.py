#!/usr/bin/env python3
"""Records what Hugging Face `tokenizers` makes of texts by byte-level BPE, as the reference of the tests.

Run by hand when the reference has to change, after experiments/data/fetch.py; needs tokenizers and gguf:
  record_bpe_ids.py MODEL.gguf OUTPUT_FOLDER TEXT.txt …
Vocabulary and merges are those of MODEL.gguf (SmolLM2). Each variant of the steps around them is a well-known model's.
Writes into OUTPUT_FOLDER:
  tokenizer.json  the variant "smollm" with the first 2,000 merges and a few more added tokens, small enough to keep
  variants.json   name → normalizer, pre_tokenizer and ignore_merges
  cases.tsv       a line of titles; then name, text as in record_tokenizer_ids.py, and for each title number of ids and
                  FNV-1a-64 of the ids as little-endian u32. Titles: VARIANT with the small vocabulary, "plain" for
                  smollm with special tokens taken as text, "full" for smollm with the whole vocabulary
  pieces.tsv      for each block of 4096 code points and variant FNV-1a-64 of the pieces of a text with the code point in
                  many places, each with a line break, and one more behind each text (surrogates left out)
  texts.tsv       file, variant, number and hash of the ids of a whole text with the whole vocabulary
"""

import json
import pathlib
import struct
import sys

import gguf
import tokenizers
from tokenizers import AddedToken, Regex, decoders, models, normalizers, pre_tokenizers

import tokenizer_cases
from record_tokenizer_ids import BLOCK, escaped, fnv1a

LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|"
          r"\s+(?!\S)|\s+")
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
SMALL_MERGES = 2000
STAND_INS = set(pre_tokenizers.ByteLevel.alphabet())


def byte_level(**options):
    return pre_tokenizers.ByteLevel(**{"add_prefix_space": False, **options})


def split(expression: str):
    return pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(expression), "isolated"), byte_level(use_regex=False)])


# name → normalizer, pre-tokenizer, ignore_merges
VARIANTS = {
    "gpt2": (None, byte_level(), False),
    "gpt2_space": (None, byte_level(add_prefix_space=True), False),
    "llama3": (None, split(LLAMA3), True),
    "qwen2": (normalizers.NFC(), split(QWEN2), False),
    "smollm": (None, pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), byte_level()]), False),
    "none": (None, byte_level(use_regex=False), False),
}
MORE_TOKENS = [AddedToken("<tool_call>", special=False, normalized=False),
               AddedToken("<trim>", special=True, normalized=False, lstrip=True, rstrip=True),
               AddedToken("<word>", special=True, normalized=False, single_word=True),
               AddedToken("caf\u00e9!", special=False, normalized=True)]
MORE_CASES = {
    "bpe": [
        "I'm you'll we've they'd it's don't we're", "I'M YOU'LL WE'VE THEY'D IT'S DON'T WE'RE", "'s 'S '\u017f x'\u017fy",
        "''s '''ll 'lll 'r 're", "1 12 123 1234 12345 a1b22c333 3.14", "  two\n\n\nthree   \n four\t\n\r\n five   ",
        "a\r\nb\rc\n\n d \n", "\n", " \n", "\n ", "\u3000\n\u3000x", "x  \u00a0y", "...\n\n...", " !!!\r\n?", "-a--b ---c",
        "for (int i = 0; i < 10; ++i) {\n    x[i] += 1;  // note\n}\n", "\u00bd\u00b2\u2460 \u0663\u0664\u0665\u0666 \u216b",
        "\u4e00\u4e8c\u4e09 123\u56db", "\U00011de0\U00011de1 \U00016ff4x", "a\U0001f600b \U0001f600\U0001f600",
        "<|im_start|>user\nhi<|im_end|>\n", "<|endoftext|>", "a <|endoftext|> b", "<|im_start", "<|im_start|><|im_end|>",
        "say <tool_call> now", "a  <trim>  b", "<word> x<word> <word>", "caf\u00e9! cafe\u0301! CAF\u00c9!",
        "\u0041\u030a \u1112\u1161\u11ab \u0958 \u2126", "the the the", " the", "the" * 40, "ab" * 500, " " * 300,
        "\n" * 100 + "x", "0" * 200, "!?" * 100, "\u0430" * 300, "abcdefghijklmnopqrstuvwxyz" * 20,
        "It was the best of times, it was the worst of times. " * 30,
    ],
}


def tokenizer(vocabulary: dict[str, int], merges, variant: str, special: list[str], more=()) -> tokenizers.Tokenizer:
    normalizer, pre_tokenizer, ignore_merges = VARIANTS[variant]
    result = tokenizers.Tokenizer(models.BPE(vocabulary, merges, ignore_merges=ignore_merges))
    if normalizer is not None:
        result.normalizer = normalizer
    result.pre_tokenizer = pre_tokenizer
    result.decoder = decoders.ByteLevel()
    result.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    result.add_tokens(list(more))
    return result


def read_model(path: str):
    fields = gguf.GGUFReader(path).fields
    tokens, types, merges = (fields[f"tokenizer.ggml.{name}"].contents() for name in ("tokens", "token_type", "merges"))
    special = [token for token, kind in zip(tokens, types) if kind == 3]
    return tokens, special, [tuple(merge.split(" ")) for merge in merges]


def small_vocabulary(tokens: list[str], special: list[str], merges) -> dict[str, int]:
    bytes_and_results = [token for token in tokens if token in STAND_INS] + [left + right for left, right in merges]
    return {token: id for id, token in enumerate([*special, *dict.fromkeys(bytes_and_results)])}


def count_and_hash(ids: list[int]) -> str:
    return f"{len(ids)} {fnv1a(struct.pack(f'<{len(ids)}I', *ids)):016x}"


def all_cases():
    for group, texts in {**tokenizer_cases.GROUPS, **MORE_CASES}.items():
        for index, text in enumerate(texts):
            yield f"{group} {index}", text


def write_cases(encoders: dict[str, tokenizers.Tokenizer], path: pathlib.Path) -> None:
    lines = ["\t".join(["case", "text", *encoders]) + "\n"]
    for name, text in all_cases():
        ids = [count_and_hash(encoder.encode(text, add_special_tokens=False).ids) for encoder in encoders.values()]
        lines.append("\t".join([name, escaped(text), *ids]) + "\n")
    path.write_text("".join(lines), encoding="ascii")


def pieces(encoder: tokenizers.Tokenizer, char: str) -> str:
    text = f"a{char}b {char} {char}{char}1{char}2'{char}.{char}\n{char}\u0301"
    if encoder.normalizer is not None:
        text = encoder.normalizer.normalize_str(text)
    return "".join(text[begin:end] + "\n" for _, (begin, end) in encoder.pre_tokenizer.pre_tokenize_str(text)) + "\n"


def write_pieces(encoders: dict[str, tokenizers.Tokenizer], path: pathlib.Path) -> None:
    with path.open("w") as stream:
        stream.write("\t".join(["block", *encoders]) + "\n")
        for start in range(0, 0x110000, BLOCK):
            block = [chr(point) for point in range(start, start + BLOCK) if not 0xD800 <= point < 0xE000]
            hashes = [fnv1a("".join(pieces(encoder, char) for char in block).encode()) for encoder in encoders.values()]
            stream.write("\t".join([f"{start:06X}", *(f"{value:016x}" for value in hashes)]) + "\n")


def main() -> None:
    model, output, *texts = sys.argv[1:]
    folder = pathlib.Path(output)
    folder.mkdir(parents=True, exist_ok=True)
    tokens, special, merges = read_model(model)
    few = merges[:SMALL_MERGES]
    small = small_vocabulary(tokens, special, few)
    encoders = {name: tokenizer(small, few, name, special, MORE_TOKENS) for name in VARIANTS}
    full = {name: tokenizer({token: id for id, token in enumerate(tokens)}, merges, name, special) for name in VARIANTS}
    encoders["smollm"].save(str(folder / "tokenizer.json"), pretty=False)
    variants = {name: json.loads(encoder.to_str()) for name, encoder in encoders.items()}
    (folder / "variants.json").write_text(json.dumps(
        {name: {"normalizer": parts["normalizer"], "pre_tokenizer": parts["pre_tokenizer"],
                "ignore_merges": parts["model"]["ignore_merges"]} for name, parts in variants.items()}, indent=1) + "\n")
    plain = tokenizer(small, few, "smollm", special, MORE_TOKENS)
    plain.encode_special_tokens = True
    write_cases({**encoders, "plain": plain, "full": full["smollm"]}, folder / "cases.tsv")
    write_pieces({name: encoders[name] for name in ("gpt2", "llama3", "qwen2", "smollm")}, folder / "pieces.tsv")
    lines = []
    for text in map(pathlib.Path, texts):
        for name, encoder in full.items():
            if name != "none":
                lines.append(f"{text.stem}\t{name}\t{count_and_hash(encoder.encode(text.read_text('utf-8')).ids)}\n")
    (folder / "texts.tsv").write_text("".join(lines))


if __name__ == "__main__":
    main()
