#!/usr/bin/env python3
"""What needs no model: help, errors, exit codes, completion, the documentation, pipes and colours."""
import json
import os
import re
import shutil
import subprocess

from claims import ROOT, TOOL, Skip, Terminal, claim, environment, equal, error_of, holds, main, run, status

COMMANDS = ["run", "chat", "tokenize", "inspect", "perplexity", "bench", "fetch", "probe", "completion",
            "help", "version"]
INVALID, NOT_FOUND, IO = 1, 2, 3


@claim
def every_command_explains_itself(folder):
    overview = run(folder)
    status(overview, 0)
    for command in COMMANDS:
        holds(overview.stdout, f"  {command} ")
        by_option, by_command = run(folder, command, "--help"), run(folder, "help", command)
        status(by_option, 0)
        holds(by_option.stdout, f"usage: smidgen {command}", "examples:", "--help")
        equal(by_option.stdout, by_command.stdout)
        for line in by_option.stdout.decode().splitlines():
            equal(len(line) <= 120, True, line)


@claim
def help_and_version_answer_to_their_usual_names(folder):
    equal(run(folder, "--help").stdout, run(folder, "help").stdout)
    equal(run(folder, "-h").stdout, run(folder, "help").stdout)
    equal(run(folder, "--version").stdout, run(folder, "version").stdout)
    report = json.loads(run(folder, "version", "--json").stdout)
    equal(sorted(report), ["build", "commit", "compiler", "version"])


@claim
def a_mistyped_command_or_option_is_corrected(folder):
    done = run(folder, "chta")
    status(done, INVALID)
    equal(done.stdout, b"")
    equal(done.stderr.decode(), 'error: there is no command "chta"\n hint: Did you mean `smidgen chat`?\n')
    done = run(folder, "run", "m", "--temprature", "1")
    status(done, INVALID)
    equal(done.stderr.decode(), "error: run: unknown option --temprature\n"
                                " hint: Did you mean --temperature? `smidgen help run` lists the options.\n")


@claim
def what_an_option_cannot_take_is_named(folder):
    for words, message, advice in [
            (["-n", "x"], '--max-tokens: "x" is not allowed', "whole number from 0 to 1000000"),
            (["-n", "1.5"], '--max-tokens: "1.5"', "whole number"),
            (["-n", "-1"], '--max-tokens: "-1"', "from 0"),
            (["--top-p=2"], '--top-p: "2"', "from 0 to 1"),
            (["--top-p", "nan"], '--top-p: "nan"', "from 0 to 1"),
            (["--top-p", ""], '--top-p: ""', "from 0 to 1"),
            (["--kv-type", "q3"], '--kv-type: "q3"', "f16 q8_0 f32"),
            (["--exact=yes"], "takes no value", "Leave the value out"),
            (["--seed"], "--seed needs a value (N)", "same text"),
            (["one", "two"], '"two" is one argument too many', "quotes"),
            (["--top-k", "99999999999999999999"], "--top-k", "from 0 to 1000000")]:
        error = error_of(run(folder, "run", "--json", "model", *words), INVALID)
        holds(error["message"], message)
        holds(error["advice"], advice)


@claim
def a_missing_argument_is_named(folder):
    for command in ("run", "chat", "tokenize", "inspect", "perplexity", "bench", "completion"):
        done = run(folder, command)
        status(done, INVALID)
        holds(done.stderr, "is missing", f"smidgen help {command}")
    status(run(folder, "fetch"), INVALID)


@claim
def a_model_that_is_nowhere_has_advice(folder):
    error = error_of(run(folder, "run", "smolm2-135m", "hi", "--json"), NOT_FOUND)
    holds(error["advice"], "smollm2-135m")
    error = error_of(run(folder, "run", "smollm2-135m", "hi", "--json", SMIDGEN_MODELS=None), NOT_FOUND)
    holds(error["advice"], "smidgen fetch smollm2-135m")
    error = error_of(run(folder, "run", "./none.gguf", "hi", "--json"), NOT_FOUND)
    holds(error["advice"], "Check the path")


@claim
def errors_go_to_stderr_and_nothing_to_stdout(folder):
    for words in (["x"], ["run"], ["run", "none", "hi"], ["fetch", "none"], ["help", "none"],
                  ["completion", "csh"], ["inspect", "none", "--json"]):
        done = run(folder, *words)
        equal(done.returncode != 0, True)
        equal(done.stdout, b"")
        equal(len(done.stderr.splitlines()) <= 2, True)


@claim
def a_file_that_is_no_model_is_refused(folder):
    path = os.path.join(folder, "x.gguf")
    for content in (b"", b"GGUF", b"not a model at all", bytes(1000)):
        with open(path, "wb") as f:
            f.write(content)
        for words in (["run", path, "hi"], ["inspect", path]):
            done = run(folder, *words, "--json")
            equal(done.returncode in (4, 5), True, f"exit {done.returncode} {done.stderr}")
            holds(json.loads(done.stderr)["error"]["message"], "")


@claim
def the_reference_in_docs_is_what_the_table_says(folder):
    with open(os.path.join(ROOT, "docs", "cli.md"), encoding="utf-8") as f:
        page = f.read()
    made = run(folder, "help", "--markdown").stdout.decode()
    begin = page.index("\n## Commands") + 1
    equal(page[begin:] == made, True, "docs/cli.md is stale: its first lines say how to renew it")


@claim
def the_exit_codes_in_docs_are_those_of_the_error_list(folder):
    with open(os.path.join(ROOT, "include", "smidgen_errors.def"), encoding="utf-8") as f:
        rows = re.findall(r"^SMIDGEN_ERROR_ROW\((\w+), (\d+)", f.read(), re.M)
    with open(os.path.join(ROOT, "docs", "cli.md"), encoding="utf-8") as f:
        page = f.read()
    equal(len(rows) > 15, True)
    for name, number in rows:
        holds(page, f"| {number} | {name} |")


@claim
def probe_reports_this_machine(folder):
    report = json.loads(run(folder, "probe", "--json").stdout)
    equal(report["cpu"]["cores"] >= 1, True)
    equal(report["cpu"]["cpus_usable"] <= os.cpu_count(), True)
    equal(report["cpu"]["kernel_set"] in report["cpu"]["kernel_sets"], True)
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGESIZE")
    equal(abs(report["memory"]["total_bytes"] - total) < total * 0.02, True)
    holds(run(folder, "probe").stdout, report["cpu"]["model"], report["cpu"]["kernel_set"])


@claim
def a_kernel_set_can_be_chosen(folder):
    report = json.loads(run(folder, "probe", "--json", SMIDGEN_ISA="scalar").stdout)
    equal(report["cpu"]["kernel_set"], "scalar")


@claim
def the_catalogue_lists_the_models_of_this_repository(folder):
    with open(os.path.join(ROOT, "models.json"), encoding="utf-8") as f:
        models = json.load(f)["models"]
    listed = json.loads(run(folder, "fetch", "--list", "--json").stdout)
    equal([m["name"] for m in listed], [m["name"] for m in models])
    equal([m["sha256"] for m in listed], [m["sha256"] for m in models])
    equal([m["path"] for m in listed], [None] * len(models))


@claim
def colours_are_for_terminals_and_can_be_refused(folder):
    equal(b"\x1b[" in run(folder, "x").stderr, False)
    equal(b"\x1b[" in run(folder, "run", "none", "--color", "always").stderr, True)
    for words, env, colored in [((), {}, True), ((), {"NO_COLOR": "1"}, False), ((), {"NO_COLOR": ""}, True),
                                ((), {"TERM": "dumb"}, False), (("--color", "never"), {}, False)]:
        terminal = Terminal(folder, "run", "none", *words, **env)
        equal(terminal.finish(), NOT_FOUND)
        equal(b"\x1b[" in terminal.seen, colored, f"{words} {env}")


@claim
def a_reader_that_leaves_is_no_error(folder):
    script = f"set -o pipefail; '{TOOL}' completion bash | head -n 1; '{TOOL}' help --markdown | true"
    for _ in range(5):
        done = subprocess.run(["bash", "-c", script], env=environment(folder), capture_output=True,
                              timeout=60)
        equal(done.stderr, b"")
        equal(done.returncode, 0)


@claim
def a_full_disk_under_the_output_is_an_error(folder):
    if not os.path.exists("/dev/full"):
        raise Skip("there is no /dev/full")
    with open("/dev/full", "wb") as full:
        done = subprocess.run([TOOL, "help", "--markdown"], env=environment(folder), stdout=full,
                              stderr=subprocess.PIPE)
    status(done, IO)
    holds(done.stderr, "cannot write the output")


@claim
def bash_completes_commands_options_and_choices(folder):
    script = os.path.join(folder, "completion.bash")
    with open(script, "wb") as f:
        f.write(run(folder, "completion", "bash").stdout)

    def complete(*words):
        quoted = " ".join("'" + w + "'" for w in words)
        code = (f"source {script}; COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; _smidgen; "
                "printf '%s\\n' \"${COMPREPLY[@]}\"")
        path = os.path.dirname(TOOL) + ":" + os.environ["PATH"]
        done = subprocess.run(["bash", "-c", code], env=environment(folder, PATH=path), capture_output=True,
                              cwd=folder)
        equal(done.stderr, b"")
        return done.stdout.decode().split()

    equal(complete("smidgen", "per"), ["perplexity"])
    equal(set(COMMANDS) <= set(complete("smidgen", "")), True)
    equal(sorted(complete("smidgen", "run", "--temp")), ["--temperature", "--template"])
    equal(complete("smidgen", "bench", "m", "--kv-type", "q"), ["q8_0"])
    equal(complete("smidgen", "completion", "z"), ["zsh"])
    equal("smollm2-135m" in complete("smidgen", "run", "smol"), True)


@claim
def zsh_and_fish_accept_their_scripts(folder):
    tried = 0
    for shell in ("zsh", "fish"):
        done = run(folder, "completion", shell)
        status(done, 0)
        for command in COMMANDS:
            holds(done.stdout, command)
        holds(done.stdout, "kv-type", "q8_0")
        if shutil.which(shell):
            path = os.path.join(folder, "script")
            with open(path, "wb") as f:
                f.write(done.stdout)
            checked = subprocess.run([shell, "-n", path], capture_output=True)
            equal(checked.returncode, 0, checked.stderr)
            tried += 1
    if tried == 0:
        raise Skip("neither zsh nor fish is installed: only the contents were looked at")


@claim
def short_options_take_their_value_in_both_forms(folder):
    for words in (["-n5"], ["-n", "5"], ["--max-tokens=5"], ["--max-tokens", "5"]):
        error_of(run(folder, "run", "none", *words, "--json"), NOT_FOUND)
    error_of(run(folder, "run", "--json", "--", "none", "-starts with a dash"), NOT_FOUND)


if __name__ == "__main__":
    main()
