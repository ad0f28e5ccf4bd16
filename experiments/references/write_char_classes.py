#!/usr/bin/env python3
"""Writes char_class_table.cpp and unicode_class_table.cpp: what Hugging Face `tokenizers` takes each code point for.

Its BERT normalizer and pre-tokenizer rest on character categories frozen at Unicode 8 (2015), on purpose or not: a mark
or a bracket that came later is an ordinary letter, and unassigned code points are kept. Marks are reordered as in
Unicode 9. A newer Unicode library would see all this differently, so the classes are observed once from the package and
stored. Its regular expressions, which cut text for byte-level BPE, and its `Digits` step follow newer versions of
Unicode, one each. Run by hand; needs tokenizers:
  write_char_classes.py OUTPUT_FOLDER
OUTPUT_FOLDER is runtime/text.
"""

import pathlib
import sys

import tokenizers
from tokenizers import normalizers, pre_tokenizers

CONTROL, SPACE, PUNCTUATION, MARK, CHINESE, MOVABLE = 1, 2, 4, 8, 16, 32
# Marks that are not stripped, of a low and a high combining class (9 and 226): one of them changes places with any
# other character that has a class.
LOW, HIGH = "\u1B44", "\U0001D16D"


def normalizer(**enabled):
    steps = {"clean_text": False, "handle_chinese_chars": False, "strip_accents": False, "lowercase": False}
    return normalizers.BertNormalizer(**{**steps, **enabled})


CLEAN = normalizer(clean_text=True)
SPLIT = normalizer(handle_chinese_chars=True)
STRIP = normalizer(strip_accents=True)
WORDS = pre_tokenizers.BertPreTokenizer()


def moves(char: str) -> bool:
    return any(STRIP.normalize_str(pair) != STRIP.normalize_str(pair[0]) + STRIP.normalize_str(pair[1])
               for pair in (char + LOW, HIGH + char))


def flags(code_point: int) -> int:
    text = f"a{chr(code_point)}b"
    words = len(WORDS.pre_tokenize_str(text))
    result = SPACE if words == 2 else PUNCTUATION if words == 3 else 0
    if CLEAN.normalize_str(text) == "ab":
        result |= CONTROL
    if STRIP.normalize_str(text) == "ab":
        result |= MARK
    if " " in SPLIT.normalize_str(f"a{chr(code_point)}") and code_point != 0x20:
        result |= CHINESE
    if result & MARK == 0 and moves(chr(code_point)):
        result |= MOVABLE
    return result


LETTER, NUMBER, WHITE, NUMERIC = 1, 2, 4, 8
EXPRESSIONS = [(flag, pre_tokenizers.Split(tokenizers.Regex(expression), "isolated"))
               for flag, expression in ((LETTER, r"\p{L}"), (NUMBER, r"\p{N}"), (WHITE, r"\s"))]
DIGITS = pre_tokenizers.Digits(individual_digits=True)


def unicode_flags(code_point: int) -> int:
    text = "-" + chr(code_point)
    return sum(flag for flag, step in [*EXPRESSIONS, (NUMERIC, DIGITS)] if len(step.pre_tokenize_str(text)) == 2)


def ranges(flags_of) -> list[tuple[int, int, int]]:
    found: list[tuple[int, int, int]] = []
    for code_point in range(0x110000):
        value = 0 if 0xD800 <= code_point < 0xE000 else flags_of(code_point)
        if value == 0:
            continue
        if found and found[-1][1] == code_point - 1 and found[-1][2] == value:
            found[-1] = (found[-1][0], code_point, value)
        else:
            found.append((code_point, code_point, value))
    return found


def write_table(path: pathlib.Path, name: str, flags_of) -> None:
    entries = [f"{{0x{first:X}, 0x{last:X}, {value}}}," for first, last, value in ranges(flags_of)]
    lines, line = [], "   "
    for entry in entries:
        if len(line) + 1 + len(entry) > 120:
            lines.append(line)
            line = "   "
        line += " " + entry
    lines.append(line)
    header = path.name.replace("_table.cpp", ".h")
    path.write_text("// Written by experiments/references/write_char_classes.py from tokenizers "
                    f"{tokenizers.__version__}.\n"
                    f'#include "runtime/text/{header}"\n\nnamespace lathe::text {{\n\n'
                    f"// clang-format off\nconst {name}Range k{name}Table[] = {{\n" + "\n".join(lines) +
                    f"\n}};\n// clang-format on\nconst size_t k{name}TableSize = std::size(k{name}Table);\n\n"
                    "}  // namespace lathe::text\n", encoding="ascii")


def main() -> None:
    folder = pathlib.Path(sys.argv[1])
    write_table(folder / "char_class_table.cpp", "CharClass", flags)
    write_table(folder / "unicode_class_table.cpp", "UnicodeClass", unicode_flags)


if __name__ == "__main__":
    main()
