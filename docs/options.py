#!/usr/bin/env python3
"""Writes the lists of commands and options in docs/cli.md: python3 docs/options.py build/release/bin/compress [--check]

The tables of options stand between "<!-- options of COMMAND -->" and "<!-- end of options -->" and say what COMMAND --help says.
With --check nothing is written, and a table that differs is an error."""

import pathlib
import re
import subprocess
import sys

PAGE = pathlib.Path(__file__).with_name("cli.md")
BLOCK = re.compile(r"(<!-- options of (compress[a-z ]*) -->\n).*?(<!-- end of options -->\n)", re.DOTALL)
COMMANDS = re.compile(r"(<!-- commands -->\n).*?(<!-- end of commands -->\n)", re.DOTALL)
OPTION = re.compile(r"  (?:-(?P<letter>\w), |    )--(?P<name>[a-z0-9-]+)(?: (?P<meta>\S+))?(?:\s{2,}(?P<help>\S.*))?$")
HELP_COLUMN = " " * 30


def sections(text: str):
    """Yields (heading, [(option, help)]) of the text of a --help."""
    heading, options = None, []
    for line in text.splitlines():
        option = OPTION.match(line)
        if line.endswith(":") and not line.startswith(" "):
            if options:
                yield heading, options
            heading, options = line[:-1], []
        elif heading is not None and option:
            names = f"`--{option['name']}" + (f" {option['meta']}`" if option["meta"] else "`")
            if option["letter"]:
                names += f", `-{option['letter']}`"
            options.append([names, option["help"] or ""])
        elif options and line.startswith(HELP_COLUMN):
            options[-1][1] = f"{options[-1][1]} {line.strip()}".strip()
    if options:
        yield heading, options


def tables(compress: str, command: str) -> str:
    run = subprocess.run([compress, *command.split()[1:], "--help"], capture_output=True, text=True, check=True)
    text = run.stdout[run.stdout.index(f"Usage: {command}"):]
    out = ""
    for heading, options in sections(text):
        rows = [row for row in options if not row[0].startswith("`--help`")]
        if not rows:
            continue
        out += f"\n| {heading} | |\n|---|---|\n"
        out += "".join("| " + " | ".join(cell.replace("|", r"\|") for cell in row) + " |\n" for row in rows)
    return out + "\n"


def command_list(compress: str) -> str:
    text = subprocess.run([compress, "--help"], capture_output=True, text=True, check=True).stdout
    lines = text[: text.index("Usage:")].splitlines()
    rows = [re.split(r"\s{2,}", line.strip(), maxsplit=1) for line in lines if line.startswith("  compress ")]
    return "\n| command | |\n|---|---|\n" + "".join(f"| `{name}` | {summary} |\n" for name, summary in rows) + "\n"


def main() -> int:
    compress, check = sys.argv[1], "--check" in sys.argv[2:]
    old = PAGE.read_text(encoding="utf-8")
    new = BLOCK.sub(lambda block: block[1] + tables(compress, block[2]) + block[3], old)
    new = COMMANDS.sub(lambda block: block[1] + command_list(compress) + block[2], new)
    if len(BLOCK.findall(old)) < 2:
        sys.exit(f"{PAGE}: there are no tables of options to compare")
    if check and new != old:
        ours, theirs = old.splitlines(), new.splitlines()
        line = next((i for i, pair in enumerate(zip(ours, theirs)) if pair[0] != pair[1]), min(len(ours), len(theirs)))
        sys.exit(f"{PAGE}:{line + 1}: differs from --help: run python3 docs/options.py {compress}")
    if not check:
        PAGE.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
