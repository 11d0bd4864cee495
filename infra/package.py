"""Makes the Lambda packages: `package.py [--architecture A] BIN_DIR OUT_DIR NAME...` writes OUT_DIR/NAME.zip with the binary
as `bootstrap`, and OUT_DIR/SHA256SUMS (`sha256sum -c` reads it).

Packages are reproducible: the same binary gives the same bytes, so that a deployment changes a function only when its
code changed. Between machines the bytes of a zip also depend on Python's zlib; the binary's own sum is printed beside it.
Invariant: never packages a binary that the Lambda runtime could not start, and SHA256SUMS names the packages of one run.
"""

import argparse
import hashlib
import pathlib
import re
import struct
import sys
import zipfile

# provided.al2023 is Amazon Linux 2023, which has this glibc (docs.aws.amazon.com/linux/al2023: "Compiler and glibc"). A binary
# linked on a newer system may ask for symbols that it does not have; the loader refuses it, at the first invocation.
GLIBC_OF_THE_RUNTIME = (2, 34)
# Lambda's names of architectures, and ELF's (e_machine).
MACHINES = {"x86_64": 62, "arm64": 183}
SUMS = "SHA256SUMS"


class Unfit(Exception):
    """Why a file cannot be a function's `bootstrap`, and what mends it."""


def architecture_of(binary):
    """Lambda's name of the architecture that an ELF program is for; `Unfit` for anything else."""
    # Magic, 64 bit, little endian; the machine is the half word at offset 18.
    if len(binary) < 20 or binary[:6] != b"\x7fELF\x02\x01":
        raise Unfit("is no 64-bit Linux program")
    (machine,) = struct.unpack_from("<H", binary, 18)
    for name, number in MACHINES.items():
        if machine == number:
            return name
    raise Unfit(f"is for a processor that Lambda does not have (ELF machine {machine})")


def newest_glibc(binary):
    """The newest glibc version that the binary asks for."""
    versions = re.findall(rb"\0GLIBC_(\d+)\.(\d+)", binary)
    return max(((int(major), int(minor)) for major, minor in versions), default=(0, 0))


def check(binary, architecture):
    """Raises `Unfit` unless the Lambda runtime of this architecture can start the binary."""
    found = architecture_of(binary)
    if found != architecture:
        raise Unfit(f"is for {found}, not {architecture}: make package ARCHITECTURE={architecture}")
    needed = newest_glibc(binary)
    if needed > GLIBC_OF_THE_RUNTIME:
        raise Unfit(
            f"needs glibc {needed[0]}.{needed[1]}, the Lambda runtime has"
            f" {GLIBC_OF_THE_RUNTIME[0]}.{GLIBC_OF_THE_RUNTIME[1]}: build it with make package (infra/build.py)"
        )


def pack(binary, path):
    """Writes the package: one entry of a fixed date (the oldest that a zip can hold), mode and maker."""
    entry = zipfile.ZipInfo("bootstrap", date_time=(1980, 1, 1, 0, 0, 0))
    # Unix, whatever this runs on: the mode is read from there.
    entry.create_system = 3
    entry.external_attr = 0o100755 << 16
    entry.compress_type = zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(entry, binary, compresslevel=9)


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def main():
    parser = argparse.ArgumentParser(description="Make the Lambda packages.")
    parser.add_argument("--architecture", choices=list(MACHINES), default="x86_64")
    parser.add_argument("source", type=pathlib.Path, metavar="BIN_DIR")
    parser.add_argument("target", type=pathlib.Path, metavar="OUT_DIR")
    parser.add_argument("names", nargs="+", metavar="NAME")
    arguments = parser.parse_args()

    # All are looked at before one is written: packages of two builds are never mixed.
    binaries = {}
    for name in sorted(arguments.names):
        try:
            binary = (arguments.source / name).read_bytes()
            check(binary, arguments.architecture)
        except FileNotFoundError as missing:
            sys.exit(f"package: {missing.filename} is not there: build it first (make package)")
        except Unfit as why:
            sys.exit(f"package: {name} {why}")
        binaries[name] = binary

    arguments.target.mkdir(parents=True, exist_ok=True)
    sums = arguments.target / SUMS
    # Written last: while it is missing, what lies there is not whole.
    sums.unlink(missing_ok=True)
    lines = []
    for name, binary in binaries.items():
        path = arguments.target / f"{name}.zip"
        pack(binary, path)
        package = path.read_bytes()
        lines.append(f"{sha256(package)}  {path.name}\n")
        print(f"{path}  {arguments.architecture}  {len(package):>9,} bytes  sha256 {sha256(package)}")
        print(f"  bootstrap  {len(binary):,} bytes  sha256 {sha256(binary)}")
    sums.write_text("".join(lines), encoding="ascii")


if __name__ == "__main__":
    main()
