#!/usr/bin/env python3
"""Records what Hugging Face `tokenizers` makes of hard cases and of whole texts, as the reference of the tests.

Run by hand when the reference has to change, after experiments/data/fetch.py; needs tokenizers:
  record_tokenizer_ids.py MODEL_FOLDER OUTPUT_FOLDER TEXT.txt …
MODEL_FOLDER holds the tokenizer.json of all-MiniLM-L6-v2. Writes into OUTPUT_FOLDER:
  cases.tsv       name, max_length ("-": none), text with \\u{HEX} for what is not printable ASCII and \\\\ for \\, ids
  TEXT.ids        one line per line of TEXT.txt: number of ids and FNV-1a-64 of the ids as little-endian u32; no limit
  words.tsv       for each block of 4096 code points FNV-1a-64 of the words of "a<code point>b", each with a line break,
                  and one more behind each code point (surrogates left out); needs no vocabulary
"""

import pathlib
import struct
import sys

import tokenizers

import tokenizer_cases

BLOCK = 4096


def fnv1a(data: bytes) -> int:
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return value


def escaped(text: str) -> str:
    def one(char: str) -> str:
        return "\\\\" if char == "\\" else char if " " <= char <= "~" else f"\\u{{{ord(char):X}}}"

    return "".join(map(one, text))


def write_cases(tokenizer: tokenizers.Tokenizer, path: pathlib.Path) -> None:
    lines = []
    for name, max_length, text in tokenizer_cases.cases():
        if max_length is None:
            tokenizer.no_truncation()
        else:
            tokenizer.enable_truncation(max_length)
        ids = " ".join(map(str, tokenizer.encode(text).ids))
        lines.append(f"{name}\t{'-' if max_length is None else max_length}\t{escaped(text)}\t{ids}\n")
    tokenizer.no_truncation()
    path.write_text("".join(lines), encoding="ascii")


def write_text(tokenizer: tokenizers.Tokenizer, text: pathlib.Path, path: pathlib.Path) -> None:
    lines = text.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    encoded = [tokenizer.encode(line).ids for line in lines]
    path.write_text("".join(f"{len(ids)} {fnv1a(struct.pack(f'<{len(ids)}I', *ids)):016x}\n" for ids in encoded))


def write_words(tokenizer: tokenizers.Tokenizer, path: pathlib.Path) -> None:
    def words(code_point: int) -> str:
        text = tokenizer.normalizer.normalize_str(f"a{chr(code_point)}b")
        return "".join(word + "\n" for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(text)) + "\n"

    with path.open("w") as stream:
        for start in range(0, 0x110000, BLOCK):
            block = (code_point for code_point in range(start, start + BLOCK) if not 0xD800 <= code_point < 0xE000)
            stream.write(f"{start:06X}\t{fnv1a(''.join(map(words, block)).encode()):016x}\n")


def main() -> None:
    model, output, *texts = map(pathlib.Path, sys.argv[1:])
    tokenizer = tokenizers.Tokenizer.from_file(str(model / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    output.mkdir(parents=True, exist_ok=True)
    write_cases(tokenizer, output / "cases.tsv")
    write_words(tokenizer, output / "words.tsv")
    for text in texts:
        write_text(tokenizer, text, output / f"{text.stem}.ids")


if __name__ == "__main__":
    main()
