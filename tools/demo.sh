#!/bin/sh
# What `make demo` runs after the build: fetches a small real model (98 MB, Apache-2.0; once) and asks it
# something.
set -eu
cd "$(dirname "$0")/.."
model=smollm2-135m
prompt="Name three colours."
build/release/smidgen fetch "$model" >/dev/null
printf '$ smidgen run %s "%s"\n' "$model" "$prompt"
build/release/smidgen run "$model" "$prompt"
printf '\nTalk with it: build/release/smidgen chat %s\n' "$model"
