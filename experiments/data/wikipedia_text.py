"""Plain text from the Wikipedia excerpt inside the gensim wheel, by gensim's own markup filter.

The filter is pure Python, but its module imports numpy, scipy and smart_open. None of them is called on this path, so
stand-ins take their places and the wheel needs no installation.
"""

import bz2
import importlib.util
import io
import re
import sys
import types
import zipfile
from unittest import mock

ARTICLES = "gensim/test/test_data/enwiki-latest-pages-articles1.xml-p000000010p000030302-shortened.bz2"
UNUSED_IMPORTS = ("numpy", "scipy", "scipy.sparse", "smart_open", "gensim.corpora.dictionary",
                  "gensim.corpora.textcorpus")
MIN_LINE_CHARS = 60  # a kept line is longer
MIN_PAGE_CHARS = 2000  # a kept page is longer
NOT_PROSE = "*=|{!"
SHORTEST_SAMPLE, LONGEST_SAMPLE = 60, 1000  # characters of a line of *_lines.txt


def _load_module(wheel: zipfile.ZipFile, name: str) -> types.ModuleType:
    module = types.ModuleType(name)
    sys.modules[name] = module
    path = name.replace(".", "/") + ".py"
    exec(compile(wheel.read(path), path, "exec"), module.__dict__)
    return module


def _load_wikicorpus(wheel: zipfile.ZipFile) -> types.ModuleType:
    stand_ins = {name: mock.MagicMock() for name in UNUSED_IMPORTS}
    for name, base in (("gensim.corpora.dictionary", "Dictionary"), ("gensim.corpora.textcorpus", "TextCorpus")):
        setattr(stand_ins[name], base, object)
    for package in ("gensim", "gensim.corpora"):
        stand_ins[package] = types.ModuleType(package)
        stand_ins[package].__path__ = []
    stand_ins["gensim"].__version__ = ""
    with mock.patch.dict(sys.modules, stand_ins):
        stand_ins["gensim"].utils = _load_module(wheel, "gensim.utils")
        return _load_module(wheel, "gensim.corpora.wikicorpus")


def _is_redirect(markup: str) -> bool:
    return markup.lstrip().lower().startswith("#redirect")


def read_pages(wheel: zipfile.ZipFile) -> list[list[str]]:
    """The kept lines of each kept page, in file order."""
    corpus = _load_wikicorpus(wheel)
    pages = []
    for _title, markup, _page_id in corpus.extract_pages(io.BytesIO(bz2.decompress(wheel.read(ARTICLES)))):
        if not markup or _is_redirect(markup):
            continue
        lines = [line for line in corpus.filter_wiki(markup).split("\n")
                 if len(line) > MIN_LINE_CHARS and line[0] not in NOT_PROSE]
        if len("\n".join(lines)) > MIN_PAGE_CHARS:
            pages.append(lines)
    return pages


def _pieces(line: str):
    """The line without bold and italic marks, cut at sentence ends into pieces of up to LONGEST_SAMPLE characters."""
    plain = " ".join(re.sub("'{2,}", "", line).split())
    piece = ""
    for sentence in re.split(r"(?<=[.!?]) +", plain):
        if piece and len(piece) + 1 + len(sentence) > LONGEST_SAMPLE:
            yield piece
            piece = ""
        piece = f"{piece} {sentence}" if piece else sentence
    yield piece


def to_lines(pages: list[list[str]]) -> str:
    """One sample per line; the pages take turns, so that any prefix of the file covers many subjects."""
    samples = [[piece for line in page for piece in _pieces(line)
                if SHORTEST_SAMPLE <= len(piece) <= LONGEST_SAMPLE] for page in pages]
    turns = range(max(map(len, samples)))
    return "".join(page[turn] + "\n" for turn in turns for page in samples if turn < len(page))


def wikipedia_files(wheel: zipfile.ZipFile) -> dict[str, bytes]:
    """Every third page evaluates, the others calibrate: as running text, and as one sample per line."""
    pages = read_pages(wheel)
    parts = {
        "calibrate": [page for index, page in enumerate(pages) if index % 3 != 2],
        "evaluate": [page for index, page in enumerate(pages) if index % 3 == 2],
    }
    files = {}
    for name, part in parts.items():
        files[f"{name}.txt"] = "\n\n".join("\n".join(page) for page in part).encode()
        files[f"{name}_lines.txt"] = to_lines(part).encode()
    return files
