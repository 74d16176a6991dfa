#!/usr/bin/env python3
"""The commands that compute, on real models: set SMIDGEN_MODELS to the folder of smollm2-135m.gguf."""
import json
import os
import signal
import subprocess
import time

from claims import TOOL, Skip, Terminal, claim, environment, equal, error_of, holds, main, run, status

INVALID, NOT_FOUND, IO, BAD_FILE, TEMPLATE, GRAMMAR, INTERRUPTED = 1, 2, 3, 4, 13, 14, 130
FRANCE = "The capital of France is"


def model(name="smollm2-135m"):
    path = os.path.join(os.environ.get("SMIDGEN_MODELS", ""), name + ".gguf")
    if not os.environ.get("SMIDGEN_MODELS") or not os.path.exists(path):
        raise Skip(f"SMIDGEN_MODELS has no {name}.gguf")
    return path


def reply(folder, *words, **more):
    done = run(folder, "run", model(), "--json", *words, **more)
    status(done, 0)
    return json.loads(done.stdout)


@claim
def a_plain_prompt_is_completed_the_same_way_every_time(folder):
    first = reply(folder, "--raw", "-n", "6", FRANCE)
    holds(first["text"], " Paris")
    equal(first["finish"], "max_tokens")
    equal(len(first["ids"]), 6)
    equal(first["usage"]["reply_tokens"], 6)
    equal(reply(folder, "--raw", "-n", "6", FRANCE)["text"], first["text"])
    done = run(folder, "run", model(), "--raw", "-n", "6", FRANCE)
    equal(done.stdout.decode(), first["text"] + ("" if first["text"].endswith("\n") else "\n"))
    equal(done.stderr, b"")


@claim
def a_name_and_a_pipe_do_as_well(folder):
    expected = reply(folder, "--raw", "-n", "4", FRANCE)["text"]
    done = run(folder, "run", "smollm2-135m", "--raw", "-n", "4", "--json", "-", input=FRANCE.encode())
    equal(json.loads(done.stdout)["text"], expected)
    done = run(folder, "run", "smollm2-135m", "--raw", "-n", "4", "--json", input=FRANCE.encode())
    equal(json.loads(done.stdout)["text"], expected)


@claim
def an_instruct_model_gets_its_template_unless_raw(folder):
    chat, raw = reply(folder, "-n", "1", "hi"), reply(folder, "--raw", "-n", "1", "hi")
    shown = run(folder, "tokenize", model(), "--decode", " ".join(map(str, chat["prompt_ids"])))
    holds(shown.stdout, "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n")
    equal(len(raw["prompt_ids"]), 1)
    system = reply(folder, "-n", "1", "--system", "Be brief.", "hi")
    shown = run(folder, "tokenize", model(), "--decode", " ".join(map(str, system["prompt_ids"])))
    holds(shown.stdout, "<|im_start|>system\nBe brief.<|im_end|>")


@claim
def a_template_of_ones_own_is_used_and_a_broken_one_is_named(folder):
    path = os.path.join(folder, "t.jinja")
    with open(path, "w") as f:
        f.write("Q: {{ messages[0]['content'] }} A:")
    ids = reply(folder, "-n", "1", "--template", path, "why")["prompt_ids"]
    shown = run(folder, "tokenize", model(), "--decode", " ".join(map(str, ids)))
    equal(shown.stdout, b"Q: why A:\n")
    with open(path, "w") as f:
        f.write("{% nonsense %}")
    error_of(run(folder, "run", model(), "--json", "--template", path, "why"), TEMPLATE)


@claim
def ids_in_and_out_agree_with_text(folder):
    first = reply(folder, "--raw", "-n", "5", FRANCE)
    prompt = " ".join(map(str, first["prompt_ids"]))
    done = run(folder, "run", model(), "--prompt-ids", prompt, "--ids", "-n", "5")
    equal([int(i) for i in done.stdout.split()], first["ids"])
    error_of(run(folder, "run", model(), "--json", "--prompt-ids", "1 99999999"), INVALID)
    error_of(run(folder, "run", model(), "--json", "--prompt-ids", "one"), INVALID)


@claim
def a_seed_decides_and_is_reported(folder):
    words = ("--raw", "-n", "12", "--temperature", "1.2", "Once upon a time")
    first = reply(folder, "--seed", "7", *words)
    equal(first["seed"], 7)
    equal(reply(folder, "--seed", "7", *words)["text"], first["text"])
    free = reply(folder, *words)
    equal(reply(folder, "--seed", str(free["seed"]), *words)["text"], free["text"])
    equal(len({reply(folder, "--seed", str(s), *words)["text"] for s in range(4)}) > 1, True)


@claim
def a_stop_string_ends_the_reply_and_is_not_printed(folder):
    whole = reply(folder, "--raw", "-n", "8", FRANCE)["text"]
    stop = whole[2:5]
    cut = reply(folder, "--raw", "-n", "8", "--stop", stop, FRANCE)
    equal(cut["text"], whole[:whole.index(stop)])
    equal(cut["finish"], "stop")


@claim
def a_banned_token_does_not_come(folder):
    first = reply(folder, "--raw", "-n", "1", FRANCE)["ids"][0]
    equal(reply(folder, "--raw", "-n", "1", "--logit-bias", f"{first}=-inf", FRANCE)["ids"][0] != first, True)
    error_of(run(folder, "run", model(), "--json", "--logit-bias", "x=1", "hi"), INVALID)


@claim
def log_probabilities_list_the_alternatives_in_order(folder):
    report = reply(folder, "--raw", "-n", "3", "--logprobs", "4", FRANCE)
    equal(len(report["logprobs"]), 3)
    for record, chosen in zip(report["logprobs"], report["ids"]):
        equal(record["id"], chosen)
        values = [t["logprob"] for t in record["top"]]
        equal(values, sorted(values, reverse=True))
        equal(all(v <= 0 for v in values), True)
    done = run(folder, "run", model(), "--raw", "-n", "3", "--logprobs", "2", FRANCE)
    equal(len(done.stdout.decode().splitlines()), 3)


@claim
def a_schema_makes_valid_json(folder):
    schema = json.dumps({"type": "object", "properties": {"a": {"type": "boolean"}, "b": {"type": "boolean"}},
                         "required": ["a", "b"]})
    text = reply(folder, "-n", "60", "--json-schema", schema, "Give me two booleans.")["text"]
    value = json.loads(text)
    equal(sorted(value), ["a", "b"])
    equal(all(isinstance(v, bool) for v in value.values()), True)
    path = os.path.join(folder, "g.gbnf")
    with open(path, "w") as f:
        f.write('root ::= "yes" | "no"\n')
    equal(reply(folder, "-n", "9", "--grammar", path, "Is water wet?")["text"] in ("yes", "no"), True)
    with open(path, "w") as f:
        f.write("root ::= (")
    error_of(run(folder, "run", model(), "--json", "--grammar", path, "x"), GRAMMAR)
    error_of(run(folder, "run", model(), "--json", "--grammar", path, "--json-schema", schema, "x"), INVALID)


@claim
def a_prompt_longer_than_the_context_is_refused(folder):
    error = error_of(run(folder, "run", model(), "--json", "--raw", "-c", "16", "word " * 50), 12)
    equal(error["advice"] != "", True)
    equal(reply(folder, "--raw", "-c", "16", "-n", "0", FRANCE)["finish"], "length")


@claim
def an_empty_prompt_is_refused(folder):
    error_of(run(folder, "run", model(), "--raw", "--json", ""), INVALID)


@claim
def tokens_turn_back_into_the_text(folder):
    text = "Hello, wörld! 123  \n\t你好 <|im_end|>"
    for more in ([], ["--parse-special"]):
        report = json.loads(run(folder, "tokenize", model(), "--json", *more, text).stdout)
        equal(report["text"], text)
        equal(report["count"], len(report["ids"]))
        equal(len(report["pieces"]), report["count"])
    plain = run(folder, "tokenize", model(), "--ids", text).stdout.decode().split()
    back = run(folder, "tokenize", model(), "--decode", input=" ".join(plain).encode())
    equal(back.stdout.decode(), text + "\n")
    lines = run(folder, "tokenize", model(), "a b").stdout.decode().splitlines()
    equal([json.loads(line.split(None, 1)[1]) for line in lines], ["a", " b"])


@claim
def inspect_shows_every_tensor_and_entry(folder):
    report = json.loads(run(folder, "inspect", model(), "--json").stdout)
    equal(report["format"], "gguf")
    equal(report["total"]["tensors"], len(report["tensors"]))
    equal(sum(t["bytes"] for t in report["tensors"]), report["total"]["bytes"])
    tree = run(folder, "inspect", model()).stdout.decode()
    for entry in report["metadata"]:
        holds(tree, entry["key"])
    holds(tree, "token_embd.weight", "bits a weight", "49152 x 576")
    everything = json.loads(run(folder, "inspect", model(), "--json", "--all").stdout)
    tokens = [e for e in everything["metadata"] if e["key"] == "tokenizer.ggml.tokens"][0]
    equal(len(tokens["values"]), tokens["count"])
    equal("tensors (" in run(folder, "inspect", model(), "--metadata").stdout.decode(), False)


@claim
def perplexity_and_divergence_are_reported(folder):
    text, stored = os.path.join(folder, "text.txt"), os.path.join(folder, "x.logits")
    with open(text, "w") as f:
        f.write("The quick brown fox jumps over the lazy dog. " * 20 + "It was a bright cold day. " * 15)
    words = ("perplexity", model(), text, "--json", "-c", "64", "-w", "2", "-q")
    first = json.loads(run(folder, *words, "--save-logits", stored).stdout)
    equal(first["windows"], 2)
    equal(first["scored_tokens"], 2 * 31)
    equal(1 < first["perplexity"] < 100, True)
    same = json.loads(run(folder, *words, "--kl-against", stored).stdout)
    equal(same["perplexity"], first["perplexity"])
    equal(same["divergence"]["mean"] < 1e-5, True)
    equal(same["divergence"]["same_top"] > 0.99, True)
    exact = json.loads(run(folder, *words, "--exact", "--kl-against", stored).stdout)
    equal(0 < exact["divergence"]["mean"] < 0.1, True)
    other = ("perplexity", model(), text, "--json", "-q", "-c", "32")
    error_of(run(folder, *other, "--kl-against", stored), INVALID)
    with open(stored, "r+b") as f:
        f.truncate(os.path.getsize(stored) - 1)
    error_of(run(folder, *words, "--kl-against", stored), BAD_FILE)
    error_of(run(folder, *words, "--kl-against", text), BAD_FILE)
    error_of(run(folder, *words, "--save-logits", os.path.join(folder, "no", "x")), IO)
    error_of(run(folder, "perplexity", model(), text, "--json", "-c", "100000"), INVALID)


@claim
def bench_rows_carry_their_provenance(folder):
    done = run(folder, "bench", model(), "--json", "-p", "16", "-g", "4", "--depth", "8", "--repeat", "2")
    status(done, 0)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    equal([r["kind"] for r in rows], ["load", "prefill", "generate", "memory"])
    for row in rows:
        for key in ("model", "machine", "commit", "build", "threads", "kernel_set", "version", "time"):
            equal(key in row, True, key)
        equal(len(row["model"]["sha256"]), 64)
        if row["kind"] != "memory":
            equal(len(row["samples"]), 2)
            equal(min(row["samples"]) <= row["median"] <= max(row["samples"]), True)
    equal(rows[2]["depth"], 8)
    equal(rows[3]["peak_resident_bytes"] > rows[3]["weights_bytes"] > 1e7, True)


@claim
def a_base_model_has_no_chat(folder):
    error = error_of(run(folder, "run", model("gemma3-270m"), "--json", "--grammar", "/none", "x"), NOT_FOUND)
    equal(error["number"], NOT_FOUND)
    done = run(folder, "chat", model("gemma3-270m"), input=b"hi\n")
    status(done, TEMPLATE)
    holds(done.stderr, "--template")


@claim
def chat_remembers_and_its_commands_work(folder):
    saved = os.path.join(folder, "saved.json")
    lines = ["My name is Ann. Say hello.", "/stats", "What is my name?", f"/save {saved}", "/undo", "/clear",
             "/system Be brief.", "/system", "/nonsense", "/help", '"""two', 'lines"""', "/exit",
             "never read"]
    done = run(folder, "chat", model(), "--temperature", "0", "-n", "12", input="\n".join(lines).encode())
    status(done, 0)
    holds(done.stdout, "reused", "forgotten", "Be brief.", "there is no command /nonsense", "/regenerate")
    equal(b"> " in done.stdout, False, "no prompt without a terminal")
    with open(saved) as f:
        messages = json.load(f)["messages"]
    equal([m["role"] for m in messages], ["user", "assistant", "user", "assistant"])


@claim
def ctrl_c_stops_the_reply_and_ctrl_d_leaves(folder):
    terminal = Terminal(folder, "chat", model(), "-c", "2048")
    terminal.wait_for("> ")
    terminal.send("Write a very long story about the sea.\n")
    terminal.wait_for("story about the sea.")
    begin = len(terminal.seen)
    while len(terminal.read(0.1)) < begin + 60:
        pass
    terminal.send("\x03")
    terminal.wait_for("(stopped)", begin=begin)
    terminal.send("\x03")  # at the prompt it does nothing
    terminal.wait_for("leaves)", begin=begin)
    terminal.send("/stats\n")
    terminal.wait_for("conversation", begin=begin)
    terminal.send("\x04")
    equal(terminal.finish(), 0)


@claim
def ctrl_c_ends_run_with_130_and_what_was_said_stays(folder):
    process = subprocess.Popen([TOOL, "run", model(), "-n", "0", "--raw", "One day"], env=environment(folder),
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    said = process.stdout.read(8)
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=60)
    equal(process.returncode, INTERRUPTED)
    equal(len(said + rest) >= 8, True)


@claim
def a_reader_that_leaves_ends_the_reply(folder):
    begun = time.monotonic()
    script = f"set -o pipefail; '{TOOL}' run '{model()}' --raw -n 100000 --slide 'One day' | head -c 5"
    done = subprocess.run(["bash", "-c", script], env=environment(folder), capture_output=True, timeout=100)
    equal(done.returncode, 0, done.stderr)
    equal(done.stderr, b"")
    equal(time.monotonic() - begun < 90, True)


@claim
def a_cut_model_is_refused(folder):
    path = os.path.join(folder, "cut.gguf")
    with open(model(), "rb") as f, open(path, "wb") as out:
        out.write(f.read(5_000_000))
    for command in ("run", "inspect"):
        error = error_of(run(folder, command, path, "--json"), BAD_FILE)
        holds(error["message"], "")


if __name__ == "__main__":
    main()
