"""Fill `vendor/` with the scripts that pages load, and record the hashes of all their files.

Run it only to change a version; the result is committed, so no build needs the network.

    python book/_extra/vendor.py            fetch with npm, check, unpack, record
    python book/_extra/vendor.py --check    compare the files with the record

The folder is served beside the pages and stays out of `_static`: Jupyter Book adds a tag for every
script it finds there to every page.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

VENDOR = Path(__file__).resolve().parent / "vendor"
RECORD = "SHA256SUMS"


@dataclass(frozen=True)
class Package:
    """A release on npm, and what of it the pages need."""

    release: str  # name@version
    integrity: str  # the registry's own checksum, so that a changed download is refused
    folder: str  # below `vendor/`
    kept: tuple[str, ...]  # beginnings of paths in the archive
    dropped: tuple[str, ...] = ()
    inner: str = ""  # this part of a path is left out


PACKAGES = (
    # TeX in, HTML and CSS out, with its fonts and the extensions that MathJax loads on demand.
    Package(
        release="mathjax@3.2.2",
        integrity="sha512-Bt+SSVU8eBG27zChVewOicYs7Xsdt40qm4+UpHyX7k0"
        "/O9NliPc+x77k1/FEsPsjKPZGJvtRZM1vO+geW0OhGw==",
        folder="mathjax",
        kept=(
            "LICENSE",
            "es5/tex-chtml.js",
            "es5/input/tex/extensions/",
            "es5/output/chtml/fonts/woff-v2/",
        ),
        dropped=("es5/input/tex/extensions/all-packages.js",),  # the others again, in one file
        inner="es5/",
    ),
    # The smallest bundle that draws in three dimensions; the python package writes what it reads.
    Package(
        release="plotly.js-gl3d-dist-min@4.1.1",
        integrity="sha512-HNdhOi/mVr29u6BbzJvz1kAjEzCxwfaZNLipjNCxg33"
        "JE3RmRHhPDUd0LCuQMDcRR5LLFFfaSMMdtOWl0bERZA==",
        folder="plotly",
        kept=("LICENSE", "plotly-gl3d.min.js"),
    ),
)


def fetch(package: Package, folder: Path) -> Path:
    """Download an archive by name through npm and refuse it if its checksum differs."""
    subprocess.run(["npm", "pack", "--silent", package.release], cwd=folder, check=True)
    (archive,) = folder.glob("*.tgz")
    digest = hashlib.sha512(archive.read_bytes()).digest()
    came = "sha512-" + base64.b64encode(digest).decode()
    if came != package.integrity:
        raise ValueError(f"{package.release}: expected {package.integrity}, got {came}")
    return archive


def unpack(package: Package, archive: Path, vendor: Path = VENDOR) -> None:
    """Replace the package's folder by the kept files of its archive."""
    target = vendor / package.folder
    shutil.rmtree(target, ignore_errors=True)
    with tarfile.open(archive) as source:
        for member in source.getmembers():
            name = member.name.removeprefix("package/")
            if not member.isfile() or not name.startswith(package.kept) or name in package.dropped:
                continue
            place = target / name.removeprefix(package.inner)
            place.parent.mkdir(parents=True, exist_ok=True)
            content = source.extractfile(member)
            if content is not None:
                place.write_bytes(content.read())


def hashes(folder: Path) -> dict[str, str]:
    """The SHA-256 of every vendored file, by its path below the folder."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != RECORD]
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


def recorded(folder: Path) -> dict[str, str]:
    """The hashes in the record, in the form that `sha256sum --check` reads."""
    lines = (folder / RECORD).read_text(encoding="ascii").splitlines()
    pairs = [line.split("  ", 1) for line in lines]
    return {name: digest for digest, name in pairs}


def differences(folder: Path) -> list[str]:
    """Every vendored file that is missing, foreign or changed."""
    here, there = hashes(folder), recorded(folder)
    return sorted(name for name in here.keys() | there.keys() if here.get(name) != there.get(name))


def main() -> int:
    parser = argparse.ArgumentParser(description="Fill or check the vendored scripts.")
    parser.add_argument("--check", action="store_true", help="only compare with the record")
    if parser.parse_args().check:
        wrong = differences(VENDOR)
        print("\n".join(f"differs from the record: {name}" for name in wrong) or "as recorded")
        return 1 if wrong else 0
    for package in PACKAGES:
        with tempfile.TemporaryDirectory() as folder:
            unpack(package, fetch(package, Path(folder)))
    lines = [f"{digest}  {name}\n" for name, digest in hashes(VENDOR).items()]
    (VENDOR / RECORD).write_text("".join(lines), encoding="ascii")
    releases = ", ".join(package.release for package in PACKAGES)
    print(f"{releases}: {len(lines)} files recorded in {RECORD}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
