#!/usr/bin/env python3
"""tools/style must find in each folder of samples/ exactly what the folder's file `expected` lists, and each
finding must say what to do. A rule that no sample breaks is a failure too."""
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
STYLE = os.path.join(HERE, "..", "..", "tools", "style")
RULES = {"floors", "platform", "file length", "function length", "line length", "#if in a function",
         "banned call", "README", "trailing whitespace", "tab", "end of file", "global state"}


def findings_of(folder):
    """(findings as "file:line: rule", exit status); a finding without advice raises."""
    result = subprocess.run([sys.executable, STYLE, "--root", folder], capture_output=True, text=True,
                            check=False)
    rows = []
    for line in result.stdout.splitlines()[:-1]:
        match = re.fullmatch(r"(\S+:\d+: [^:]+): \S.*", line)
        if not match:
            raise ValueError(f"not `file:line: rule: what to do`: {line}")
        rows.append(match.group(1))
    return rows, result.returncode


def main():
    passed = failed = 0
    broken_rules = set()
    for name in sorted(os.listdir(os.path.join(HERE, "samples"))):
        folder = os.path.join(HERE, "samples", name)
        with open(os.path.join(folder, "expected"), encoding="utf-8") as file:
            expected = sorted(file.read().splitlines())
        found, status = findings_of(folder)
        broken_rules.update(row.split(": ", 1)[1] for row in found)
        if sorted(found) == expected and status == (1 if expected else 0):
            passed += 1
            continue
        failed += 1
        print(f"FAIL {name}: exit status {status}")
        for row in sorted(set(found) ^ set(expected)):
            print(f"  {'not expected' if row in found else 'not found'}: {row}")
    if broken_rules == RULES:
        passed += 1
    else:
        failed += 1
        print(f"FAIL rules without a sample, or unknown: {sorted(broken_rules ^ RULES)}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
