"""What the measuring scripts share: where things are, rows, the state of the machine."""
import json
import os
import shutil
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def number_list(words):
    return [int(w) for w in words.split(",")]


def build_folder(folder):
    for name in ("smidgen", "smidgen_peak"):
        if not os.path.exists(os.path.join(folder, name)):
            sys.exit(f"there is no {folder}/{name}: run `make build` first")
    return os.path.abspath(folder)


def model_path(tool, model):
    """A path as it is; a name from $SMIDGEN_MODELS, or fetched."""
    if os.path.exists(model):
        return os.path.abspath(model)
    held = os.path.join(os.environ.get("SMIDGEN_MODELS", ""), model + ".gguf")
    if os.environ.get("SMIDGEN_MODELS") and os.path.exists(held):
        return held
    done = subprocess.run([tool, "fetch", model], stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(done.returncode)
    return done.stdout.strip()


def load_average():
    return os.getloadavg()[0]


def check_quiet(limit):
    if limit is not None and load_average() > limit:
        sys.exit(f"the load average is {load_average():.2f}, more than {limit}: wait for a quiet machine")
    if load_average() > 1:
        print(f"warning: the load average is {load_average():.1f}: something else runs here, and programs "
              "whose threads spin while they wait suffer most. Do not quote these figures.", file=sys.stderr)


def peak(build, threads):
    """Read bandwidth and integer peak, measured now."""
    count = threads or os.cpu_count()
    tool = os.path.join(build, "smidgen_peak")
    return json.loads(subprocess.run([tool, str(count)], stdout=subprocess.PIPE, check=True).stdout)


def now():
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def write_row(path, row):
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    with open(path, "a", encoding="utf-8") as f:
        f.write(json.dumps(row) + "\n")


def read_rows(path):
    with open(path, encoding="utf-8") as f:
        return [json.loads(line) for line in f if line.strip()]


def median(values):
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def run_measured(words, quiet_errors=True):
    """Output, wall seconds, and largest resident set of one process."""
    begun = time.monotonic()
    errors = subprocess.DEVNULL if quiet_errors else None
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=errors, stdin=subprocess.DEVNULL)
    out = process.stdout.read()
    _, code, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - begun
    process.stdout.close()
    process.returncode = os.waitstatus_to_exitcode(code)
    if process.returncode != 0:
        sys.exit(f"{' '.join(words)} ended with {process.returncode}")
    return out.decode(), seconds, usage.ru_maxrss * 1024


def need(program, package):
    if shutil.which(program) is None:
        sys.exit(f"{program} is missing (package {package})")
