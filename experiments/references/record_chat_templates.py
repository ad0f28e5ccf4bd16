#!/usr/bin/env python3
"""Records what transformers makes of the chat templates of tests/data/chat, as references of the template interpreter. Run
by hand when a template, a conversation or a snippet is added; needs transformers and jinja2:
  record_chat_templates.py TESTS_DATA_FOLDER/chat

The folder has templates (*.jinja), and small ones in snippets.json. It gets
  conversations.json  the conversations, and the variables that templates may name
  templates.json      for each template, by its name: what each conversation gives, {"text": ...} or {"error": ...}
  snippets.json       each {"template": ...} anew, with "text" or "error" of the first conversation
Errors are the messages of Jinja; the tests look only at whether there is one, and at the message of raise_exception.
"""

import datetime
import json
import pathlib
import sys

from transformers.utils import chat_template_utils

NOW = datetime.datetime(2024, 7, 6, 15, 4, 5)
VARIABLES = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}
CONVERSATIONS = {
    "system and user": [("system", "You rhyme."), ("user", "Hello there!")],
    "user": [("user", "What is 1 + 1?")],
    "several turns": [("system", " Be kind.\n"), ("user", "One"), ("assistant", "Two"), ("user", " Three\n")],
    "ends with the assistant": [("user", "Say it."), ("assistant", "It.")],
    "thinking": [("user", "Why?"), ("assistant", "<think>\nBecause of it.\n</think>\n\nBecause."), ("user", "And?")],
    "thought last": [("user", "Why?"), ("assistant", "<think>\nA.\n</think>\n\nB.\n")],
    "empty content": [("system", ""), ("user", "")],
    "unicode": [("system", "Ünïcode 中文\u3000"), ("user", "\u00a0caf\u00e9 \U0001F600 \u2028 x")],
    "white space": [("user", "\n\t  a  b \r\n c \n")],
    "markers": [("user", "{{ x }} {% if %} <|im_end|> \\n 'q' \"d\" & <b>")],
    "two users": [("user", "a"), ("user", "b")],
    "assistant first": [("assistant", "a"), ("user", "b")],
    "system later": [("user", "a"), ("system", "/no_think"), ("user", "b")],
    "another role": [("user", "a"), ("tool", "b"), ("tool", "c"), ("user", "<tool_response>d</tool_response>")],
    "modes": [("system", "Count. /no_think"), ("user", "a"), ("assistant", "b"), ("user", "c")],
}


def render(template: str, messages: list, add_generation_prompt: bool) -> dict:
    """As PreTrainedTokenizer.apply_chat_template does, with the clock stopped."""
    try:
        compiled = chat_template_utils._compile_jinja_template(template)
        compiled.environment.globals["strftime_now"] = compiled.globals["strftime_now"] = NOW.strftime
        text = compiled.render(messages=messages, tools=None, documents=None,
                               add_generation_prompt=add_generation_prompt, **VARIABLES)
        text.encode("utf8")
        return {"text": text}
    except Exception as error:  # of Jinja, or of Python inside it
        return {"error": f"{type(error).__name__}: {error}"}


def conversations() -> list:
    rows = [{"name": name, "messages": [dict(role=role, content=content) for role, content in turns],
             "add_generation_prompt": True} for name, turns in CONVERSATIONS.items()]
    return rows + [dict(row, add_generation_prompt=False) for row in rows[2:4]]


def write(path: pathlib.Path, value) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n", encoding="utf8")


def main() -> None:
    folder = pathlib.Path(sys.argv[1])
    rows = conversations()
    write(folder / "conversations.json", {"now": [NOW.year, NOW.month, NOW.day, NOW.hour, NOW.minute, NOW.second],
                                          "variables": VARIABLES, "conversations": rows})
    templates = {}
    for path in sorted(folder.glob("*.jinja")):
        source = path.read_bytes().decode("utf8")
        templates[path.stem] = [render(source, row["messages"], row["add_generation_prompt"]) for row in rows]
    write(folder / "templates.json", templates)
    snippets = [row["template"] for row in json.loads((folder / "snippets.json").read_text(encoding="utf8"))]
    write(folder / "snippets.json", [{"template": one, **render(one, rows[0]["messages"], True)} for one in snippets])


main()
