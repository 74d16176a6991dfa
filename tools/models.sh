#!/bin/sh
# Prints a folder that holds NAME.gguf for each model that is named, and no other: tools/models.sh NAME...
# A model is taken from $SMIDGEN_MODELS where that is set and has it; otherwise `smidgen fetch` brings it into
# its cache, and leaves it alone when it is there.
set -eu
cd "$(dirname "$0")/.."
rm -rf build/models
mkdir -p build/models
for name in "$@"; do
    path=${SMIDGEN_MODELS:-}/$name.gguf
    if [ -z "${SMIDGEN_MODELS:-}" ] || [ ! -f "$path" ]; then
        path=$(build/release/smidgen fetch "$name")
    fi
    [ -f "$path" ] || { echo "models: fetch of $name gave no file: $path" >&2; exit 1; }
    ln -s "$path" "build/models/$name.gguf"
done
echo "$PWD/build/models"
