#!/bin/sh
# Prints a folder that holds NAME.gguf for each model that is named: tools/models.sh NAME...
# $SMIDGEN_MODELS wins where it is set; otherwise `smidgen fetch` brings the models into its cache (and leaves
# those alone that are there), and build/models gets a link to each.
set -eu
cd "$(dirname "$0")/.."
if [ -n "${SMIDGEN_MODELS:-}" ]; then
    echo "$SMIDGEN_MODELS"
    exit 0
fi
mkdir -p build/models
for name in "$@"; do
    path=$(build/release/smidgen fetch "$name")
    [ -f "$path" ] || { echo "models: fetch of $name gave no file: $path" >&2; exit 1; }
    ln -sf "$path" "build/models/$name.gguf"
done
echo "$PWD/build/models"
