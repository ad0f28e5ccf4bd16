"""Film reviews in sentences with the mood that people read in them, as texts with a label."""

import hashlib
import io
import tarfile

CORPUS = "additional_resources/hutto_ICWSM_2014.tar.gz"
RATINGS = "hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt"  # number, mean rating in [-4, 4], sentence
TEST_SHARE = 5  # one text in so many is for testing


def is_test(text: str) -> bool:
    """By the text alone, so that a sentence that is there twice stays on one side."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()) % TEST_SHARE == 0


def sentiment_files(package: tarfile.TarFile) -> dict[str, bytes]:
    top = package.getnames()[0].split("/")[0]
    with tarfile.open(fileobj=io.BytesIO(package.extractfile(f"{top}/{CORPUS}").read())) as corpus:
        ratings = corpus.extractfile(RATINGS).read().decode()
    files = {"train.tsv": "", "test.tsv": ""}
    for line in ratings.splitlines():
        _, rating, sentence = line.split("\t", 2)
        text = " ".join(sentence.split())
        if float(rating) == 0 or not text:
            continue
        label = "positive" if float(rating) > 0 else "negative"
        files["test.tsv" if is_test(text) else "train.tsv"] += f"{text}\t{label}\n"
    return {name: content.encode() for name, content in files.items()}
