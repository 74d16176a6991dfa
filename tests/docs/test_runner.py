#!/usr/bin/env python3
"""run_snippets.py must refuse each of these blocks and accept each of those: test_runner.py BUILD_FOLDER"""
import importlib.util
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
spec = importlib.util.spec_from_file_location("run_snippets", os.path.join(HERE, "run_snippets.py"))
run_snippets = importlib.util.module_from_spec(spec)
spec.loader.exec_module(run_snippets)

GOOD = {
    "a file that compiles":
        "```c\n#include <smidgen.h>\nint f(void);\nint f(void) { return SMIDGEN_PENDING; }\n```",
    "a program that runs": "```c run\nint main(void) { return 0; }\n```",
    "an excerpt": "```c excerpt=include/smidgen.h\nSMIDGEN_API   const char *smidgen_version(void);\n```",
    "a target": "```sh\nmake test # and make nothing\n```",
    "a transcript": "```sh run\n$ printf 'one\\ntwo\\n'\none\ntwo\n$ true\n```",
    "a transcript with a gap": "```sh run\n$ echo took 12 ms, fine\ntook ... fine\n```",
    "JSON": "```json\n{\"a\": [1, 2]}\n```",
    "a link": "[readme](README.md) and [elsewhere](https://example.org)",
}
BAD = {
    "a file that does not compile": "```c\nint f(void) { return smidgen_unknown; }\n```",
    "a file with a warning": "```c\nint f(int x);\nint f(int x) { int y; return x; }\n```",
    "a program that fails": "```c run\nint main(void) { return 3; }\n```",
    "an excerpt that changed": "```c excerpt=include/smidgen.h\nconst char *smidgen_edition(void);\n```",
    "an unknown target": "```sh\nmake coffee\n```",
    "output that differs": "```sh run\n$ echo two\none\n```",
    "output that is missing": "```sh run\n$ echo two\n```",
    "output that goes on": "```sh run\n$ printf 'one\\ntwo\\n'\none\n```",
    "a command that fails": "```sh run\n$ false\n```",
    "a transcript without a command": "```sh run\necho one\n```",
    "no JSON": "```json\n{\"a\": }\n```",
    "an open block": "```c\nint x;\n",
    "a link to nowhere": "[gone](no/such/file.md)",
}


def accepts(text, build):
    try:
        run_snippets.check_links("README.md", text)
        for block in run_snippets.blocks_of("README.md", text):
            run_snippets.check_block(block, build)
    except run_snippets.Failure:
        return False
    return True


def main():
    build = os.path.abspath(sys.argv[1])
    wrong = [name for name, text in GOOD.items() if not accepts(text, build)]
    wrong += [name for name, text in BAD.items() if accepts(text, build)]
    for name in wrong:
        print(f"FAIL {name}")
    print(f"{len(GOOD) + len(BAD) - len(wrong)} passed, {len(wrong)} failed")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
