"""The vendored scripts: downloads are checked, files are chosen, and a changed byte is seen."""

from __future__ import annotations

import base64
import hashlib
import importlib
import io
import shutil
import sys
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from .tree import ROOT

sys.path.insert(0, str(ROOT / "book" / "_extra"))
vendor: Any = importlib.import_module("vendor")

FILES = {
    "package/LICENSE": b"free",
    "package/dist/a.js": b"a()",
    "package/dist/b.js": b"b()",
    "package/readme": b"words",
}


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A small npm archive."""
    path = tmp_path / "small-1.0.0.tgz"
    with tarfile.open(path, "w:gz") as target:
        for name, content in FILES.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            target.addfile(member, io.BytesIO(content))
    return path


@pytest.fixture
def package(archive: Path) -> Any:
    """What the script would know of it."""
    digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    return vendor.Package(
        release="small@1.0.0",
        integrity=f"sha512-{digest}",
        folder="small",
        kept=("LICENSE", "dist/"),
        dropped=("dist/b.js",),
        inner="dist/",
    )


@pytest.fixture
def npm(archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder into which `npm pack` puts that archive."""

    def pack(command: list[str], cwd: Path, check: bool) -> None:
        assert command[:2] == ["npm", "pack"] and command[-1] == "small@1.0.0" and check
        shutil.copy(archive, cwd)

    monkeypatch.setattr(vendor.subprocess, "run", pack)
    (tmp_path / "download").mkdir()
    return tmp_path / "download"


def test_an_archive_as_registered_is_taken(package: Any, npm: Path) -> None:
    """The checksum of the registry and that of the file agree."""
    assert vendor.fetch(package, npm).name == "small-1.0.0.tgz"


def test_a_changed_archive_is_refused(package: Any, npm: Path) -> None:
    """One other bit in what was downloaded, and nothing is unpacked."""
    with pytest.raises(ValueError, match="small@1.0.0: expected sha512-AAAA"):
        vendor.fetch(replace(package, integrity="sha512-AAAA"), npm)


def test_only_what_is_wanted_is_kept(package: Any, archive: Path, tmp_path: Path) -> None:
    """Chosen files, without those that are dropped, in place of all that was there."""
    stale = tmp_path / "vendor" / "small" / "stale.js"
    stale.parent.mkdir(parents=True)
    stale.write_text("")
    vendor.unpack(package, archive, tmp_path / "vendor")
    kept = vendor.hashes(tmp_path / "vendor")
    assert sorted(kept) == ["small/LICENSE", "small/a.js"]


def test_each_package_is_recorded_with_its_license() -> None:
    """Every folder belongs to a package of the list, and every package came with its license."""
    names = set(vendor.recorded(vendor.VENDOR))
    folders = {package.folder for package in vendor.PACKAGES}
    assert {name.split("/")[0] for name in names} == folders
    assert {f"{folder}/LICENSE" for folder in folders} <= names
    assert all("@" in one.release and one.integrity[:7] == "sha512-" for one in vendor.PACKAGES)


@pytest.mark.parametrize("package", vendor.PACKAGES, ids=lambda one: one.folder)
def test_one_changed_byte_is_seen(package: Any, tmp_path: Path) -> None:
    """The check covers each package's scripts to the last byte."""
    copy = tmp_path / "vendor"
    shutil.copytree(vendor.VENDOR, copy)
    script = max((copy / package.folder).rglob("*.js"), key=lambda path: path.stat().st_size)
    content = bytearray(script.read_bytes())
    content[-1] ^= 1
    script.write_bytes(bytes(content))
    assert vendor.differences(copy) == [script.relative_to(copy).as_posix()]
