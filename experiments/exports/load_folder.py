#!/usr/bin/env python3
"""load_folder.py COMPRESS ARTIFACT FOLDER: loads the folder that `compress export --to safetensors` wrote with transformers and compares
it with the artifact as Lathe runs it: embeddings of a sentence encoder, or the next tokens of a decoder.

    pip install torch transformers
Both run the same weights. transformers computes with inputs of f32, Lathe rounds the inputs of integer layers, so that only an artifact
of f32 agrees to rounding."""

import json
import subprocess
import sys

import torch
from transformers import AutoModel, AutoModelForCausalLM, AutoTokenizer

TEXTS = ["The cat sat on the mat.", "Quantum computers factor integers.", "hello", "Naïve café: 10 € for a coffee!",
         "A longer text, whose purpose is that the batch is padded for all the others, so that the mask is looked at as well."]


def lathe(command: str, *arguments: str) -> dict:
    run = subprocess.run([command, "run", *arguments, "--json", "-q"], check=True, capture_output=True, text=True)
    return json.loads(run.stdout)


def compare_encoder(command: str, artifact: str, folder: str) -> None:
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    batch = tokenizer(TEXTS, padding=True, return_tensors="pt")
    with torch.no_grad():
        hidden = model(**batch).last_hidden_state
    mask = batch["attention_mask"][..., None]
    theirs = torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1), dim=1)
    ours = torch.tensor(lathe(command, artifact, *(part for text in TEXTS for part in ("-t", text)))["embeddings"])
    print(json.dumps({"dtype": str(model.dtype), "least cosine": (theirs * ours).sum(1).min().item(),
                      "largest difference": (theirs - ours).abs().max().item()}))


def compare_decoder(command: str, artifact: str, folder: str) -> None:
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder).eval()
    prompt = "The capital of France is"
    ids = tokenizer(prompt, return_tensors="pt")["input_ids"]
    with torch.no_grad():
        theirs = model.generate(ids, max_new_tokens=16, do_sample=False)[0, ids.shape[1]:]
    ours = lathe(command, artifact, "-p", prompt, "-n", "16")["outputs"][0]["text"]
    print(json.dumps({"dtype": str(model.dtype), "transformers": tokenizer.decode(theirs, skip_special_tokens=True), "lathe": ours}))


def main() -> None:
    command, artifact, folder = sys.argv[1:]
    with open(f"{folder}/config.json", encoding="utf8") as file:
        architecture = json.load(file)["architectures"][0]
    (compare_decoder if architecture.endswith("ForCausalLM") else compare_encoder)(command, artifact, folder)


main()
