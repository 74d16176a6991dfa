"""The harness of the command line tests: claims, the tool's path, and ways to run it."""
import json
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TOOL = os.path.abspath(os.environ.get("SMIDGEN", os.path.join(ROOT, "build/release/smidgen")))
CLAIMS = []

# What a user may have set and what would change the results.
CLEARED = ("NO_COLOR", "HF_ENDPOINT", "HF_TOKEN", "XDG_CACHE_HOME", "SMIDGEN_PYTHON", "http_proxy",
           "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")


class Skip(Exception):
    """Why a claim cannot be tried here."""


def claim(function):
    CLAIMS.append(function)
    return function


def environment(folder, **more):
    env = {k: v for k, v in os.environ.items() if k not in CLEARED}
    env.update(HOME=folder, XDG_CACHE_HOME=os.path.join(folder, "cache"), TERM="xterm")
    env.update({k: v for k, v in more.items() if v is not None})
    for key, value in more.items():
        if value is None:
            env.pop(key, None)
    return env


def run(folder, *words, input=None, timeout=120, limit=None, **env):
    """Runs the tool with pipes; limit: function called in the child before it starts."""
    return subprocess.run([TOOL, *words], env=environment(folder, **env), input=input, capture_output=True,
                          timeout=timeout, preexec_fn=limit, cwd=folder)


def start(folder, *words, **env):
    return subprocess.Popen([TOOL, *words], env=environment(folder, **env), stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, cwd=folder)


def equal(actual, expected, what=""):
    if actual != expected:
        raise AssertionError(f"{what + ': ' if what else ''}{short(actual)} instead of {short(expected)}")


def holds(text, *parts):
    text = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    for part in parts:
        if part not in text:
            raise AssertionError(f"{part!r} is missing in {short(text)}")


def short(value):
    text = repr(value)
    return text if len(text) < 600 else text[:400] + " ... " + text[-150:]


def status(done, expected):
    if done.returncode != expected:
        raise AssertionError(f"exit {done.returncode} instead of {expected}; stderr: {short(done.stderr)}")


def error_of(done, expected):
    """The JSON error that --json gives."""
    status(done, expected)
    error = json.loads(done.stderr.decode().strip().splitlines()[-1])["error"]
    equal(error["number"], expected)
    return error


class Terminal:
    """The tool on a pseudo-terminal."""

    def __init__(self, folder, *words, **env):
        self.seen = b""
        self.child, self.end = pty.fork()
        if self.child == 0:
            try:
                os.chdir(folder)
                os.execve(TOOL, [TOOL, *words], environment(folder, **env))
            finally:
                os._exit(127)

    def read(self, seconds=0.2):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            ready, _, _ = select.select([self.end], [], [], 0.05)
            if ready:
                try:
                    piece = os.read(self.end, 65536)
                except OSError:
                    return self.seen
                if not piece:
                    return self.seen
                self.seen += piece
        return self.seen

    def wait_for(self, text, seconds=60, begin=0):
        until = time.monotonic() + seconds
        while text.encode() not in self.seen[begin:]:
            if time.monotonic() > until:
                raise AssertionError(f"{text!r} never came; seen: {short(self.seen[begin:])}")
            self.read(0.1)
        return self.seen

    def send(self, text):
        os.write(self.end, text.encode() if isinstance(text, str) else text)

    def finish(self, seconds=60):
        """Exit status once the tool has ended."""
        until = time.monotonic() + seconds
        while True:
            self.read(0.05)
            done, code = os.waitpid(self.child, os.WNOHANG)
            if done:
                self.read(0.05)
                os.close(self.end)
                return os.waitstatus_to_exitcode(code)
            if time.monotonic() > until:
                os.kill(self.child, signal.SIGKILL)
                raise AssertionError(f"it does not end; seen: {short(self.seen)}")


def main():
    word = sys.argv[1] if len(sys.argv) > 1 else ""
    if not os.path.exists(TOOL):
        sys.exit(f"there is no {TOOL}: build it, or set SMIDGEN")
    passed = failed = skipped = 0
    for function in CLAIMS:
        if word not in function.__name__:
            continue
        folder = tempfile.mkdtemp(prefix="smidgen-cli-")
        try:
            function(folder)
            passed += 1
        except Skip as why:
            skipped += 1
            print(f"SKIP {function.__name__}: {why}")
        except Exception:
            failed += 1
            lines = traceback.format_exc().strip().splitlines()
            where = [line.strip() for line in lines if "test_" in line and "line" in line]
            print(f"FAIL {function.__name__}: {lines[-1]} ({where[-1] if where else ''})")
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        sys.stdout.flush()
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    sys.exit(1 if failed or not passed else 0)
