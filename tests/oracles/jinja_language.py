#!/usr/bin/env python3
"""Writes tests/data/templates/language.json: the templates of language_cases.txt and what Python's jinja2
makes of them, in the environment in which transformers renders chat templates (sandboxed, trim_blocks,
lstrip_blocks, loop controls, its own tojson).

    pip install jinja2==3.1.6 && tests/oracles/jinja_language.py [--check]

--check compares instead of writing, and also renders every case of expected.json (jinja_oracle.mjs) with
jinja2. A case whose template fails in jinja2 has "error": true; the C interpreter must refuse it too."""
import json
import os
import sys

import jinja2
from jinja2.ext import Extension, loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data")
FOLDER = os.path.join(DATA, "templates")
PATH = os.path.join(FOLDER, "language.json")


class Generation(Extension):
    """transformers marks the assistant's part with this tag; it only renders its body."""
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.Scope(body).set_lineno(line)


def environment():
    def raise_exception(message):
        raise jinja2.exceptions.TemplateError(message)

    def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators,
                          sort_keys=sort_keys)

    extensions = [loopcontrols, Generation]
    env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=extensions)
    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    return env


def cases():
    with open(os.path.join(FOLDER, "language_cases.txt"), encoding="utf-8", newline="") as f:
        for line in f.read().split("\n")[:-1]:
            if not line.startswith("# "):
                yield json.loads(line) if line.startswith('"') else line


def render(env, template, variables):
    try:
        return {"text": env.from_string(template).render(**variables)}
    except Exception:  # a template may fail with any exception of Python
        return {"error": True}


def check_published(env):
    """Both oracles must agree on the templates of published style."""
    with open(os.path.join(FOLDER, "expected.json"), encoding="utf-8") as f:
        expected = json.load(f)
    for case in expected["cases"]:
        name = case["template"]
        if name.startswith("real_llm/"):
            with open(os.path.join(DATA, name, "model.json"), encoding="utf-8") as f:
                source = json.load(f)["chat_template"]
        else:
            with open(os.path.join(FOLDER, name + ".jinja"), encoding="utf-8", newline="") as f:
                source = f.read()
        try:
            variables = json.loads(expected["inputs"][case["input"]])
            text, error = env.from_string(source).render(**variables), None
        except jinja2.exceptions.TemplateError as failure:
            text, error = None, str(failure)
        if text != case.get("text") or error != case.get("error"):
            sys.exit(f"{name} with {case['input']}: jinja2 and the other oracle disagree")


def main():
    env = environment()
    with open(os.path.join(FOLDER, "language_variables.json"), encoding="utf-8") as f:
        variables = json.load(f)
    rows = [dict(template=t, **render(env, t, variables)) for t in cases()]
    document = {"variables": json.dumps(variables, ensure_ascii=False), "cases": rows}
    text = json.dumps(document, ensure_ascii=False, indent=1) + "\n"
    if "--check" in sys.argv[1:]:
        with open(PATH, encoding="utf-8", newline="") as f:
            if f.read() != text:
                sys.exit("tests/data/templates/language.json is not what this script writes")
        check_published(env)
        return
    with open(PATH, "w", encoding="utf-8", newline="") as f:
        f.write(text)


if __name__ == "__main__":
    main()
