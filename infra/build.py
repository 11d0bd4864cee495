"""Compiles the Lambda functions: `build.py [--architecture A] CRATE...`, into TARGET_DIR/TRIPLE/release.

zig (cargo-zigbuild, both pinned in tests/localcloud/python/package.txt) is C compiler and linker: it links against the glibc of
the Lambda runtime instead of this machine's, for both architectures, and its output does not depend on the system's compiler.
Invariant: the same sources, Cargo.lock and rustc give the same binaries, in whatever folder the checkout lies.
"""

import argparse
import os
import pathlib
import subprocess
import sys

# Nothing is left behind in the checkout.
sys.dont_write_bytecode = True
from package import GLIBC_OF_THE_RUNTIME

ROOT = pathlib.Path(__file__).resolve().parents[1]
TRIPLES = {"x86_64": "x86_64-unknown-linux-gnu", "arm64": "aarch64-unknown-linux-gnu"}
# What somebody's shell may say about compiling would be in the binary.
FOREIGN = ("CARGO_BUILD_", "CARGO_PROFILE_", "CARGO_TARGET_", "CC_", "CFLAGS", "CPPFLAGS", "CXXFLAGS", "LDFLAGS", "RUSTFLAGS")
KEPT = ("CARGO_TARGET_DIR",)
# What a compiler takes for the present (reproducible-builds.org/specs/source-date-epoch): 1980, as in the packages.
EPOCH = "315532800"


def output(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT).stdout.strip()


def require_target(triple):
    """Ends with the line that mends it when rustc has no standard library for the target."""
    library = pathlib.Path(output("rustc", "--print", "target-libdir", "--target", triple))
    if not any(library.glob("libstd-*.rlib")):
        sys.exit(f"build: rustc has no standard library for {triple}: rustup target add {triple}")


def remapped(target_dir):
    """Flags that replace the folders of this machine in panic messages; where several match, the last one counts."""
    home = pathlib.Path(os.environ.get("CARGO_HOME") or pathlib.Path.home() / ".cargo")
    commit = dict(line.split(": ", 1) for line in output("rustc", "-vV").splitlines() if ": " in line)["commit-hash"]
    folders = {
        # As it is given and as it is: cargo follows no link.
        home: "/cargo",
        home.resolve(): "/cargo",
        # Where the component rust-src is installed, rustc names its files there.
        pathlib.Path(output("rustc", "--print", "sysroot")) / "lib/rustlib/src/rust": f"/rustc/{commit}",
        ROOT: "/twinpool",
        target_dir: "/twinpool/target",
        target_dir.resolve(): "/twinpool/target",
    }
    return [f"--remap-path-prefix={folder}={name}" for folder, name in folders.items()]


def environment(tools, target_dir):
    """The build's own environment: the pinned tools first, caches in the checkout, and nothing foreign that changes code."""
    cache = (ROOT / (os.environ.get("TWINPOOL_CACHE") or ".local")).resolve()
    kept = {
        name: value for name, value in os.environ.items() if name in KEPT or not name.startswith(FOREIGN)
    }
    return {
        **kept,
        "PATH": f"{tools / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}",
        # The private Python's zig, even where another one is installed.
        "CARGO_ZIGBUILD_PYTHON_PATH": str(tools / "bin/python"),
        "CARGO_ZIGBUILD_CACHE_DIR": str(cache / "zigbuild"),
        "ZIG_GLOBAL_CACHE_DIR": str(cache / "zig"),
        "ZIG_LOCAL_CACHE_DIR": str(cache / "zig"),
        "CARGO_ENCODED_RUSTFLAGS": "\x1f".join(remapped(target_dir)),
        "SOURCE_DATE_EPOCH": EPOCH,
    }


def main():
    parser = argparse.ArgumentParser(description="Compile the Lambda functions for the Lambda runtime.")
    parser.add_argument("--architecture", choices=list(TRIPLES), default="x86_64")
    parser.add_argument("crates", nargs="+", metavar="CRATE")
    arguments = parser.parse_args()
    triple = TRIPLES[arguments.architecture]
    # First, because everything else takes minutes.
    require_target(triple)
    tools = pathlib.Path(output(sys.executable, "tests/localcloud/python/ensure", "package", "--path"))
    target_dir = ROOT / (os.environ.get("CARGO_TARGET_DIR") or "target")
    variables = environment(tools, target_dir)
    glibc = ".".join(map(str, GLIBC_OF_THE_RUNTIME))
    # One command per crate, so that a trigger is not built with the features that only the replicator asks for.
    for crate in arguments.crates:
        command = ["cargo", "zigbuild", "--release", "--locked", "-p", crate, "--target", f"{triple}.{glibc}"]
        done = subprocess.run(command, cwd=ROOT, env=variables)
        if done.returncode != 0:
            sys.exit(f"build: {crate} did not compile (status {done.returncode})")


if __name__ == "__main__":
    main()
