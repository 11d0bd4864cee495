"""Makes the Lambda packages: `package.py BIN_DIR OUT_DIR NAME...` writes OUT_DIR/NAME.zip with the binary as `bootstrap`.

Packages are reproducible: the same binary gives the same bytes, so that a deployment changes a function only when its
code changed.
Invariant: never packages a binary that the Lambda runtime could not start.
"""

import hashlib
import pathlib
import re
import sys
import zipfile

# provided.al2023 is Amazon Linux 2023; a binary built on a newer system may ask for symbols that it does not have.
GLIBC_OF_THE_RUNTIME = (2, 34)


def newest_glibc(binary):
    """The newest glibc version that the binary asks for."""
    versions = re.findall(rb"\0GLIBC_(\d+)\.(\d+)", binary)
    return max(((int(major), int(minor)) for major, minor in versions), default=(0, 0))


def main():
    source, target = map(pathlib.Path, sys.argv[1:3])
    target.mkdir(parents=True, exist_ok=True)
    for name in sys.argv[3:]:
        binary = (source / name).read_bytes()
        needed = newest_glibc(binary)
        if needed > GLIBC_OF_THE_RUNTIME:
            sys.exit(
                f"package: {name} needs glibc {needed[0]}.{needed[1]}, the Lambda runtime has"
                f" {GLIBC_OF_THE_RUNTIME[0]}.{GLIBC_OF_THE_RUNTIME[1]}: build it on an older system, or with cargo lambda"
            )
        # A fixed date (the oldest that a zip can hold) and mode.
        entry = zipfile.ZipInfo("bootstrap", date_time=(1980, 1, 1, 0, 0, 0))
        entry.external_attr = 0o100755 << 16
        entry.compress_type = zipfile.ZIP_DEFLATED
        path = target / f"{name}.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(entry, binary, compresslevel=9)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        print(f"{path}  {path.stat().st_size:>9,} bytes  (binary {len(binary):,})  sha256 {digest}")


if __name__ == "__main__":
    main()
