#!/usr/bin/env python3
"""run.py BUILD_FOLDER: installs the build into an empty prefix, moves it, and builds a program against
it by CMake and by pkg-config, static and shared. Both libraries must define the public names and no other."""
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
HEADER = os.path.join(HERE, "..", "..", "include", "smidgen.h")


def run(*command, **options):
    result = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    if result.returncode:
        raise RuntimeError(f"{' '.join(command)}: status {result.returncode}\n"
                           f"{result.stdout}{result.stderr}")
    return result.stdout


def public_names():
    """Functions that the header declares with SMIDGEN_API."""
    with open(HEADER, encoding="utf-8") as file:
        return set(re.findall(r"^SMIDGEN_API [^;(]*?(\w+)\(", file.read(), re.M))


def defined_names(*nm):
    rows = [line.split() for line in run("nm", "--defined-only", *nm).splitlines()]
    return {row[-1] for row in rows if len(row) == 3}


def version():
    with open(HEADER, encoding="utf-8") as file:
        return ".".join(re.findall(r"#define SMIDGEN_VERSION_\w+ (\d+)", file.read()))


class Checks:
    """Each method is one test over the installed prefix."""

    def __init__(self, prefix, scratch):
        self.prefix, self.scratch = prefix, scratch
        self.library_folder = os.path.dirname(self.find("libsmidgen.a"))

    def find(self, name):
        for folder, _, names in os.walk(self.prefix):
            if name in names:
                return os.path.join(folder, name)
        raise RuntimeError(f"{name} was not installed")

    def pkg_config(self, *arguments):
        folder = os.path.dirname(self.find("smidgen.pc"))
        return run("pkg-config", *arguments, "smidgen", env={**os.environ, "PKG_CONFIG_PATH": folder}).split()

    def expect_version(self, program):
        printed = run(program, env={**os.environ, "LD_LIBRARY_PATH": self.library_folder}).strip()
        if printed != version():
            raise RuntimeError(f"{program} printed {printed}, the header says {version()}")

    def compare_names(self, found):
        expected = public_names()
        if not expected or found != expected:
            raise RuntimeError(f"not in the library: {sorted(expected - found)}; "
                               f"not in the header: {sorted(found - expected)}")

    def shared_library_exports_the_header_alone(self):
        self.compare_names(defined_names("-D", self.find("libsmidgen.so")))

    def static_library_defines_the_header_alone(self):
        self.compare_names(defined_names("-g", self.find("libsmidgen.a")))

    def cmake_finds_both_libraries(self):
        build = os.path.join(self.scratch, "cmake")
        run("cmake", "-S", HERE, "-B", build, "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={self.prefix}")
        run("cmake", "--build", build)
        self.expect_version(os.path.join(build, "consumer_shared"))
        self.expect_version(os.path.join(build, "consumer_static"))

    def pkg_config_links_shared(self):
        program = os.path.join(self.scratch, "pkg_shared")
        run("cc", os.path.join(HERE, "consumer.c"), "-o", program, *self.pkg_config("--cflags", "--libs"))
        if "libsmidgen.so" not in run("readelf", "-d", program):
            raise RuntimeError("the program does not need libsmidgen.so")
        self.expect_version(program)

    def pkg_config_links_static(self):
        program = os.path.join(self.scratch, "pkg_static")
        flags = ["-l:libsmidgen.a" if flag == "-lsmidgen" else flag
                 for flag in self.pkg_config("--static", "--cflags", "--libs")]
        run("cc", os.path.join(HERE, "consumer.c"), "-o", program, *flags)
        if "libsmidgen.so" in run("readelf", "-d", program):
            raise RuntimeError("the program needs libsmidgen.so")
        self.expect_version(program)

    def header_version_is_the_package_version(self):
        if self.pkg_config("--modversion") != [version()]:
            raise RuntimeError(f"pkg-config says {self.pkg_config('--modversion')}")


def main():
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    passed = failed = 0
    with tempfile.TemporaryDirectory() as scratch:
        run("cmake", "--install", sys.argv[1], "--prefix", os.path.join(scratch, "first"))
        prefix = shutil.move(os.path.join(scratch, "first"), os.path.join(scratch, "moved"))
        checks = Checks(prefix, scratch)
        helpers = {"find", "pkg_config", "expect_version", "compare_names"}
        for name in [name for name in vars(Checks) if name not in helpers and not name.startswith("_")]:
            try:
                getattr(checks, name)()
                passed += 1
            except RuntimeError as error:
                failed += 1
                print(f"FAIL {name}: {error}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
