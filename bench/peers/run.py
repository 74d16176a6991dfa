#!/usr/bin/env python3
"""Smidgen beside llama.cpp, interleaved: bench/peers/run.py [--models ...] [--threads 1,2] [--pairs 5]

Builds llama.cpp from the PyPI sdist llama-cpp-python (or takes --llama-bin DIR), alternates both programs and
prints medians of the ratios within each pair. Rows go to --out as JSON lines. README.md beside this says what
is compared.
"""
import argparse
import glob
import json
import os
import subprocess
import sys
import tarfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from measure import (ROOT, build_folder, check_quiet, load_average, median, model_path, need, now,
                     number_list, peak, run_measured, write_row)

SDIST = "llama-cpp-python==0.3.36"
# What the issue asks for; a ratio is ours / theirs for speeds, ours / theirs for seconds and bytes too.
TARGETS = {"prefill": (">=", {1: 3.0, 2: 3.0}), "decode": (">=", {1: 1.4, 2: 1.5}),
           "decode at depth": (">=", {1: 1.5, 2: 1.5}), "first token": ("<=", {1: 0.5, 2: 0.5}),
           "memory": ("<=", {1: 0.9, 2: 0.9})}
SHARE_TARGET = 0.85
UNITS = {"prefill": "tokens/s", "decode": "tokens/s", "decode at depth": "tokens/s", "first token": "s",
         "memory": "bytes"}


# ------------------------------------------------------------------------------------------------- llama.cpp

def build_llama(folder):
    """Folder that holds llama-bench, built with native flags; done once."""
    found = glob.glob(os.path.join(folder, "*", "vendor", "llama.cpp", "build", "bin", "llama-bench"))
    if found:
        return os.path.dirname(found[0])
    need("cmake", "cmake")
    os.makedirs(folder, exist_ok=True)
    if not glob.glob(os.path.join(folder, "*.tar.gz")):
        print(f"downloading {SDIST}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:",
                        "-d", folder, SDIST], check=True)
    with tarfile.open(glob.glob(os.path.join(folder, "*.tar.gz"))[0]) as archive:
        archive.extractall(folder)
    source = glob.glob(os.path.join(folder, "*", "vendor", "llama.cpp"))[0]
    build = os.path.join(source, "build")
    print(f"building llama.cpp in {build}", file=sys.stderr)
    subprocess.run(["cmake", "-S", source, "-B", build, "-DCMAKE_BUILD_TYPE=Release", "-DGGML_NATIVE=ON",
                    "-DBUILD_SHARED_LIBS=OFF", "-DLLAMA_CURL=OFF", "-DLLAMA_BUILD_TESTS=OFF",
                    "-DLLAMA_BUILD_EXAMPLES=OFF", "-DLLAMA_BUILD_SERVER=OFF", "-DLLAMA_BUILD_TOOLS=ON"],
                   check=True, stdout=sys.stderr)
    subprocess.run(["cmake", "--build", build, "-j", str(os.cpu_count()), "--target", "llama-bench"],
                   check=True, stdout=sys.stderr)
    return os.path.join(build, "bin")


class Llama:
    name = "llama.cpp"

    def __init__(self, folder):
        self.tool = os.path.join(folder, "llama-bench")
        self.commit = None

    def bench(self, path, threads, *words):
        out, seconds, resident = run_measured([self.tool, "-m", path, "-t", str(threads), "-r", "1", "-o",
                                               "jsonl", *words])
        rows = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
        self.commit = rows[0]["build_commit"]
        return rows, seconds, resident

    def measure(self, o, path, threads):
        rows, _, resident = self.bench(path, threads, "-p", str(o.prefill), "-n", str(o.generate))
        result = {"memory": resident}
        for row in rows:
            result["prefill" if row["n_prompt"] else "decode"] = row["samples_ts"][0]
        if o.depth:
            rows, _, _ = self.bench(path, threads, "-p", "0", "-n", str(o.generate), "-d", str(o.depth))
            result["decode at depth"] = rows[0]["samples_ts"][0]
        _, result["first token"], _ = self.bench(path, threads, "-p", "1", "-n", "0", "--no-warmup")
        return result


class Smidgen:
    name = "smidgen"

    def __init__(self, folder):
        self.tool = os.path.join(folder, "smidgen")
        version = json.loads(subprocess.run([self.tool, "version", "--json"], stdout=subprocess.PIPE).stdout)
        self.commit, self.build = version["commit"], f"{version['build']}, {version['compiler']}"
        if version["build"] != "Release":
            print(f"warning: smidgen is a {version['build']} build", file=sys.stderr)

    def bench(self, path, threads, *words):
        out, seconds, resident = run_measured([self.tool, "bench", path, "-t", str(threads), "--repeat", "1",
                                               "--no-hash", "--json", *words])
        return [json.loads(line) for line in out.splitlines()], seconds, resident

    def measure(self, o, path, threads):
        rows, _, resident = self.bench(path, threads, "-p", str(o.prefill), "-g", str(o.generate))
        values = {row["kind"]: row.get("median") for row in rows}
        result = {"memory": resident, "prefill": values["prefill"], "decode": values["generate"]}
        if o.depth:
            rows, _, _ = self.bench(path, threads, "-p", "0", "-g", str(o.generate), "--depth",
                                    str(o.depth))
            result["decode at depth"] = [r["median"] for r in rows if r["kind"] == "generate"][0]
        _, result["first token"], _ = run_measured([self.tool, "run", path, "-t", str(threads), "-n", "1",
                                                    "-q", "--prompt-ids", "100"])
        return result


# ------------------------------------------------------------------------------------------------- accounts

def integer(metadata, ending, fallback=0):
    for entry in metadata:
        if entry["key"].endswith(ending) and "value" in entry:
            return entry["value"]
    return fallback


def account(tool, path):
    """Bytes that a decode step must read, and multiply-adds of a token, from what the file holds."""
    done = subprocess.run([tool, "inspect", path, "--json"], stdout=subprocess.PIPE, check=True)
    report = json.loads(done.stdout)
    tensors = {t["name"]: t for t in report["tensors"]}
    tied = "output.weight" not in tensors
    matrices = head = read = 0
    for name, t in tensors.items():
        weights = 1
        for size in t["shape"]:
            weights *= size
        if name == "token_embd.weight" and not tied:
            continue
        read += t["bytes"]
        if name in ("token_embd.weight", "output.weight"):
            head = weights
        elif len(t["shape"]) >= 2:
            matrices += weights
    m = report["metadata"]
    heads, heads_kv = integer(m, ".attention.head_count"), integer(m, ".attention.head_count_kv")
    width = integer(m, ".attention.key_length") or integer(m, ".embedding_length") // max(heads, 1)
    layers = integer(m, ".block_count")
    return {"weight_bytes": read, "kv_bytes_per_token": layers * 2 * (heads_kv or heads) * width * 2,
            "matrix_weights": matrices, "head_weights": head}


def shares(o, test, value, bytes_of, machine):
    """Share of the measured bandwidth (decode) or of the integer peak (prefill)."""
    if test in ("decode", "decode at depth"):
        held = (o.depth if test == "decode at depth" else 0) + o.generate / 2
        step = bytes_of["weight_bytes"] + held * bytes_of["kv_bytes_per_token"]
        return step * value / machine["read_bytes_per_second"]
    if test == "prefill":
        operations = 2 * (bytes_of["matrix_weights"] + bytes_of["head_weights"] / o.prefill)
        return operations * value / machine["int8_ops_per_second"]
    return None


def verdict(test, threads, ratio, share):
    sign, limits = TARGETS[test]
    limit = limits.get(threads)
    if limit is None:
        return ""
    met = ratio >= limit if sign == ">=" else ratio <= limit
    if not met and test == "decode" and share is not None and share >= SHARE_TARGET:
        return f"met (share {sign} {SHARE_TARGET})"
    return ("met" if met else "MISSED") + f" ({sign} {limit})"


def show_value(test, value):
    return f"{value / 1048576:.0f} MiB" if test == "memory" else f"{value:.3g} s" if test == "first token" \
        else f"{value:.1f}"


def summarise(o, model, threads, pairs, bytes_of, base):
    for test in [t for t in UNITS if t in pairs[0]["smidgen"]]:
        ours = [p["smidgen"][test] for p in pairs]
        theirs = [p["llama.cpp"][test] for p in pairs]
        ratios = [a / b for a, b in zip(ours, theirs)]
        own_shares = [shares(o, test, p["smidgen"][test], bytes_of, p["peak"]) for p in pairs]
        their_shares = [shares(o, test, p["llama.cpp"][test], bytes_of, p["peak"]) for p in pairs]
        share = median(own_shares) if own_shares[0] is not None else None
        row = dict(base, kind="summary", test=test, unit=UNITS[test], pairs=len(pairs), smidgen=median(ours),
                   llama=median(theirs), ratio=median(ratios), ratio_low=min(ratios), ratio_high=max(ratios),
                   share=share, llama_share=median(their_shares) if share is not None else None,
                   time=now())
        row["verdict"] = verdict(test, threads, row["ratio"], share)
        write_row(o.out, row)
        text = f"{share:6.0%} {row['llama_share']:6.0%}" if share is not None else " " * 13
        print(f"{model[:24]:24} {threads:>2}  {test:16} {show_value(test, row['smidgen']):>10} "
              f"{show_value(test, row['llama']):>10} {row['ratio']:6.2f} ({row['ratio_low']:.2f} to "
              f"{row['ratio_high']:.2f}) {text}  {row['verdict']}", flush=True)


def measure_pair(o, engines, index, path, threads):
    order = engines if index % 2 == 0 else engines[::-1]
    pair = {"peak": peak(o.build, threads)}
    for engine in order:
        pair[engine.name] = engine.measure(o, path, threads)
    return pair


def describe(o, engines, path, threads, bytes_of, machine):
    """What every row says about where it comes from."""
    return {"model": os.path.basename(path), "model_bytes": os.path.getsize(path), "threads": threads,
            "smidgen_commit": engines[0].commit, "smidgen_build": engines[0].build,
            "llama_commit": engines[1].commit, "prefill": o.prefill, "generate": o.generate, "depth": o.depth,
            "account": bytes_of, "machine": machine}


def parse():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default="smollm2-135m,gemma3-270m,qwen-0.5b,qwen-1.5b",
                        help="names of the catalogue or paths, with commas")
    parser.add_argument("--threads", type=number_list, default=[1, 2])
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--prefill", type=int, default=512)
    parser.add_argument("--generate", type=int, default=128)
    parser.add_argument("--depth", type=int, default=2048, help="0: leave decode at depth out")
    parser.add_argument("--build", default=os.path.join(ROOT, "build/release"), help="folder of our programs")
    parser.add_argument("--llama-bin", help="folder that holds a llama-bench built with native flags")
    parser.add_argument("--llama-work", default=os.path.join(ROOT, "build/peers"),
                        help="where llama.cpp is built")
    parser.add_argument("--out", default=os.path.join(ROOT, "build/bench/peers.jsonl"))
    parser.add_argument("--max-load", type=float, help="refuse to measure while the load average is higher")
    return parser.parse_args()


def main():
    o = parse()
    build_folder(o.build)
    engines = [Smidgen(o.build), Llama(o.llama_bin or build_llama(o.llama_work))]
    check_quiet(o.max_load)
    machine = json.loads(subprocess.run([engines[0].tool, "probe", "--json"], stdout=subprocess.PIPE).stdout)
    print(f"{'model':24} {'th':>2}  {'test':16} {'smidgen':>10} {'llama.cpp':>10} {'ratio':>6} "
          f"{'(range)':15} share, and llama.cpp's")
    for model in o.models.split(","):
        path = model_path(engines[0].tool, model)
        bytes_of = account(engines[0].tool, path)
        for threads in o.threads:
            pairs = []
            for index in range(o.pairs):
                pair = measure_pair(o, engines, index, path, threads)
                pairs.append(pair)
                base = describe(o, engines, path, threads, bytes_of, machine)
                write_row(o.out, dict(base, kind="pair", pair=index, load_average=load_average(), time=now(),
                                      **pair))
            summarise(o, model, threads, pairs, bytes_of, base)
    print(f"rows are in {o.out}")


if __name__ == "__main__":
    main()
