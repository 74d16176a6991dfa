#!/usr/bin/env python3
"""Compiles, runs and checks what the documentation shows: run_snippets.py BUILD_FOLDER [--only TEXT]

Covers every Markdown file of the repository. The words after ``` say what a block is:
  c                    a whole C file: compiled against include/ with warnings as errors
  c run                also linked and run; it must exit with 0
  c run model=NAME     run with the path of that model as its argument; skipped where $SMIDGEN_MODELS lacks it
  c internal           compiled with src/ on the include path
  c excerpt=PATH       must stand in that file, word for word (spacing does not count)
  sh                   shown only; but every `make TARGET` in it must be a target of the Makefile
  sh run [model=NAME]  lines that begin with "$ " are run in the root of the repository, with the build folder
                       first in PATH; the lines below a command are its output, "..." stands for any text
  json                 must be JSON
  text, others         shown only
Links to files of the repository must lead to something.
"""
import argparse
import json
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SKIPPED = {".git", ".deps", "build", "node_modules", "samples", "data", "corpus"}
WARNINGS = ["-std=c17", "-Wall", "-Wextra", "-Werror", "-Wno-unused-function"]


class Failure(Exception):
    """A snippet that does not do what the documentation says."""


class Skip(Exception):
    """A snippet that needs what this machine lacks."""


class Block:
    def __init__(self, path, line, words, text):
        self.path, self.line, self.words, self.text = path, line, words, text
        self.options = dict(word.split("=", 1) for word in words if "=" in word)

    def name(self):
        return f"{self.path}:{self.line}"


def markdown_files():
    for folder, subfolders, names in os.walk(ROOT):
        subfolders[:] = sorted(set(subfolders) - SKIPPED)
        for name in sorted(names):
            if name.endswith(".md"):
                yield os.path.relpath(os.path.join(folder, name), ROOT)


def blocks_of(path, text):
    """Fenced blocks of a Markdown text."""
    blocks, start, words, held = [], None, [], []
    for number, line in enumerate(text.split("\n"), 1):
        fence = re.match(r"\s*```(.*)$", line)
        if fence and start is None:
            start, words, held = number, fence.group(1).split(), []
        elif fence:
            blocks.append(Block(path, start, words, "\n".join(held) + "\n"))
            start = None
        elif start is not None:
            held.append(line)
    if start is not None:
        raise Failure(f"{path}:{start}: the block is not closed")
    return blocks


def shell(command, **options):
    return subprocess.run(command, capture_output=True, text=True, errors="replace", check=False, timeout=300,
                          **options)


def model_path(block):
    """Path of the model that the block asks for, or None where it asks for none."""
    name = block.options.get("model")
    if name is None:
        return None
    path = os.path.join(os.environ.get("SMIDGEN_MODELS", ""), name + ".gguf")
    if not os.path.isfile(path):
        raise Skip(f"no {name}.gguf in $SMIDGEN_MODELS")
    return path


def check_c(block, build, scratch):
    if "excerpt" in block.options:
        path = block.options["excerpt"]
        with open(os.path.join(ROOT, path), encoding="utf-8") as file:
            if " ".join(block.text.split()) not in " ".join(file.read().split()):
                raise Failure(f"does not stand so in {path}")
        return
    source = os.path.join(scratch, "snippet.c")
    program = os.path.join(scratch, "snippet")
    with open(source, "w", encoding="utf-8") as file:
        file.write(block.text)
    folders = ["-I" + os.path.join(ROOT, "include")]
    if "internal" in block.words:
        folders.append("-I" + os.path.join(ROOT, "src"))
    command = ["cc", *WARNINGS, *folders, source]
    if "run" not in block.words:
        result = shell([*command, "-c", "-o", program + ".o"])
        if result.returncode:
            raise Failure(result.stderr)
        return
    package = os.path.join(build, "smidgen.pc")
    libraries = shell(["pkg-config", "--static", "--libs-only-l", package]).stdout.split()
    libraries = [name for name in libraries if name != "-lsmidgen"]
    result = shell([*command, "-o", program, os.path.join(build, "libsmidgen.a"), *libraries, "-pthread"])
    if result.returncode:
        raise Failure(result.stderr)
    model = model_path(block)
    result = shell([program] + ([model] if model else []), cwd=scratch)
    if result.returncode:
        raise Failure(f"exit status {result.returncode}\n{result.stdout}{result.stderr}")


def transcript_of(text):
    """(command, expected output) pairs of a block in which commands begin with "$ "."""
    pairs = []
    for line in text.rstrip("\n").split("\n"):
        if line.startswith("$ "):
            pairs.append([line[2:], []])
        elif pairs and pairs[-1][0].endswith("\\") and not pairs[-1][1]:
            pairs[-1][0] += "\n" + line
        elif pairs:
            pairs[-1][1].append(line)
        else:
            raise Failure("a block that is run begins with a line \"$ command\"")
    return pairs


def matches(expected, actual):
    """Whether the output is as shown: "..." stands for any text, trailing blanks do not count."""
    def clean(lines):
        return "\n".join(line.rstrip() for line in lines).strip()
    pattern = ".*?".join(re.escape(part) for part in clean(expected).split("..."))
    return re.fullmatch(pattern, clean(actual.split("\n")), re.S) is not None


def check_sh(block, build):
    if "run" not in block.words:
        check_make_targets(block)
        return
    model_path(block)
    for command, expected in transcript_of(block.text):
        environment = {**os.environ, "PATH": build + os.pathsep + os.environ["PATH"], "NO_COLOR": "1"}
        result = shell(["sh", "-c", command + "\n"], cwd=ROOT, env=environment, stdin=subprocess.DEVNULL)
        if result.returncode:
            raise Failure(f"{command}: exit status {result.returncode}\n{result.stdout}{result.stderr}")
        if not matches(expected, result.stdout):
            raise Failure(f"{command}: prints\n{result.stdout}")


def check_make_targets(block):
    with open(os.path.join(ROOT, "Makefile"), encoding="utf-8") as file:
        targets = set(re.findall(r"^([a-z-]+):", file.read(), re.M))
    for words in re.findall(r"(?:^|&& |sudo )make((?: [\w-]+)*)", block.text, re.M):
        for word in words.split():
            if re.fullmatch(r"[a-z-]+", word) and word not in targets:
                raise Failure(f"the Makefile has no target {word}")


def check_block(block, build):
    language = block.words[0] if block.words else ""
    if language == "c":
        with tempfile.TemporaryDirectory() as scratch:
            check_c(block, build, scratch)
    elif language == "sh":
        check_sh(block, build)
    elif language == "json":
        try:
            json.loads(block.text)
        except ValueError as error:
            raise Failure(f"not JSON: {error}") from error


def check_links(path, text):
    """Relative links lead to files; links inside fenced blocks do not count."""
    prose = re.sub(r"^\s*```.*?^\s*```", "", text, flags=re.S | re.M)
    prose = re.sub(r"`[^`\n]*`", "", prose)
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", prose):
        if not re.match(r"[a-z]+:", target) \
                and not os.path.exists(os.path.join(ROOT, os.path.dirname(path), target)):
            raise Failure(f"link to {target} leads nowhere")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build")
    parser.add_argument("--only", default="", metavar="TEXT", help="blocks whose file contains TEXT")
    arguments = parser.parse_args()
    build = os.path.abspath(arguments.build)
    counts = {"passed": 0, "failed": 0, "skipped": 0}

    def attempt(name, check, *values):
        try:
            check(*values)
            counts["passed"] += 1
        except Skip as reason:
            counts["skipped"] += 1
            print(f"SKIP {name}: {reason}")
        except (Failure, subprocess.TimeoutExpired, OSError) as error:
            counts["failed"] += 1
            print(f"FAIL {name}: {error}")

    for path in markdown_files():
        if arguments.only not in path:
            continue
        with open(os.path.join(ROOT, path), encoding="utf-8") as file:
            text = file.read()
        attempt(f"{path}: links", check_links, path, text)
        try:
            blocks = blocks_of(path, text)
        except Failure as error:
            counts["failed"] += 1
            print(f"FAIL {error}")
            continue
        for block in blocks:
            attempt(block.name(), check_block, block, build)
    print(f"{counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped")
    return 1 if counts["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
