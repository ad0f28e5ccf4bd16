#!/usr/bin/env python3
"""Growing touches few places: an existing member of each kind is named in its own files, in the places that docs/adding.md
tells a newcomer to edit, and by code that looks at this very member for a reason of its own - and nowhere else."""

import re

import tree

# What grows; a pattern of an existing member; its own files; the places that a newcomer edits; how many there may be; who
# else looks at this member, and so need not be touched for another one.
KINDS = (
    ("op", r"\bops::Rope\b|struct Rope \{\n  RopePairs", (),
     ("formats/artifact/ops.h", "formats/artifact/op_table.cpp", "runtime/cpu/plan.cpp", "runtime/cuda/plan.cpp",
      "compress/training/torch/interpreter.cpp", "compress/export/gguf/gguf_weights.cpp",
      "compress/export/onnx/onnx_program.cpp"), 7,
     ("compress/source/program_builder.cpp", "compress/source/source_model.cpp")),
    ("architecture", r"\bkGpt2\b", ("compress/source/architectures/gpt2.cpp",),
     ("compress/source/architectures.cpp", "formats/gguf/gguf_names.cpp"), 2, ()),
    ("encoding", r"\bValueType::int4\b|\bint4 = 4\b|\bkInt4\b", ("formats/artifact/values/int4.cpp",),
     ("formats/artifact/values/value_codec.h", "formats/artifact/values/value_codec.cpp"), 2,
     ("runtime/cuda/packing.cpp",)),
    ("kernel", r"\bkLinearInt4Avx2\b", ("runtime/cpu/kernels/avx2/linear_integer.cpp",),
     ("runtime/cpu/kernels/registry.cpp",), 1, ()),
    ("source format", r"\bopen_gguf_source\b", ("formats/gguf/gguf_source.h", "formats/gguf/gguf_source.cpp"),
     ("formats/source.cpp",), 1, ()),
    ("export", r"\bexport_gguf\(|\bExportFormat::gguf\b", ("compress/export/gguf/export_gguf.h",
                                                           "compress/export/gguf/export_gguf.cpp"),
     ("cli/commands/export_command.cpp",), 1, ()),
    ("task of eval", r"\bkStsEval\b", ("compress/evaluation/sts.cpp",),
     ("compress/evaluation/eval_task.h", "compress/evaluation/eval_task.cpp"), 2, ()),
    ("option", r"\bweight[_-]decay\b", (),
     ("compress/training/training_recipe.h", "compress/training/training_recipe.cpp"), 2,
     ("compress/training/torch/adamw.h", "compress/training/torch/adamw.cpp", "compress/training/torch/distillation.cpp")),
    ("subcommand", r"\bbench_command\b", ("cli/commands/bench_command.cpp",), ("cli/commands.cpp",), 1, ()),
    ("executor", r"\bcpu::make_executor\b", (), ("runtime/executor.cpp",), 1, ()),
)


def main() -> None:
    sources = tree.files(folders=("formats", "runtime", "compress", "cli"), suffixes=(".cpp", ".h", ".c", ".cu"))
    faults = []
    for kind, member, own, places, most, others in KINDS:
        found = {str(path) for path in sources if re.search(member, tree.text(path))}
        expected = {*own, *places, *others}
        faults += [f"{kind}: {path} names {member}: one more place to edit?" for path in sorted(found - expected)]
        faults += [f"{kind}: {path} does not name {member} any more" for path in sorted(expected - found)]
        if len(places) > most:
            faults.append(f"{kind}: {len(places)} places to edit, at most {most}")
        documented = tree.text(tree.root() / "docs/adding.md")
        faults += [f"docs/adding.md does not name {place}, to be edited for a new {kind}" for place in places
                   if place not in documented]
    tree.finish(len(KINDS), faults, least=8)


main()
