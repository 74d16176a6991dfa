#!/usr/bin/env python3
"""Writes src/quant/iq_grids.inc: the points of the IQ2 and IQ3 grids, from the PyPI package `gguf`.

    pip install gguf==0.19.0 && tools/quant_grids.py > src/quant/iq_grids.inc

The grids are data of the file formats: they cannot be derived. Here each point is one 16-bit number that
holds the level of each of its 8 (IQ2, 2 bits a level) or 4 (IQ3, 3 bits a level) weights, the first weight
in the lowest bits."""
from gguf import quants

HEAD = """\
/* Made by tools/quant_grids.py; do not edit. Grid points of IQ2 (8 levels of 2 bits) and IQ3 (4 of 3
 * bits), the first weight in the lowest bits. */
"""


def points(kind, bits):
    kind.init_grid()
    levels = list(kind.grid_map)
    rows = kind.grid.reshape(kind.grid_shape)
    return [sum(levels.index(int(v)) << (bits * j) for j, v in enumerate(row)) for row in rows]


def main():
    print(HEAD, end="")
    for name, kind, bits in (
        ("iq2_xxs", quants.IQ2_XXS, 2),
        ("iq2_xs", quants.IQ2_XS, 2),
        ("iq2_s", quants.IQ2_S, 2),
        ("iq3_xxs", quants.IQ3_XXS, 3),
        ("iq3_s", quants.IQ3_S, 3),
    ):
        values = points(kind, bits)
        print(f"static const uint16_t grid_{name}[{len(values)}] = {{")
        for i in range(0, len(values), 15):
            print("    " + "".join(f"{v:#x}," for v in values[i : i + 15]))
        print("};")


main()
