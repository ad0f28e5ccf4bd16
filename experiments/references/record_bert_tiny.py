#!/usr/bin/env python3
"""Records small random BERT models and what transformers computes for them in f32, as references of unit tests that
need no download. Run by hand when a reference has to change; needs torch, transformers and safetensors:
  record_bert_tiny.py TESTS_DATA_FOLDER

Each folder gets model.safetensors, config.json, vocab.txt, inputs.txt (one sequence of token ids per line) and
expected.txt: per sequence, in the order of inputs.txt,
  sequence INDEX TOKENS
  mean V1 … VH          mean over the tokens, not normalized
  cls V1 … VH           the first token
  hidden V1 … VH        one line per token, for sequences of at most 16 tokens: the last hidden state
and of a classifier, which has a head on top,
  sequence INDEX TOKENS
  logits V1 … VL
"""

import json
import pathlib
import sys

import safetensors.torch
import torch
import transformers

LENGTHS = (1, 2, 7, 16, 33, 40)
LONGEST_SHOWN = 16  # longer sequences are held by their mean and first token, which keeps the files small
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
COMMON = {"architectures": ["BertModel"], "model_type": "bert", "max_position_embeddings": 40, "type_vocab_size": 2,
          "layer_norm_eps": 1e-12, "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "pad_token_id": 0}
# bert_odd: no size is a multiple of 16, so every kernel meets its tails.
MODELS = {
    "bert_tiny": {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64,
                  "vocab_size": 60, "hidden_act": "gelu"},
    "bert_odd": {"hidden_size": 36, "num_hidden_layers": 1, "num_attention_heads": 3, "intermediate_size": 52,
                 "vocab_size": 53, "hidden_act": "gelu_new"},
    "bert_relu": {"hidden_size": 20, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 28,
                  "vocab_size": 31, "hidden_act": "relu"},
}
CLASSIFIERS = {
    "bert_classifier": {"architectures": ["BertForSequenceClassification"], "hidden_size": 20, "num_hidden_layers": 1,
                        "num_attention_heads": 2, "intermediate_size": 28, "vocab_size": 31, "hidden_act": "gelu",
                        "id2label": {"0": "bad", "1": "so so", "2": "good"},
                        "label2id": {"bad": 0, "so so": 1, "good": 2}},
}


def randomized(model: transformers.PreTrainedModel) -> transformers.PreTrainedModel:
    generator = torch.Generator().manual_seed(0)
    model = model.float().eval()
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            offset = 1.0 if name.endswith("LayerNorm.weight") else 0.0
            parameter.copy_(offset + 0.2 * torch.randn(parameter.shape, generator=generator))
    return model


def numbers(kind: str, row: torch.Tensor) -> str:
    return " ".join([kind] + [f"{value:.9g}" for value in row.tolist()]) + "\n"


def plain_outputs(model: transformers.BertModel, ids: torch.Tensor) -> str:
    hidden = model(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state[0]
    rows = hidden if len(hidden) <= LONGEST_SHOWN else []
    return numbers("mean", hidden.mean(0)) + numbers("cls", hidden[0]) + "".join(numbers("hidden", row) for row in rows)


def classifier_outputs(model: transformers.BertForSequenceClassification, ids: torch.Tensor) -> str:
    return numbers("logits", model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[0])


def record(folder: pathlib.Path, config: dict, model: transformers.PreTrainedModel, outputs) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    model = randomized(model)
    tensors = {name: parameter.detach().contiguous() for name, parameter in model.named_parameters()}
    safetensors.torch.save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "model.safetensors").chmod(0o644)
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    vocab = list(SPECIAL) + [f"w{index}" for index in range(len(SPECIAL), config["vocab_size"])]
    (folder / "vocab.txt").write_text("\n".join(vocab) + "\n")

    generator = torch.Generator().manual_seed(1)
    inputs, expected = "", ""
    for index, length in enumerate(LENGTHS):
        ids = torch.randint(0, config["vocab_size"], (1, length), generator=generator)
        inputs += " ".join(map(str, ids[0].tolist())) + "\n"
        with torch.inference_mode():
            expected += f"sequence {index} {length}\n" + outputs(model, ids)
    (folder / "inputs.txt").write_text(inputs)
    (folder / "expected.txt").write_text(expected)


def main() -> None:
    torch.set_num_threads(1)
    target = pathlib.Path(sys.argv[1])
    for name, sizes in MODELS.items():
        config = COMMON | sizes
        model = transformers.BertModel(transformers.BertConfig(**config), add_pooling_layer=False)
        record(target / name, config, model, plain_outputs)
    for name, sizes in CLASSIFIERS.items():
        config = COMMON | sizes
        model = transformers.BertForSequenceClassification(transformers.BertConfig(**config))
        record(target / name, config, model, classifier_outputs)


if __name__ == "__main__":
    main()
