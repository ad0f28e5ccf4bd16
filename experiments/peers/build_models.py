"""Builds the peers' models from the MiniLM checkpoint: build_models.py CHECKPOINT_FOLDER OUTPUT_FOLDER

ONNX Runtime gets the graph that its own transformers optimizer would produce: EmbedLayerNormalization, Attention,
SkipLayerNormalization and BiasGelu, with q, k and v in one product; its int8 model comes from its dynamic quantizer,
per channel. CTranslate2 gets what its own converter of BERT writes. Neither needs PyTorch.
"""

import json
import pathlib
import shutil
import sys

import ctranslate2
import numpy as np
import onnx
from ctranslate2.converters.utils import fuse_linear
from ctranslate2.specs import common_spec, transformer_spec
from onnxruntime import quantization
from safetensors.numpy import load_file


class OnnxGraph:
    def __init__(self, weights: dict[str, np.ndarray], epsilon: float):
        self.weights = weights
        self.epsilon = epsilon
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: dict[str, onnx.TensorProto] = {}

    def constant(self, name: str, value: np.ndarray | None = None) -> str:
        value = self.weights[name] if value is None else value
        self.initializers[name] = onnx.numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name

    def matmul(self, input_name: str, layer: str) -> str:
        weight = self.constant(layer + ".weight_t", self.weights[layer + ".weight"].T)
        return self.node("MatMul", [input_name, weight], layer + ".product", domain="")

    def node(self, kind: str, inputs: list[str], output: str, domain: str = "com.microsoft", extra=(), **attributes):
        self.nodes.append(onnx.helper.make_node(kind, inputs, [output, *extra], output, domain=domain, **attributes))
        return output

    def skip_norm(self, input_name: str, skip: str, norm: str, bias: str, output: str) -> str:
        gamma, beta = self.constant(norm + ".weight"), self.constant(norm + ".bias")
        inputs = [input_name, skip, gamma, beta, self.constant(bias)]
        return self.node("SkipLayerNormalization", inputs, output, epsilon=self.epsilon)

    def attention(self, hidden: str, layer: str, heads: int) -> str:
        parts = [f"{layer}.attention.self.{part}" for part in ("query", "key", "value")]
        weight = np.concatenate([self.weights[part + ".weight"].T for part in parts], axis=1)
        bias = np.concatenate([self.weights[part + ".bias"] for part in parts])
        inputs = [hidden, self.constant(layer + ".qkv.weight", weight), self.constant(layer + ".qkv.bias", bias),
                  "attention_mask"]
        return self.node("Attention", inputs, layer + ".attention", num_heads=heads)


def onnx_model(weights: dict[str, np.ndarray], config: dict) -> onnx.ModelProto:
    graph = OnnxGraph(weights, config["layer_norm_eps"])
    tables = [graph.constant(f"embeddings.{table}_embeddings.weight") for table in ("word", "position", "token_type")]
    norm = [graph.constant("embeddings.LayerNorm.weight"), graph.constant("embeddings.LayerNorm.bias")]
    hidden = graph.node("EmbedLayerNormalization", ["input_ids", "token_type_ids", *tables, *norm], "embedded",
                        extra=["unused_mask_index"], epsilon=graph.epsilon)
    for index in range(config["num_hidden_layers"]):
        layer = f"encoder.layer.{index}"
        attended = graph.attention(hidden, layer, config["num_attention_heads"])
        output = graph.matmul(attended, layer + ".attention.output.dense")
        hidden = graph.skip_norm(output, hidden, layer + ".attention.output.LayerNorm",
                                 layer + ".attention.output.dense.bias", layer + ".attended")
        inner = graph.matmul(hidden, layer + ".intermediate.dense")
        bias = graph.constant(layer + ".intermediate.dense.bias")
        inner = graph.node("BiasGelu", [inner, bias], layer + ".gelu")
        output = graph.matmul(inner, layer + ".output.dense")
        last = index + 1 == config["num_hidden_layers"]
        hidden = graph.skip_norm(output, hidden, layer + ".output.LayerNorm", layer + ".output.dense.bias",
                                 "last_hidden_state" if last else layer + ".hidden")
    ids = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.INT32, ["batch", "tokens"])
           for name in ("input_ids", "token_type_ids", "attention_mask")]
    result = onnx.helper.make_tensor_value_info(hidden, onnx.TensorProto.FLOAT,
                                                ["batch", "tokens", config["hidden_size"]])
    body = onnx.helper.make_graph(graph.nodes, "bert", ids, [result], list(graph.initializers.values()))
    opsets = [onnx.helper.make_opsetid("", 17), onnx.helper.make_opsetid("com.microsoft", 1)]
    return onnx.helper.make_model(body, opset_imports=opsets, ir_version=8)


def build_onnxruntime(weights: dict[str, np.ndarray], config: dict, output: pathlib.Path) -> None:
    onnx.save(onnx_model(weights, config), output / "ort_f32.onnx")
    quantization.quantize_dynamic(output / "ort_f32.onnx", output / "ort_int8.onnx", per_channel=True,
                                  weight_type=quantization.QuantType.QInt8,
                                  extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT})


def ctranslate2_spec(weights: dict[str, np.ndarray], config: dict, vocabulary: list[str]):
    def linear(spec, name):
        spec.weight, spec.bias = weights[name + ".weight"], weights[name + ".bias"]
        return spec

    def layer_norm(spec, name):
        spec.gamma, spec.beta = weights[name + ".weight"], weights[name + ".bias"]

    encoder = transformer_spec.TransformerEncoderSpec(
        config["num_hidden_layers"], config["num_attention_heads"], pre_norm=False,
        activation=common_spec.Activation.GELU, layernorm_embedding=True, num_source_embeddings=2,
        embeddings_merge=common_spec.EmbeddingsMerge.ADD)
    encoder.scale_embeddings = False
    encoder.embeddings[0].weight = weights["embeddings.word_embeddings.weight"]
    encoder.embeddings[1].weight = weights["embeddings.token_type_embeddings.weight"]
    encoder.position_encodings.encodings = weights["embeddings.position_embeddings.weight"]
    layer_norm(encoder.layernorm_embedding, "embeddings.LayerNorm")
    for index, layer in enumerate(encoder.layer):
        name = f"encoder.layer.{index}"
        fuse_linear(layer.self_attention.linear[0],
                    [linear(common_spec.LinearSpec(), f"{name}.attention.self.{part}")
                     for part in ("query", "key", "value")])
        linear(layer.self_attention.linear[1], name + ".attention.output.dense")
        layer_norm(layer.self_attention.layer_norm, name + ".attention.output.LayerNorm")
        linear(layer.ffn.linear_0, name + ".intermediate.dense")
        linear(layer.ffn.linear_1, name + ".output.dense")
        layer_norm(layer.ffn.layer_norm, name + ".output.LayerNorm")
    spec = transformer_spec.TransformerEncoderModelSpec(encoder)
    spec.config.unk_token = "[UNK]"
    spec.config.layer_norm_epsilon = config["layer_norm_eps"]
    spec.register_vocabulary(vocabulary)
    return spec


def build_ctranslate2(weights, config, vocabulary, output: pathlib.Path) -> None:
    for name, quantization_name in (("ct2_f32", None), ("ct2_int8", "int8")):
        spec = ctranslate2_spec(weights, config, vocabulary)
        spec.validate()
        spec.optimize(quantization=quantization_name)
        shutil.rmtree(output / name, ignore_errors=True)
        (output / name).mkdir()
        spec.save(str(output / name))


def main() -> None:
    checkpoint, output = map(pathlib.Path, sys.argv[1:])
    output.mkdir(parents=True, exist_ok=True)
    weights = load_file(checkpoint / "model.safetensors")
    config = json.loads((checkpoint / "config.json").read_text())
    assert config["hidden_act"] == "gelu", config["hidden_act"]
    vocabulary = (checkpoint / "vocab.txt").read_text(encoding="utf-8").split("\n")[:config["vocab_size"]]
    build_onnxruntime(weights, config, output)
    build_ctranslate2(weights, config, vocabulary, output)


if __name__ == "__main__":
    main()
