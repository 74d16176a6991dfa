#!/usr/bin/env python3
"""Runs every test of the command line tool: run.py BUILD_DIR. Closes with "N passed, N failed, N skipped"."""
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    tool = os.path.join(os.path.abspath(sys.argv[1]), "smidgen")
    if not os.path.exists(tool):
        sys.exit(f"there is no {tool}: build it first")
    total = [0, 0, 0]
    for name in sorted(n for n in os.listdir(HERE) if n.startswith("test_") and n.endswith(".py")):
        print(f"--- {name}", flush=True)
        done = subprocess.run([sys.executable, os.path.join(HERE, name)], env=dict(os.environ, SMIDGEN=tool),
                              stdout=subprocess.PIPE, text=True)
        print(done.stdout, end="", flush=True)
        counted = re.findall(r"^(\d+) passed, (\d+) failed, (\d+) skipped$", done.stdout, re.M)
        counts = [int(n) for n in counted[-1]] if counted else [0, 1, 0]
        total = [a + b for a, b in zip(total, counts)]
    print(f"{total[0]} passed, {total[1]} failed, {total[2]} skipped")
    sys.exit(1 if total[1] or not total[0] else 0)


main()
