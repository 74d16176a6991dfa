#!/bin/sh
# Runs a program that was built for 64-bit ARM: tests/run_qemu.sh PROGRAM [ARGUMENT...]
for emulator in qemu-aarch64 qemu-aarch64-static; do
    if command -v "$emulator" >/dev/null 2>&1; then
        exec "$emulator" "$@"
    fi
done
echo "run_qemu: no qemu-aarch64; run tools/setup.sh test" >&2
exit 127
