#!/usr/bin/env python3
"""Records small random decoders and the logits that transformers computes for them in f32, as references of unit tests
that need no download. Run by hand when a reference has to change; needs torch, transformers, tokenizers, safetensors:
  record_decoders.py TESTS_DATA_FOLDER

DECODERS/tokenizer.json and tokenizer_config.json are shared by all models. Each model's folder gets model.safetensors,
config.json, inputs.txt (one sequence of token ids per line) and expected.txt: per sequence, in the order of inputs.txt,
  sequence INDEX TOKENS
  logits V1 … VN        one line per token, for sequences of at most 6 tokens
  last V1 … VN          the last two tokens, for longer sequences
"""

import json
import pathlib
import sys

import safetensors.torch
import tokenizers
import torch
import transformers

LENGTHS = (1, 5, 2, 24)
LONGEST_SHOWN = 6  # longer sequences are held by their last two tokens, which keeps the files small
COMMON = {"num_hidden_layers": 2, "bos_token_id": 0, "eos_token_id": 0, "max_position_embeddings": 96}
SMALL = COMMON | {"hidden_act": "silu", "rms_norm_eps": 1e-5}
LLAMA3 = {"rope_type": "llama3", "factor": 4.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": 32}

# name → (model_type, config, precision of the stored weights); no size is a multiple of 16, so that every kernel meets
# its tails. Some configs are spelled as transformers 4 wrote them, others as transformers 5 does.
MODELS = {
    "llama": ("llama", SMALL | {"hidden_size": 36, "num_attention_heads": 6, "num_key_value_heads": 2,
                                "intermediate_size": 52, "vocab_size": 301, "tie_word_embeddings": True,
                                "rope_theta": 10000.0, "rope_scaling": None}, torch.bfloat16),
    "llama_scaled": ("llama", SMALL | {"hidden_size": 42, "num_attention_heads": 3, "num_key_value_heads": 1,
                                       "head_dim": 22, "intermediate_size": 44, "vocab_size": 307,
                                       "attention_bias": True, "mlp_bias": True, "tie_word_embeddings": False,
                                       "rope_parameters": LLAMA3 | {"rope_theta": 500.0}}, torch.float32),
    "mistral": ("mistral", SMALL | {"hidden_size": 44, "num_attention_heads": 4, "num_key_value_heads": 2,
                                    "head_dim": 10, "intermediate_size": 60, "vocab_size": 303, "sliding_window": 7,
                                    "tie_word_embeddings": False, "rope_theta": 1000.0}, torch.float16),
    "qwen2": ("qwen2", SMALL | {"hidden_size": 42, "num_attention_heads": 3, "num_key_value_heads": 3,
                                "intermediate_size": 50, "vocab_size": 302, "use_sliding_window": True,
                                "sliding_window": 5, "max_window_layers": 1, "tie_word_embeddings": True,
                                "rope_theta": 1000000.0,
                                "rope_scaling": {"type": "linear", "factor": 2.0}}, torch.bfloat16),
    "qwen3": ("qwen3", SMALL | {"hidden_size": 44, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 14,
                                "intermediate_size": 46, "vocab_size": 305, "use_sliding_window": False,
                                "attention_bias": False, "tie_word_embeddings": False,
                                "rope_parameters": {"rope_type": "default", "rope_theta": 1000000.0}}, torch.float16),
    "gpt2": ("gpt2", {"n_embd": 36, "n_layer": 2, "n_head": 3, "n_inner": None, "n_positions": 48, "vocab_size": 300,
                      "activation_function": "gelu_new", "layer_norm_epsilon": 1e-5, "bos_token_id": 0,
                      "eos_token_id": 0, "tie_word_embeddings": True}, torch.float32),
}


def write_tokenizer(folder: pathlib.Path) -> None:
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=300, special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"], show_progress=False,
        initial_alphabet=sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet()))
    tokenizer.train_from_iterator([__doc__], trainer)
    tokenizer.save(str(folder / "tokenizer.json"))
    facts = {"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>",
             "model_max_length": 96, "tokenizer_class": "GPT2Tokenizer"}
    (folder / "tokenizer_config.json").write_text(json.dumps(facts, indent=2) + "\n")


def random_model(model_type: str, config: dict, precision: torch.dtype) -> transformers.PreTrainedModel:
    settings = transformers.AutoConfig.for_model(model_type, **config)
    settings._attn_implementation = "eager"
    model = transformers.AutoModelForCausalLM.from_config(settings).float().eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            offset = 1.0 if "norm" in name and name.endswith("weight") or ".ln_" in name else 0.0
            value = offset + 0.2 * torch.randn(parameter.shape, generator=generator)
            parameter.copy_(value.to(precision))
    return model


def numbers(kind: str, row: torch.Tensor) -> str:
    return " ".join([kind] + [f"{value:.7g}" for value in row.tolist()]) + "\n"


def record(folder: pathlib.Path, model_type: str, config: dict, precision: torch.dtype) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    model = random_model(model_type, config, precision)
    tensors = {name: parameter.detach().to(precision).contiguous() for name, parameter in model.named_parameters()}
    if not config.get("tie_word_embeddings"):
        assert "lm_head.weight" in tensors
    safetensors.torch.save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "model.safetensors").chmod(0o644)
    (folder / "config.json").write_text(json.dumps({"model_type": model_type} | config, indent=2) + "\n")

    generator = torch.Generator().manual_seed(1)
    inputs, expected = "", ""
    for index, length in enumerate(LENGTHS):
        ids = torch.randint(0, config["vocab_size"], (1, length), generator=generator)
        inputs += " ".join(map(str, ids[0].tolist())) + "\n"
        with torch.inference_mode():
            logits = model(input_ids=ids).logits[0]
        rows = logits if length <= LONGEST_SHOWN else logits[-2:]
        kind = "logits" if length <= LONGEST_SHOWN else "last"
        expected += f"sequence {index} {length}\n" + "".join(numbers(kind, row) for row in rows)
    (folder / "inputs.txt").write_text(inputs)
    (folder / "expected.txt").write_text(expected)


def main() -> None:
    torch.set_num_threads(1)
    target = pathlib.Path(sys.argv[1]) / "decoders"
    target.mkdir(parents=True, exist_ok=True)
    write_tokenizer(target)
    for name, (model_type, config, precision) in MODELS.items():
        record(target / name, model_type, config, precision)


if __name__ == "__main__":
    main()
