#!/bin/sh
# Installs what Smidgen's build needs on Debian or Ubuntu: tools/setup.sh [demo|test|dev|wasm]
#   demo   compiler, CMake, libcurl, PCRE2, and the pinned third-party sources in .deps/
#   test   demo, and a cross compiler with qemu for the ARM tests, Node.js with the packages of
#          tests/package.json
#   wasm   demo, and clang, lld and wasi-libc for the browser build, Node.js
#   dev    test, and clang for the fuzzers and ThreadSanitizer, gcovr for coverage
# Safe to run again: it asks for nothing that is there and says what it does. Packages are installed as root
# or by sudo.
set -eu
cd "$(dirname "$0")/.."
group=${1:-demo}
case $group in demo | test | dev | wasm) ;; *)
    echo "usage: tools/setup.sh [demo|test|dev|wasm]" >&2
    exit 2
    ;;
esac

say() { printf 'setup: %s\n' "$*"; }
die() {
    printf 'setup: %s\n' "$*" >&2
    exit 1
}

# -------------------------------------------------------------------------------------------- system packages
missing=
# need PACKAGE CHECK...: the package is missing when the check fails.
need() {
    package=$1
    shift
    "$@" >/dev/null 2>&1 || missing="$missing $package"
}
has_header() { printf '#include <%s>\n' "$1" | cc -E -x c - >/dev/null 2>&1; }
# Compiler with libclang_rt (sanitizers, libFuzzer): a compiled and linked program proves it.
has_clang() {
    scratch=$(mktemp -d)
    status=0
    printf 'int LLVMFuzzerTestOneInput(const char *d, unsigned long n) { return d == 0 && n > 0; }\n' \
        >"$scratch/a.c"
    tools/clang -fsanitize=fuzzer,address "$scratch/a.c" -o "$scratch/a" >/dev/null 2>&1 || status=1
    rm -rf "$scratch"
    return $status
}
# The newest clang that the package lists offer and that has its run-time library as a package.
newest_clang() {
    version=30
    while [ "$version" -ge 14 ]; do
        if offered "clang-$version"; then
            echo "clang-$version"
            offered "libclang-rt-$version-dev" && echo "libclang-rt-$version-dev"
            return
        fi
        version=$((version - 1))
    done
    echo clang
}
offered() { apt-cache policy "$1" 2>/dev/null | grep -q 'Candidate: [^(]'; }

need gcc command -v gcc
need libc6-dev has_header stdio.h
need cmake command -v cmake
need ninja-build command -v ninja
need pkg-config command -v pkg-config
need python3 command -v python3
need python3-pip python3 -m pip --version
need ca-certificates test -e /etc/ssl/certs/ca-certificates.crt
need libcurl4-openssl-dev pkg-config --exists libcurl
need libpcre2-dev pkg-config --exists libpcre2-8
if [ "$group" = wasm ]; then
    need clang-22 command -v clang-22
    need lld-22 command -v wasm-ld-22
    need wasi-libc test -e /usr/lib/wasm32-wasi/crt1-reactor.o
    need libclang-rt-22-dev-wasm32 \
        test -e /usr/lib/llvm-22/lib/clang/22/lib/wasi/libclang_rt.builtins-wasm32.a
    need nodejs command -v node
    need npm command -v npm
fi
if [ "$group" = test ] || [ "$group" = dev ]; then
    need gcc-aarch64-linux-gnu command -v aarch64-linux-gnu-gcc
    need libc6-dev-arm64-cross test -e /usr/aarch64-linux-gnu/include/stdio.h
    need qemu-user sh -c 'command -v qemu-aarch64 || command -v qemu-aarch64-static'
    need nodejs command -v node
    need npm command -v npm
fi
if [ "$group" = dev ]; then
    need clang has_clang
    need gcovr command -v gcovr
fi

if [ -n "$missing" ]; then
    command -v apt-get >/dev/null || die "missing:$missing; install them by hand (this script knows apt only)"
    sudo=
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || die "missing:$missing; run as root or install sudo"
        sudo=sudo
    fi
    say "apt-get update"
    $sudo apt-get update -qq
    case " $missing " in *' clang '*)
        missing=$(printf '%s' "$missing" | sed 's/ clang\b//')
        missing="$missing $(newest_clang | tr '\n' ' ')"
        ;;
    esac
    say "apt-get install$missing"
    # shellcheck disable=SC2086
    $sudo env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends $missing >/dev/null
else
    say "system packages: all there"
fi

# ---------------------------------------------------------------------------------------- third-party sources
# pypi_source NAME VERSION SHA256: the source archive of a Python package, unpacked to .deps/NAME-VERSION.
pypi_source() {
    if [ -e ".deps/$1-$2/.complete" ]; then
        say "$1 $2: there"
        return
    fi
    mkdir -p .deps/dl
    archive=.deps/dl/$1-$2.tar.gz
    if ! printf '%s  %s\n' "$3" "$archive" | sha256sum -c --status 2>/dev/null; then
        say "$1 $2: downloading"
        printf '%s==%s --hash=sha256:%s\n' "$1" "$2" "$3" >.deps/dl/requirements.txt
        python3 -m pip download -q --disable-pip-version-check --no-deps --no-binary "$1" \
            --require-hashes -r .deps/dl/requirements.txt -d .deps/dl
        printf '%s  %s\n' "$3" "$archive" | sha256sum -c --status || die "$archive: wrong sha256"
    fi
    rm -rf .deps/unpacking ".deps/$1-$2"
    mkdir .deps/unpacking
    tar -xzf "$archive" -C .deps/unpacking
    touch ".deps/unpacking/$1-$2/.complete"
    mv ".deps/unpacking/$1-$2" .deps/
    rmdir .deps/unpacking
    say "$1 $2: unpacked to .deps/$1-$2"
}
pypi_source yyjson 4.0.6 fcd4dc15c1e39a30bf9fa85d56903029111506860fc3080ab0d81c6c6dacaa8c

# ---------------------------------------------------------------------------------------------- node packages
if { [ "$group" = test ] || [ "$group" = dev ]; } && [ -e tests/package-lock.json ]; then
    if [ tests/node_modules/.complete -nt tests/package-lock.json ]; then
        say "packages of tests/package.json: there"
    else
        say "packages of tests/package.json: npm ci"
        (cd tests && npm ci --no-audit --no-fund --silent)
        touch tests/node_modules/.complete
    fi
fi
