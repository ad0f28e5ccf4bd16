#!/usr/bin/env python3
"""schemas.py COMMAND [training] [hdf5]: what the commands write with --json, and report.json, is what docs/schemas/ says.

Every command runs on tiny models and its real output is validated. A command without a schema is a fault, and so is a
property of a schema that no output has, one without a description, and an object that may hold other properties. With
the words `training` and `hdf5` the commands that need these modules run too; without `training`, properties that no
output has are not looked for. Needs python3-jsonschema of Debian."""

import json
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile

import jsonschema

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SCHEMAS = {path.name: json.loads(path.read_text()) for path in sorted((ROOT / "docs/schemas").glob("*.schema.json"))}
NOT_A_COMMAND = {"facts", "report", "plan", "error"}


# Written only where a machine has such a device.
NEEDS_CUDA_DEVICE = {("facts.schema.json", "/$defs/recipe/properties/calibration_device")}


def children(schema: dict) -> list[tuple[str, dict]]:
    """The schemas inside one, each with its place in it."""
    found = [(f"{key}/{name}", inner) for key in ("properties", "$defs") for name, inner in schema.get(key, {}).items()]
    found += [(f"{key}/{i}", inner) for key in ("anyOf", "oneOf", "allOf") for i, inner in enumerate(schema.get(key, []))]
    found += [(key, schema[key]) for key in ("items", "additionalProperties") if isinstance(schema.get(key), dict)]
    return found


def resolve(reference: str, file: str) -> tuple[str, str, dict]:
    """File, place and schema that a $ref of `file` points to."""
    name, _, pointer = reference.partition("#")
    schema = SCHEMAS[name or file]
    place = pointer.strip("/")
    for step in filter(None, place.split("/")):
        schema = schema[step]
    return name or file, place and f"/{place}", schema


def validator(schema: dict, file: str) -> jsonschema.Draft202012Validator:
    resolver = jsonschema.RefResolver(base_uri=file, referrer=SCHEMAS[file], store=dict(SCHEMAS))
    return jsonschema.Draft202012Validator(schema, resolver=resolver)


class Checker:
    """Validates outputs, and remembers which properties they had."""

    def __init__(self) -> None:
        self.seen: set[tuple[str, str]] = set()
        self.used: set[str] = set()
        self.faults: list[str] = []
        self.checked = 0

    def check(self, name: str, text: str, what: str) -> dict:
        file = f"{name}.schema.json"
        self.checked += 1
        if file not in SCHEMAS:
            self.faults.append(f"{what}: docs/schemas/{file} is missing")
            return {}
        if not text.endswith("\n") or text.endswith("\n\n"):
            self.faults.append(f"{what}: does not end in exactly one line end")
        value = json.loads(text)
        for error in validator(SCHEMAS[file], file).iter_errors(value):
            error = jsonschema.exceptions.best_match([error])  # of anyOf, what keeps the nearest branch from fitting
            self.faults.append(f"{what}: {error.json_path}: {error.message[:300]}")
        self.used.add(file)
        self.walk(file, "", SCHEMAS[file], value)
        return value

    def walk(self, file: str, place: str, schema: dict, value) -> None:
        if "$ref" in schema:
            target, target_place, inner = resolve(schema["$ref"], file)
            self.used.add(target)
            self.walk(target, target_place, inner, value)
        for at, inner in children(schema):
            kind, _, name = at.partition("/")
            if kind == "properties" and isinstance(value, dict) and name in value:
                self.seen.add((file, f"{place}/{at}"))
                self.walk(file, f"{place}/{at}", inner, value[name])
            elif kind == "items" and isinstance(value, list):
                for item in value:
                    self.walk(file, f"{place}/{at}", inner, item)
            elif kind in ("anyOf", "oneOf", "allOf") and validator(inner, file).is_valid(value):
                self.walk(file, f"{place}/{at}", inner, value)


def schema_faults(file: str, schema: dict, place: str = "") -> list[str]:
    """Objects say all that they may hold, and each property has a sentence."""
    faults = []
    if "properties" in schema and "additionalProperties" not in schema:
        faults.append(f"{file}: {place or '/'}: does not say additionalProperties")
    if re.search(r"properties/[^/]+$", place) and not schema.get("description", "").endswith("."):
        faults.append(f"{file}: {place}: has no description that is a sentence")
    for at, inner in children(schema):
        faults += schema_faults(file, inner, f"{place}/{at}")
    return faults


def properties(schema: dict, place: str = "") -> list[str]:
    found = []
    for at, inner in children(schema):
        found += [f"{place}/{at}"] if at.startswith("properties/") else []
        found += properties(inner, f"{place}/{at}")
    return found


def copy_with_dead_neuron(source: pathlib.Path, target: pathlib.Path) -> None:
    """A copy of a model with ReLU in which one neuron of each layer is never active, which is a fallback."""
    shutil.copytree(source, target)
    path = target / "model.safetensors"
    data = bytearray(path.read_bytes())
    (length,) = struct.unpack_from("<Q", data)
    for name, tensor in json.loads(data[8:8 + length]).items():
        if name.endswith("intermediate.dense.bias"):
            assert tensor["dtype"] == "F32"
            struct.pack_into("<f", data, 8 + length + tensor["data_offsets"][0], -1e6)
    path.write_bytes(data)


class Models:
    """Tiny models, texts and the artifacts that are made of them."""

    def __init__(self, command: str, folder: pathlib.Path, checker: Checker) -> None:
        self.command = command
        self.folder = folder
        self.checker = checker
        data = ROOT / "tests/data"
        self.encoder = data / "bert_tiny"
        self.dead = folder / "dead"
        copy_with_dead_neuron(data / "bert_relu", self.dead)
        self.classifier = data / "bert_classifier"
        self.decoder = folder / "decoder"
        shutil.copytree(data / "decoders/llama", self.decoder)
        for name in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copy(data / "decoders" / name, self.decoder)
        words = [f"w{i} w{i + 1} w{i + 2} w{i + 3}" for i in range(5, 25)]
        self.texts = self.write("texts.txt", words + [f"{line} w30 w{i + 5}" for i, line in enumerate(words)] +
                                [f"w{i} {line}" for i in (7, 9, 12) for line in words])
        self.sts = self.write("sts.tsv", [f"{a}\t{b}\t{i % 5}" for i, (a, b) in enumerate(zip(words, words[1:]))])
        self.labelled = self.write("cls.tsv", [f"{w}\t{('bad', 'so so', 'good')[i % 3]}" for i, w in enumerate(words)])
        self.two = self.write("two.tsv", [f"{w} w{25 + i % 2}\t{('no', 'yes')[i % 2]}"
                                          for i, w in enumerate(words + [f"w{j} {w}" for j in (30, 31, 32) for w in words])])
        self.two_proof = self.write("two_proof.tsv", [f"w9 {w}\t{('no', 'yes')[i % 2]}" for i, w in enumerate(words)])
        self.prose = self.write("prose.txt", ["The sun is over the river and the house by the trees."] * 40)

    def write(self, name: str, lines: list[str]) -> pathlib.Path:
        path = self.folder / name
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    def path(self, name: str) -> pathlib.Path:
        return self.folder / name

    def run(self, schema: str, *arguments, codes=(0,)) -> dict:
        words = [] if schema in ("compress", "plan", "error") else [schema]
        words += [str(argument) for argument in arguments] + ["--json", "--quiet"]
        done = subprocess.run([self.command, *words], capture_output=True, text=True, check=False)
        what = "compress " + " ".join(words).replace(str(self.folder) + "/", "")
        if done.returncode not in codes:
            self.checker.faults.append(f"{what}: exit code {done.returncode}: {done.stderr.strip()[-300:]}")
            return {}
        return self.checker.check(schema, done.stdout, what)


def run_compressions(m: Models) -> None:
    encoder, classifier, decoder = (m.path(name) for name in ("encoder.lathe", "classifier.lathe", "decoder.lathe"))
    m.run("plan", m.encoder, "--quant", "int8", "--low-rank", 4, "--dry-run")
    m.run("plan", m.encoder, "--quant", "int8", "--recover", "blocks", "--dry-run")
    m.run("compress", m.encoder, "-o", m.path("plain.lathe"), "--no-bench")
    m.run("compress", m.encoder, "-o", encoder, "--quant", "int8", "--prune", 0.5, "--calibrate", m.texts, "--eval",
          f"sts:{m.sts}", "--max-size", "10MB", "--max-drop", 1, "--min-speedup", 0.001, "--layer", "re:.*query.*=int4",
          "--input-bits", 16, "--report", m.path("report"))
    m.run("compress", m.encoder, "-o", m.path("small.lathe"), "--quant", "int8", "--student", "layers=1", "--low-rank",
          4, "--no-bench", "--max-size", "1B", codes=(2,))
    m.run("compress", m.dead, "-o", m.path("dead.lathe"), "--quant", "int4", "--no-bench")
    m.run("compress", m.classifier, "-o", classifier, "--quant", "int8", "--eval", f"cls:{m.labelled}", "--no-bench")
    m.run("compress", m.decoder, "-o", m.path("original.lathe"), "--no-bench")
    m.run("compress", m.decoder, "-o", decoder, "--quant", "int8", "--eval", f"lm:{m.prose}", "--context", 32)
    report = m.path("report/report.json")
    text = report.read_text(encoding="utf-8") if report.is_file() else "{}"
    m.checker.check("report", text, "report.json")


def run_commands(m: Models) -> None:
    encoder, classifier, decoder, plain, original = (m.path(name + ".lathe") for name in (
        "encoder", "classifier", "decoder", "plain", "original"))
    for artifact in (encoder, classifier, decoder, m.path("dead.lathe")):
        m.run("inspect", artifact, "--tensors")
        m.run("verify", artifact)
    m.run("inspect", encoder)
    m.run("inspect", m.encoder)
    m.run("run", encoder, "--text", "w5 w6", "--text", "w7")
    m.run("run", classifier, "--text", "w5 w6")
    m.run("run", decoder, "--prompt", "the sun", "--tokens", 3)
    m.run("eval", encoder, "--eval", f"sts:{m.sts}", "--against", plain)
    m.run("eval", classifier, "--eval", f"cls:{m.labelled}", "--against", classifier)
    m.run("eval", decoder, "--eval", f"lm:{m.prose}", "--context", 32, "--against", original)
    m.run("bench", encoder, "--batch", 1, "--length", 8, "--runs", 2)
    m.run("bench", decoder, "--prompt", 8, "--generate", 4, "--depth", 4, "--runs", 2)
    m.run("compare", plain, encoder, "--eval", f"sts:{m.sts}", "--batch", 1, "--length", 8, "--runs", 2)
    m.run("compare", original, decoder, "--eval", f"lm:{m.prose}", "--context", 32, "--no-speed")
    m.run("export", decoder, "-o", m.path("decoder.gguf"))
    m.run("export", encoder, "--to", "onnx", "-o", m.path("encoder.onnx"))
    m.run("error", "inspect", m.path("nothing.lathe"), codes=(66,))


def run_hdf5(m: Models) -> None:
    m.run("export", m.path("encoder.lathe"), "--to", "hdf5", "-o", m.path("encoder.h5"))
    m.run("inspect", m.path("encoder.h5"))


def run_trainings(m: Models) -> None:
    trained = m.path("trained.lathe")
    short = ("--no-bench", "--threads", 1)
    m.run("compress", m.encoder, "-o", trained, "--quant", "int8", "--calibrate", m.texts, "--recover", "blocks",
          *short)
    m.run("compress", m.encoder, "-o", trained, "--quant", "int8", "--distill", m.texts, "--steps", 2, "--batch", 4,
          "--train", "adapters", "--device", "cpu", *short)
    m.run("inspect", trained)
    m.run("compress", m.encoder, "-o", trained, "--quant", "int8", "--distill", m.texts, "--minutes", 0.01, "--batch", 4,
          *short)
    m.run("train", m.encoder, "--data", f"cls:{m.two}", "-o", m.path("tuned"), "--eval", f"cls:{m.two_proof}", "--steps",
          2, "--threads", 1)
    m.run("compress", m.path("tuned"), "-o", m.path("two.lathe"), "--quant", "int8", "--eval", f"cls:{m.two_proof}",
          "--no-bench")


def check_commands(m: Models) -> None:
    """Each command of the overview has a schema, and each schema is of a command."""
    text = subprocess.run([m.command, "--help"], capture_output=True, text=True, check=True).stdout
    commands = set(re.findall(r"^  compress ([a-z]+) ", text, re.MULTILINE)) | {"compress"}
    schemas = {name.removesuffix(".schema.json") for name in SCHEMAS}
    m.checker.faults += [f"docs/schemas/{name}.schema.json is missing" for name in sorted(commands - schemas)]
    m.checker.faults += [f"docs/schemas/{name}.schema.json: there is no such command"
                         for name in sorted(schemas - commands - NOT_A_COMMAND)]
    text = (ROOT / "docs/cli.md").read_text(encoding="utf-8")
    m.checker.faults += [f"docs/cli.md does not name {name}" for name in SCHEMAS if name not in text]


def main() -> None:
    command, *words = sys.argv[1:]
    checker = Checker()
    with tempfile.TemporaryDirectory() as folder:
        models = Models(command, pathlib.Path(folder), checker)
        check_commands(models)
        run_compressions(models)
        run_commands(models)
        if "hdf5" in words:
            run_hdf5(models)
        if "training" in words:
            run_trainings(models)
    for file, schema in SCHEMAS.items():
        jsonschema.Draft202012Validator.check_schema(schema)
        checker.faults += schema_faults(file, schema)
        unseen = [place for place in properties(schema)
                  if (file, place) not in checker.seen and (file, place) not in NEEDS_CUDA_DEVICE]
        if "training" in words:
            checker.faults += [f"{file}: {place}: no output has it" for place in unseen]
    for fault in checker.faults:
        print(fault)
    print(f"{checker.checked} outputs checked, {len(checker.faults)} faults")
    sys.exit(1 if checker.faults or checker.checked < 20 else 0)


main()
