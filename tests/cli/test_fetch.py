#!/usr/bin/env python3
"""`smidgen fetch` against a local server, local packages, a full disk, Ctrl-C and itself."""
import hashlib
import json
import os
import random
import resource
import shutil
import signal
import ssl
import subprocess
import sys
import time
import zipfile

from claims import Skip, Terminal, claim, equal, error_of, holds, main, run, start, status
from server import Site

CONTENT = random.Random(1).randbytes(300_000)
CHANGED = random.Random(2).randbytes(280_000)
SHA = hashlib.sha256(CONTENT).hexdigest()
QUICK = ("--retry-wait", "1")
NETWORK, HASH, NOT_FOUND, IO, INVALID, BAD_FILE, INTERRUPTED = 17, 16, 2, 3, 1, 4, 130


def fetch(folder, *words, **more):
    return run(folder, "fetch", *QUICK, *words, **more)


def path_of(done):
    status(done, 0)
    return done.stdout.decode().strip()


def content_of(done):
    with open(path_of(done), "rb") as f:
        return f.read()


def leftovers(folder):
    """Every file below the folder but locks."""
    files = [os.path.join(d, f) for d, _, names in os.walk(folder) for f in names]
    return sorted(f for f in files if not f.endswith(".lock"))


def write_catalogue(folder, sources, size=len(CONTENT), sha=SHA, **more):
    entry = {"name": "tiny", "file": "tiny.gguf", "description": "d", "licence": "MIT", "size": size,
             "sha256": sha, "sources": sources, **more}
    path = os.path.join(folder, "models.json")
    with open(path, "w") as f:
        json.dump({"version": 1, "models": [entry]}, f)
    return path


@claim
def a_file_arrives_whole_and_is_found_in_the_cache_the_next_time(folder):
    with Site(CONTENT) as site:
        done = fetch(folder, site.url("file/model.gguf"))
        equal(content_of(done), CONTENT)
        holds(path_of(done), os.path.join(folder, "cache", "smidgen"))
        equal(leftovers(folder), [path_of(done)])
        again = fetch(folder, site.url("file/model.gguf"), "--json")
        status(again, 0)
        equal(json.loads(again.stdout)["cached"], True)
        equal(len(site.requests), 1)


@claim
def a_broken_download_goes_on_where_it_stopped(folder):
    with Site(CONTENT, cut=100_000) as site:
        equal(content_of(fetch(folder, site.url("cut/model.gguf"), "--sha256", SHA)), CONTENT)
        equal([r["range"] for r in site.requests], [None, "bytes=100000-", "bytes=200000-"])
        equal([r["if_range"] for r in site.requests], [None, '"one"', '"one"'])


@claim
def a_second_process_goes_on_where_the_first_one_stopped(folder):
    with Site(CONTENT, cut=100_000) as site:
        error = error_of(fetch(folder, site.url("cut/model.gguf"), "--retries", "0", "--json"), NETWORK)
        holds(error["message"], "ended early")
        holds(error["advice"], "resume")
        equal(content_of(fetch(folder, site.url("cut/model.gguf"))), CONTENT)
        equal(site.requests[1]["range"], "bytes=100000-")


@claim
def last_modified_serves_where_there_is_no_etag(folder):
    with Site(CONTENT, cut=50_000) as site:
        equal(content_of(fetch(folder, site.url("dated/model.gguf"))), CONTENT)
        equal(site.requests[1]["if_range"], "Tue, 24 Nov 2026 10:00:00 GMT")


@claim
def a_file_that_changed_is_downloaded_from_the_beginning(folder):
    with Site(CONTENT, cut=100_000) as site:
        status(fetch(folder, site.url("cut-once/model.gguf"), "--retries", "0"), NETWORK)
        site.content, site.etag = CHANGED, '"two"'
        equal(content_of(fetch(folder, site.url("cut-once/model.gguf"))), CHANGED)
        equal(site.requests[1]["range"], "bytes=100000-")


@claim
def a_server_that_ignores_if_range_cannot_mix_two_files(folder):
    with Site(CONTENT, changed=CHANGED, cut=100_000) as site:
        equal(content_of(fetch(folder, site.url("careless/model.gguf"))), CHANGED)


@claim
def a_server_that_sends_another_range_cannot_spoil_the_file(folder):
    with Site(CONTENT, cut=100_000) as site:
        equal(content_of(fetch(folder, site.url("lying/model.gguf"))), CONTENT)


@claim
def a_server_without_ranges_works(folder):
    with Site(CONTENT, cut=100_000) as site:
        equal(content_of(fetch(folder, site.url("no-ranges/model.gguf"))), CONTENT)
        equal(len(site.requests), 2)


@claim
def without_a_strong_validator_nothing_is_resumed(folder):
    with Site(CONTENT) as site:
        equal(content_of(fetch(folder, site.url("weak/model.gguf"))), CONTENT)
        equal(site.requests[0]["range"], None)


@claim
def a_partial_file_of_unknown_origin_is_not_trusted(folder):
    with Site(CONTENT) as site:
        target = os.path.join(folder, "model.gguf")
        with open(target + ".part", "wb") as f:
            f.write(b"x" * 1000)
        equal(content_of(fetch(folder, site.url("file/model.gguf"), "-o", target)), CONTENT)
        equal(site.requests[0]["range"], None)


@claim
def an_error_page_is_never_stored(folder):
    with Site(CONTENT) as site:
        error = error_of(fetch(folder, site.url("absent/model.gguf"), "--json"), NOT_FOUND)
        holds(error["message"], "404")
        for path in leftovers(folder):
            equal(os.path.getsize(path), 0, path)


@claim
def passing_failures_are_tried_again(folder):
    with Site(CONTENT) as site:
        equal(content_of(fetch(folder, site.url("failing-twice/model.gguf"))), CONTENT)
        equal(len(site.requests), 3)


@claim
def lasting_failures_end_after_the_given_retries(folder):
    with Site(CONTENT) as site:
        error = error_of(fetch(folder, site.url("failing/model.gguf"), "--retries", "3", "--json"), NETWORK)
        holds(error["message"], "503")
        equal(len(site.requests), 4)


@claim
def retry_after_is_respected(folder):
    with Site(CONTENT) as site:
        begun = time.monotonic()
        equal(content_of(fetch(folder, site.url("busy-once/model.gguf"))), CONTENT)
        equal(time.monotonic() - begun >= 0.9, True)


@claim
def a_refusal_is_final_and_names_the_token(folder):
    with Site(CONTENT) as site:
        error = error_of(fetch(folder, site.url("forbidden/model.gguf"), "--json"), NETWORK)
        holds(error["advice"], "HF_TOKEN")
        equal(len(site.requests), 1)


@claim
def a_silent_connection_is_given_up(folder):
    with Site(CONTENT) as site:
        begun = time.monotonic()
        status(fetch(folder, site.url("silent/model.gguf"), "--timeout", "1", "--retries", "0"), NETWORK)
        equal(time.monotonic() - begun < 10, True)


@claim
def nobody_listening_is_a_network_error(folder):
    with Site(CONTENT) as site:
        url = site.url("file/model.gguf")
    error = error_of(fetch(folder, url, "--retries", "1", "--json"), NETWORK)
    holds(error["advice"], "connection")


@claim
def redirects_are_followed_but_not_in_circles(folder):
    with Site(CONTENT) as site:
        equal(content_of(fetch(folder, site.url("redirect/model.gguf"))), CONTENT)
        status(fetch(folder, site.url("circle/model.gguf")), NETWORK)


@claim
def a_wrong_hash_is_refused_and_nothing_stays(folder):
    with Site(CONTENT) as site:
        error = error_of(fetch(folder, site.url("file/model.gguf"), "--sha256", "0" * 64, "--json"), HASH)
        holds(error["message"], SHA[:16], "0" * 16)
        equal(leftovers(folder), [])


@claim
def a_download_of_unknown_length_that_is_cut_is_caught_by_the_hash(folder):
    with Site(CONTENT[:-1]) as site:
        status(fetch(folder, site.url("unknown-length/model.gguf"), "--sha256", SHA), HASH)
        site.content = CONTENT
        equal(content_of(fetch(folder, site.url("unknown-length/model.gguf"), "--sha256", SHA)), CONTENT)


@claim
def a_hub_address_uses_endpoint_token_and_revision(folder):
    with Site(CONTENT) as site:
        site.token, site.linked = "secret", SHA
        env = {"HF_ENDPOINT": site.url("").rstrip("/") + "/", "HF_TOKEN": "secret"}
        done = fetch(folder, "hf:org/repo@v1/some.gguf", "--json", **env)
        status(done, 0)
        report = json.loads(done.stdout)
        equal(report["verified"], True)
        equal(site.requests[0]["path"], "/org/repo/resolve/v1/some.gguf")
        equal(site.requests[0]["auth"], "Bearer secret")
        equal(site.requests[1]["auth"], None, "the token must not travel to another host")
        equal(fetch(folder, "hf:org/repo/some.gguf", **env).returncode, 0)
        equal(site.requests[2]["path"], "/org/repo/resolve/main/some.gguf")


@claim
def a_hash_that_the_hub_announces_is_checked(folder):
    with Site(CONTENT) as site:
        site.linked = "f" * 64
        status(fetch(folder, "hf:org/repo/some.gguf", HF_ENDPOINT=site.url("").rstrip("/")), HASH)


@claim
def addresses_that_leave_the_cache_are_refused(folder):
    for what in ("hf:org/../x", "hf:org/repo/../../x", "hf:org/repo", "hf:org/repo/", "hf:../a/b",
                 "hf:a/b/.x", "ftp://example.org/x.gguf", "file:///etc/passwd", "https://example.org/"):
        status(fetch(folder, what), INVALID)


@claim
def a_full_disk_is_named_and_the_download_goes_on_later(folder):
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    with Site(CONTENT) as site:
        target = os.path.join(folder, "model.gguf")
        error = error_of(fetch(folder, site.url("file/model.gguf"), "-o", target, "--json", limit=limit), IO)
        holds(error["message"], "disk is full")
        equal(content_of(fetch(folder, site.url("file/model.gguf"), "-o", target)), CONTENT)
        equal(site.requests[1]["range"], "bytes=100000-")


@claim
def two_processes_share_one_download(folder):
    with Site(CONTENT) as site:
        first = start(folder, "fetch", site.url("slow/model.gguf"))
        for _ in range(200):
            if site.requests:
                break
            time.sleep(0.02)
        second = start(folder, "fetch", site.url("slow/model.gguf"))
        for process in (first, second):
            out, err = process.communicate(timeout=60)
            equal(process.returncode, 0, err)
            with open(out.decode().strip(), "rb") as f:
                equal(f.read() == CONTENT, True)
        holds(err, "waiting")
        equal(len(site.requests), 1)


@claim
def ctrl_c_keeps_what_was_received(folder):
    with Site(CONTENT) as site:
        process = start(folder, "fetch", site.url("slow/model.gguf"))
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
        equal(process.returncode, INTERRUPTED, err)
        holds(err, "resume")
        parts = [p for p in leftovers(folder) if p.endswith(".part")]
        equal(len(parts), 1)
        equal(0 < os.path.getsize(parts[0]) < len(CONTENT), True)


@claim
def killing_it_leaves_no_file_under_the_final_name(folder):
    with Site(CONTENT) as site:
        target = os.path.join(folder, "model.gguf")
        process = start(folder, "fetch", site.url("slow/model.gguf"), "-o", target)
        time.sleep(0.5)
        process.kill()
        process.communicate()
        equal(os.path.exists(target), False)
        equal(content_of(fetch(folder, site.url("slow/model.gguf"), "-o", target)), CONTENT)


@claim
def the_bar_is_drawn_on_a_terminal_only(folder):
    with Site(CONTENT) as site:
        terminal = Terminal(folder, "fetch", site.url("slow/model.gguf"))
        equal(terminal.finish(), 0)
        holds(terminal.seen, "KiB/s", "left", " %")
        done = fetch(folder, site.url("slow/model.gguf"), "--force")
        status(done, 0)
        equal(b"%" in done.stderr or b"\r" in done.stderr, False)
        terminal = Terminal(folder, "fetch", site.url("slow/model.gguf"), "--force", "--quiet")
        equal(terminal.finish(), 0)
        equal(b"KiB/s" in terminal.seen, False)


@claim
def a_local_file_is_checked_where_it_lies(folder):
    path = os.path.join(folder, "here.gguf")
    with open(path, "wb") as f:
        f.write(CONTENT)
    done = fetch(folder, path, "--json")
    status(done, 0)
    equal(json.loads(done.stdout)["sha256"], SHA)
    status(fetch(folder, path, "--sha256", "1" * 64), HASH)
    equal(os.path.exists(path), True, "a user's own file is never deleted")


@claim
def a_catalogue_name_is_downloaded_and_verified(folder):
    with Site(CONTENT) as site:
        catalogue = write_catalogue(folder, [{"url": site.url("file/model.gguf")}])
        done = fetch(folder, "tiny", "--catalogue", catalogue)
        equal(content_of(done), CONTENT)
        holds(path_of(done), "/models/tiny/tiny.gguf")
        listed = json.loads(run(folder, "fetch", "--list", "--json", "--catalogue", catalogue).stdout)
        equal(listed[0]["path"], path_of(done))


@claim
def the_next_source_is_tried_when_one_fails(folder):
    with Site(CONTENT) as site:
        catalogue = write_catalogue(folder, [{"url": site.url("absent/a")},
                                             {"url": site.url("file/model.gguf")}])
        equal(content_of(fetch(folder, "tiny", "--catalogue", catalogue)), CONTENT)


@claim
def a_file_longer_than_the_catalogue_says_is_cut_off(folder):
    with Site(CONTENT) as site:
        catalogue = write_catalogue(folder, [{"url": site.url("file/model.gguf")}], size=1000)
        error = error_of(fetch(folder, "tiny", "--catalogue", catalogue, "--json"), HASH)
        holds(error["message"], "longer than the expected 1000 bytes")


@claim
def a_damaged_file_in_the_cache_is_noticed(folder):
    with Site(CONTENT) as site:
        catalogue = write_catalogue(folder, [{"url": site.url("file/model.gguf")}])
        path = path_of(fetch(folder, "tiny", "--catalogue", catalogue))
        with open(path, "r+b") as f:
            f.write(b"damage")
        status(fetch(folder, "tiny", "--catalogue", catalogue, "--verify"), HASH)
        with open(path, "ab") as f:
            f.write(b"more")
        status(fetch(folder, "tiny", "--catalogue", catalogue), HASH)
        equal(content_of(fetch(folder, "tiny", "--catalogue", catalogue, "--force")), CONTENT)


@claim
def malformed_catalogues_are_refused(folder):
    good = [{"url": "https://example.org/x"}]
    cases = [write_catalogue(folder, good, sha="short"), write_catalogue(folder, []),
             write_catalogue(folder, good, file="../../escape"), write_catalogue(folder, good, name="-x"),
             write_catalogue(folder, [{"pypi": [{"package": "--index-url=x", "files": "*"}]}]),
             write_catalogue(folder, good, size=0)]
    for index, arguments in enumerate([
            dict(sources=good, sha="short"), dict(sources=[]), dict(sources=good, file="../../escape"),
            dict(sources=good, name="-x"), dict(sources=[{"pypi": [{"package": "--index-url=x"}]}]),
            dict(sources=good, size=0)]):
        path = write_catalogue(folder, **arguments)
        error = error_of(fetch(folder, "tiny", "--catalogue", path, "--json"), BAD_FILE)
        holds(error["message"], "entry 1")
    with open(cases[0], "rb") as f:
        whole = f.read()
    for cut in range(0, len(whole) - 1, 7):
        with open(cases[0], "wb") as f:
            f.write(whole[:cut])
        status(fetch(folder, "tiny", "--catalogue", cases[0]), BAD_FILE)
    with open(cases[0], "w") as f:
        f.write("[" * 200_000)
    status(fetch(folder, "tiny", "--catalogue", cases[0]), BAD_FILE)
    status(fetch(folder, "tiny", "--catalogue", os.path.join(folder, "none.json")), NOT_FOUND)


def make_wheel(folder, name, data):
    """A minimal wheel that carries one data file."""
    plain = name.replace("-", "_")
    info = f"{plain}-1.0.dist-info"
    path = os.path.join(folder, f"{plain}-1.0-py3-none-any.whl")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr(f"{plain}/data/part.bin", data)
        z.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        z.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\n"
                                       "Root-Is-Purelib: true\nTag: py3-none-any\n")
        z.writestr(f"{info}/RECORD", "")


def package_environment(wheels):
    return {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": wheels, "PIP_CONFIG_FILE": "/dev/null",
            "SMIDGEN_PYTHON": sys.executable, "PIP_NO_CACHE_DIR": "1"}


@claim
def parts_of_packages_are_put_together_in_order_and_kept_when_one_fails(folder):
    if subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True).returncode != 0:
        raise Skip("this python has no pip")
    wheels = os.path.join(folder, "wheels")
    os.mkdir(wheels)
    cuts = [CONTENT[:100_000], CONTENT[100_000:150_000], CONTENT[150_000:]]
    parts = [{"package": f"tiny-part{i}==1.0", "files": "*/data/*"} for i in range(3)]
    catalogue = write_catalogue(folder, [{"pypi": parts}])
    for i in (0, 2):
        make_wheel(wheels, f"tiny-part{i}", cuts[i])
    env = package_environment(wheels)
    error = error_of(fetch(folder, "tiny", "--catalogue", catalogue, "--json", **env), NETWORK)
    holds(error["message"], "tiny-part1")
    os.remove(os.path.join(wheels, "tiny_part0-1.0-py3-none-any.whl"))  # part 0 must not be needed again
    make_wheel(wheels, "tiny-part1", cuts[1])
    done = fetch(folder, "tiny", "--catalogue", catalogue, **env)
    equal(content_of(done), CONTENT)
    equal([p for p in leftovers(os.path.join(folder, "cache")) if p != path_of(done)], [])


@claim
def a_package_with_other_content_is_refused(folder):
    wheels = os.path.join(folder, "wheels")
    os.mkdir(wheels)
    make_wheel(wheels, "tiny-part0", CONTENT[:-1] + b"x")
    catalogue = write_catalogue(folder, [{"pypi": [{"package": "tiny-part0==1.0", "files": "*/data/*"}]}])
    status(fetch(folder, "tiny", "--catalogue", catalogue, **package_environment(wheels)), HASH)
    catalogue = write_catalogue(folder, [{"pypi": [{"package": "tiny-part0==1.0", "files": "*.nothing"}]}])
    done = fetch(folder, "tiny", "--catalogue", catalogue, "--json", **package_environment(wheels))
    error = error_of(done, BAD_FILE)
    holds(error["message"], "*.nothing")


@claim
def without_python_the_hint_says_what_is_needed(folder):
    catalogue = write_catalogue(folder, [{"pypi": [{"package": "tiny-part0==1.0", "files": "*"}]}])
    done = fetch(folder, "tiny", "--catalogue", catalogue, "--json", SMIDGEN_PYTHON="/no/python")
    error = error_of(done, NETWORK)
    holds(error["advice"], "python3 with pip")


@claim
def a_certificate_that_nobody_signed_is_refused(folder):
    openssl = shutil.which("openssl")
    if openssl is None:
        raise Skip("there is no openssl to make a certificate")
    key, certificate = os.path.join(folder, "key.pem"), os.path.join(folder, "cert.pem")
    subprocess.run([openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out",
                    certificate, "-days", "1", "-subj", "/CN=localhost"], check=True, capture_output=True)
    with Site(CONTENT) as site:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        site.http.socket = context.wrap_socket(site.http.socket, server_side=True)
        error = error_of(fetch(folder, f"https://localhost:{site.port}/file/model.gguf", "--json"), NETWORK)
        holds(error["message"], "certificate")
        equal(site.requests, [])


@claim
def a_relative_cache_folder_is_ignored_and_none_at_all_is_an_error(folder):
    with Site(CONTENT) as site:
        done = fetch(folder, site.url("file/model.gguf"), XDG_CACHE_HOME="relative")
        holds(path_of(done), os.path.join(folder, ".cache", "smidgen"))
        done = fetch(folder, site.url("file/model.gguf"), "--json", XDG_CACHE_HOME=None, HOME=None)
        error = error_of(done, NOT_FOUND)
        holds(error["advice"], "--output")


@claim
def a_place_that_cannot_be_written_is_an_io_error(folder):
    blocker = os.path.join(folder, "blocker")
    with open(blocker, "w"):
        pass
    with Site(CONTENT) as site:
        status(fetch(folder, site.url("file/model.gguf"), XDG_CACHE_HOME=blocker), IO)


if __name__ == "__main__":
    main()
