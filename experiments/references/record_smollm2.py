#!/usr/bin/env python3
"""Records the logits that transformers computes in f32 for SmolLM2-135M-Instruct, read from its GGUF file and
dequantized, as the reference of a test that needs the fetched model.

Run by hand when the reference has to change, after experiments/data/fetch.py; needs torch, transformers and gguf:
  record_smollm2.py CACHE TESTS_DATA_FOLDER

smollm2/inputs.txt has one sequence of token ids per line; smollm2/expected.txt has, per sequence and in that order,
  sequence INDEX TOKENS
  position P            of the token that the next lines are about
  top ID1 … ID20        the most likely next tokens, the most likely first
  values V1 … V20       their logits
  columns V1 … V200     the logits of the tokens 0, 245, 490 …
"""

import pathlib
import sys

import torch
import transformers

TEXTS = ("The lathe turns the work against a cutting tool, so that",
         "<|im_start|>user\nHow many legs has a spider?<|im_end|>\n<|im_start|>assistant\n")
TOP = 20
COLUMNS = 200
STEP = 245  # of 49,152 tokens


def numbers(kind: str, values: torch.Tensor) -> str:
    return " ".join([kind] + [f"{value:.7g}" for value in values.tolist()]) + "\n"


def main() -> None:
    torch.set_num_threads(1)
    cache, target = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]) / "smollm2"
    target.mkdir(parents=True, exist_ok=True)
    folder, file = cache / "smollm2", "model.gguf"
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, gguf_file=file)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, gguf_file=file, dtype=torch.float32).eval()
    inputs, expected = "", ""
    for index, text in enumerate(TEXTS):
        ids = tokenizer(text, add_special_tokens=False).input_ids
        with torch.inference_mode():
            logits = model(input_ids=torch.tensor([ids])).logits[0]
        inputs += " ".join(map(str, ids)) + "\n"
        expected += f"sequence {index} {len(ids)}\n"
        for position in (0, len(ids) - 1):
            row = logits[position]
            values, top = row.topk(TOP)
            expected += f"position {position}\n" + numbers("top", top) + numbers("values", values)
            expected += numbers("columns", row[0:STEP * COLUMNS:STEP])
    (target / "inputs.txt").write_text(inputs)
    (target / "expected.txt").write_text(expected)


if __name__ == "__main__":
    main()
