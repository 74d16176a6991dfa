#!/usr/bin/env python3
"""Measures Smidgen on this machine: bench/run.py [--models NAME|PATH,...] [--threads 1,2] [--against FILE]

Runs `smidgen bench` for every model and thread count, appends its JSON lines to --out and prints a table.
"""
import argparse
import json
import os
import subprocess
import sys

from measure import (ROOT, build_folder, check_quiet, load_average, model_path, number_list, peak, read_rows,
                     write_row)


def key(row):
    return (os.path.basename(row["model"]["path"]), row["threads"], row["kernel_set"], row["kind"],
            row.get("tokens", 0), row.get("depth", 0))


def title(row):
    words = row["kind"]
    if "tokens" in row:
        words += f" {row['tokens']}" + (f" at {row['depth']}" if row["depth"] else "")
    return words


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default="smollm2-135m", help="names or paths, with commas")
    parser.add_argument("--threads", type=number_list, default=[0], help="counts, with commas; 0: all cores")
    parser.add_argument("--prefill", type=int, default=512)
    parser.add_argument("--generate", type=int, default=128)
    parser.add_argument("--depths", type=number_list, default=[0], help="depths of generation, with commas")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--build", default=os.path.join(ROOT, "build/release"))
    parser.add_argument("--out", default=os.path.join(ROOT, "build/bench/results.jsonl"))
    parser.add_argument("--against", help="earlier rows to compare with")
    parser.add_argument("--max-load", type=float, help="refuse to measure while the load average is higher")
    options = parser.parse_args()
    tool = os.path.join(build_folder(options.build), "smidgen")
    check_quiet(options.max_load)
    earlier = {key(r): r for r in read_rows(options.against)} if options.against else {}
    print(f"{'model':34} {'threads':>7} {'what':24} {'median':>12} unit        {'change':>7}")
    for model in options.models.split(","):
        path = model_path(tool, model)
        for threads in options.threads:
            machine = peak(options.build, threads)
            for index, depth in enumerate(options.depths):
                prefill = 0 if index else options.prefill
                words = [tool, "bench", path, "--json", "-t", str(threads), "--repeat", str(options.repeat),
                         "-g", str(options.generate), "--depth", str(depth), "-p", str(prefill)]
                with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
                    for line in process.stdout:
                        row = json.loads(line)
                        row["peak"] = machine
                        row["load_average"] = load_average()
                        write_row(options.out, row)
                        show(row, earlier.get(key(row)))
                if process.returncode != 0:
                    sys.exit(f"smidgen bench ended with {process.returncode}")
    print(f"rows are in {options.out}")


def show(row, before):
    value, unit = row.get("median"), row.get("unit")
    if row["kind"] == "memory":
        value, unit = row["peak_resident_bytes"] / 1048576, "MiB"
    old = before and (before.get("median") or before["peak_resident_bytes"] / 1048576)
    change = f"{100 * (value / old - 1):+6.1f}%" if old else ""
    name = os.path.basename(row["model"]["path"])[:34]
    print(f"{name:34} {row['threads']:>7} {title(row):24} {value:12.4g} {unit:11} {change:>7}", flush=True)


if __name__ == "__main__":
    main()
