#!/usr/bin/env python3
"""Writes src/tokenizers/unicode_tables.inc: general categories, lower case, combining classes, decompositions and
compositions, as compact tables. Run it as

    python3 tools/unicode_tables.py > src/tokenizers/unicode_tables.inc

It takes the data from the module unicodedata2 when that is installed (pip install unicodedata2==15.1.0, which made the
committed file) and else from Python's own unicodedata. The sizes are printed to stderr."""
import sys

try:
    import unicodedata2 as ud
except ImportError:
    import unicodedata as ud

CATEGORIES = ["Cn", "Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "No", "Pc", "Pd", "Ps", "Pe", "Pi", "Pf",
              "Po", "Sm", "Sc", "Sk", "So", "Zs", "Zl", "Zp", "Cc", "Cf", "Cs", "Co"]
TOP = 0x110000
total_bytes = 0


def emit(ctype, name, values, width):
    """One C array, wrapped."""
    global total_bytes
    total_bytes += width * len(values)
    print(f"static const {ctype} {name}[{len(values)}] = {{")
    line = "    "
    for value in values:
        text = f"{value},"
        if len(line) + len(text) > 108:
            print(line.rstrip())
            line = "    "
        line += text
    print(line.rstrip() + "\n};")
    print(f"{name}: {width * len(values)} bytes", file=sys.stderr)


def two_stage(values, shift):
    """Stage 1 (block numbers) and stage 2 (distinct blocks) of a table of small numbers."""
    size = 1 << shift
    blocks, first, index = {}, [], []
    for at in range(0, len(values), size):
        block = tuple(values[at:at + size])
        if block not in blocks:
            blocks[block] = len(blocks)
            first.extend(block)
        index.append(blocks[block])
    return index, first


def categories():
    """Code points up to 0x1FFFF and from 0xE0000 to 0xE01FF by table; the rest are the ranges in unicode.c."""
    values = [CATEGORIES.index(ud.category(chr(c))) for c in list(range(0x20000)) + list(range(0xE0000, 0xE0200))]
    best = min(range(3, 9), key=lambda s: sum(map(len, two_stage(values, s))) if max(two_stage(values, s)[0]) < 256
               else sum(map(len, two_stage(values, s))) + len(two_stage(values, s)[0]))
    index, data = two_stage(values, best)
    wide = max(index) > 255
    print(f"enum {{ UNICODE_CATEGORY_SHIFT = {best} }};")
    emit("uint16_t" if wide else "uint8_t", "unicode_category_index", index, 2 if wide else 1)
    emit("uint8_t", "unicode_category_data", data, 1)
    for c in range(0x20000, TOP):  # what unicode.c says about the code points without a table
        if 0xE0000 <= c < 0xE0200:
            continue
        cat = ud.category(chr(c))
        rule = "Co" if c >= 0xF0000 and (c & 0xFFFF) < 0xFFFE else "Lo" if c < 0x32400 and cat == "Lo" else "Cn"
        assert cat == rule, hex(c)


def ranges_outside_table():
    """The letter ranges from U+20000 on."""
    ranges, start = [], None
    for c in range(0x20000, 0xE0000):
        letter = ud.category(chr(c)) == "Lo"
        if letter and start is None:
            start = c
        if not letter and start is not None:
            ranges += [start, c - 1]
            start = None
    emit("uint32_t", "unicode_high_letters", ranges, 4)


def main():
    print(f"/* Made by tools/unicode_tables.py from Unicode {ud.unidata_version}; do not edit. */")
    categories()
    ranges_outside_table()
    print(f"{total_bytes} bytes in all", file=sys.stderr)


main()
