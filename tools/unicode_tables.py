#!/usr/bin/env python3
"""Writes the Unicode tables of the tokenizers: general categories and lower case; combining classes and
canonical decompositions; compatibility decompositions. Run it as

    python3 tools/unicode_tables.py categories > src/tokenizers/unicode_tables.inc
    python3 tools/unicode_tables.py canonical > src/tokenizers/canonical_tables.inc
    python3 tools/unicode_tables.py compatible > src/tokenizers/compatible_tables.inc

It takes the data from the module unicodedata2 when that is installed (pip install unicodedata2==15.1.0, which
made the committed files) and else from Python's own unicodedata. The sizes are printed to stderr."""
import sys

try:
    import unicodedata2 as ud
except ImportError:
    import unicodedata as ud

CATEGORIES = ("Cn Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp "
              "Cc Cf Cs Co").split()
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
    """Code points up to 0x1FFFF and from 0xE0000 to 0xE01FF by table; the rest are ranges in unicode.c."""
    points = list(range(0x20000)) + list(range(0xE0000, 0xE0200))
    values = [CATEGORIES.index(ud.category(chr(c))) for c in points]
    index, data = two_stage(values, 4)
    outer, inner = two_stage(index, 4)
    emit("uint8_t", "unicode_category_outer", outer, 1)
    emit("uint16_t", "unicode_category_inner", inner, 2)
    emit("uint8_t", "unicode_category_data", data, 1)
    assert max(outer) < 256
    for c in range(0x20000, TOP):  # what unicode.c says about the code points without a table
        if 0xE0000 <= c < 0xE0200:
            continue
        cat = ud.category(chr(c))
        is_private = c >= 0xF0000 and (c & 0xFFFF) < 0xFFFE
        rule = "Co" if is_private else "Lo" if c < 0x32400 and cat == "Lo" else "Cn"
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


def lower_case():
    """Ranges of code points whose lower case lies at a constant distance; U+0130 is left out."""
    pairs = [(c, ord(chr(c).lower())) for c in range(TOP)
             if not 0xD800 <= c < 0xE000 and c != 0x130 and chr(c).lower() != chr(c)]
    ranges = []
    for c, to in pairs:
        if ranges:
            start, count, stride, delta = ranges[-1]
            last = start + (count - 1) * stride
            if delta == to - c and (c - last == stride or (count == 1 and c - last in (1, 2))):
                ranges[-1] = (start, count + 1, c - last, delta)
                continue
        ranges.append((c, 1, 1, to - c))
    emit("uint32_t", "unicode_lower_start", [r[0] for r in ranges], 4)
    emit("uint16_t", "unicode_lower_count", [r[1] * 4 + r[2] for r in ranges], 2)  # count * 4 + stride
    emit("int32_t", "unicode_lower_delta", [r[3] for r in ranges], 4)


def combining():
    ranges = []
    for c in range(0x20000):
        ccc = ud.combining(chr(c))
        if ccc and ranges and ranges[-1][0] + ranges[-1][1] == c and ranges[-1][2] == ccc:
            ranges[-1][1] += 1
        elif ccc:
            ranges.append([c, 1, ccc])
    assert not any(ud.combining(chr(c)) for c in range(0x20000, TOP))
    emit("uint32_t", "unicode_combining_start", [r[0] * 256 + r[2] for r in ranges], 4)  # start * 256 + class
    emit("uint8_t", "unicode_combining_count", [r[1] for r in ranges], 1)


def canonical():
    """Canonical decompositions of one level; those that compose again first, by their parts."""
    pairs, wide, single, wide_single = [], [], [], []
    for c in range(TOP):
        text = ud.decomposition(chr(c))
        if not text or text.startswith("<"):
            continue
        parts = [int(part, 16) for part in text.split()]
        if len(parts) == 1:
            (single if max(c, parts[0]) < 0x10000 else wide_single).append((c, parts[0]))
            continue
        composes = ud.normalize("NFC", chr(parts[0]) + chr(parts[1])) == chr(c)
        (pairs if max(c, *parts) < 0x10000 else wide).append((not composes, parts[0], parts[1], c))
    pairs.sort()
    emit("uint16_t", "unicode_pair_first", [p[1] for p in pairs], 2)
    emit("uint16_t", "unicode_pair_second", [p[2] for p in pairs], 2)
    emit("uint16_t", "unicode_pair_whole", [p[3] for p in pairs], 2)
    emit("uint16_t", "unicode_pair_order", sorted(range(len(pairs)), key=lambda i: pairs[i][3]), 2)
    print(f"enum {{ UNICODE_PAIRS_COMPOSING = {sum(not p[0] for p in pairs)} }};")
    wide.sort()
    emit("uint32_t", "unicode_wide_pair", [v for p in wide for v in p[1:]], 4)
    print(f"enum {{ UNICODE_WIDE_PAIRS_COMPOSING = {sum(not p[0] for p in wide)} }};")
    emit("uint16_t", "unicode_single", [p[0] for p in single], 2)
    emit("uint16_t", "unicode_single_to", [p[1] for p in single], 2)
    emit("uint32_t", "unicode_wide_single", [p[0] for p in wide_single], 4)
    emit("uint32_t", "unicode_wide_single_to", [p[1] for p in wide_single], 4)


def compatibility():
    """Complete compatibility decompositions as UTF-16; ranges of neighbours of equal length."""
    ranges, data = [], []
    for c in range(TOP):
        if not ud.decomposition(chr(c)).startswith("<"):
            continue
        raw = ud.normalize("NFKD", chr(c)).encode("utf-16-le")
        units = [raw[i] + 256 * raw[i + 1] for i in range(0, len(raw), 2)]
        if ranges and ranges[-1][0] + ranges[-1][1] == c and ranges[-1][2] == len(units):
            ranges[-1][1] += 1
        else:
            ranges.append([c, 1, len(units), len(data)])
        data += units
    assert max(r[2] for r in ranges) < 32 and max(r[1] for r in ranges) < 2048
    emit("uint32_t", "unicode_compatible_start", [r[0] for r in ranges], 4)
    emit("uint16_t", "unicode_compatible_shape", [r[1] * 32 + r[2] for r in ranges], 2)  # count * 32 + units
    emit("uint16_t", "unicode_compatible_at", [r[3] for r in ranges], 2)
    emit("uint16_t", "unicode_compatible_data", data, 2)


TABLES = {"categories": (categories, ranges_outside_table, lower_case), "canonical": (combining, canonical),
          "compatible": (compatibility,)}


def main():
    if len(sys.argv) != 2 or sys.argv[1] not in TABLES:
        sys.exit("usage: unicode_tables.py " + "|".join(TABLES))
    print(f"/* Made by tools/unicode_tables.py {sys.argv[1]} from Unicode {ud.unidata_version}. */")
    for write in TABLES[sys.argv[1]]:
        write()
    print(f"{total_bytes} bytes in all", file=sys.stderr)


main()
