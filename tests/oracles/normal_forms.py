#!/usr/bin/env python3
"""Prints the digests that tests/unit/test_unicode.c compares with: SHA-256 of the four normal forms, the
categories and the lower case of many texts. Needs unicodedata2==15.1.0 for the committed digests."""
import hashlib

try:
    import unicodedata2 as ud
except ImportError:
    import unicodedata as ud

POINTS = [c for c in list(range(1, 0x2FA20)) + list(range(0xE0000, 0xE0200)) if not 0xD800 <= c < 0xE000]
PARTS = [int(c, 16) for c in (
    "41 65 6F 75 E9 1EA5 212B FB01 3C9 1F7C 928 9C7 9BE DD9 DDC FA1 300 301 302 307 308 30A 323 327 "
    "328 331 338 345 34F 5B0 64B 93C 1100 1112 1161 1175 11A8 11C2 AC00 AC01 D7A3 11099 110BA 1D15E "
    "1D165 ").split()]


def texts():
    yield "\n".join(chr(c) for c in POINTS)
    state = 1
    out = []
    for _ in range(200000):
        state = (state * 1664525 + 1013904223) % 2**32
        out.append(chr(PARTS[(state >> 16) % len(PARTS)]))
    yield "".join(out)


for form in ("NFC", "NFD", "NFKC", "NFKD"):
    for text in texts():
        print(form, hashlib.sha256(ud.normalize(form, text).encode()).hexdigest())
ORDER = "Cn Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp Cc Cf Cs Co".split()
categories = bytes(ORDER.index(ud.category(chr(c))) for c in range(0x110000))
print("category", hashlib.sha256(categories).hexdigest())
lower = "".join(chr(c).lower() if c != 0x130 else chr(c) for c in POINTS)
print("lower", hashlib.sha256(lower.encode()).hexdigest())
