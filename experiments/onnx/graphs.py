"""Other ways to write the integer layers of an exported graph, to be measured beside those that Lathe writes."""

import onnx
from onnx import helper


def with_one_range(model: onnx.ModelProto) -> onnx.ModelProto:
    """A graph of `--type int8` whose products are of integers, with inputs rounded by DynamicQuantizeLinear: one range for all
    numbers of a batch. The nodes are those that ONNX Runtime fuses."""
    nodes, decoded, rounded = [], {}, {}
    for node in model.graph.node:
        if node.op_type == "DequantizeLinear":
            decoded[node.output[0]] = node.input
            continue
        if node.op_type != "MatMul" or node.input[1] not in decoded:
            nodes.append(node)
            continue
        x, output = node.input[0], node.output[0]
        integers, scales = decoded[node.input[1]]
        if x not in rounded:
            rounded[x] = [f"{x}/{part}" for part in ("u8", "scale", "zero")]
            nodes.append(helper.make_node("DynamicQuantizeLinear", [x], rounded[x]))
        u8, scale, zero = rounded[x]
        nodes += [helper.make_node("MatMulInteger", [u8, integers, zero], [output + "/whole"]),
                  helper.make_node("Cast", [output + "/whole"], [output + "/number"], to=onnx.TensorProto.FLOAT),
                  helper.make_node("Mul", [scale, scales], [output + "/scales"]),
                  helper.make_node("Mul", [output + "/number", output + "/scales"], [output])]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model
