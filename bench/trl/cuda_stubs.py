"""Lets PyPI's torch, a CUDA build on x86-64, load on a machine without the CUDA wheels (3 GB that a CPU never calls).

Loading torch fails where a library that it is linked to is missing, or a symbol of one. For each missing library this
writes a hollow one beside torch's own: it has the symbols that torch asks for, under the versions it asks for, and no
code behind them. Nothing on a CPU gets there: torch first asks the CUDA runtime, which is the real one, for a device.

Usage: python cuda_stubs.py SITE_PACKAGES   (needs readelf and a C++ compiler)
"""

import ctypes
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = "libtorch_python.so"  # what `import torch` loads; the rest follows from it


def readelf(option, library):
    return subprocess.run(["readelf", "-W", option, library], check=True, capture_output=True, text=True).stdout


def needed(library):
    """The libraries that it is linked to."""
    return re.findall(r"\(NEEDED\).*\[(.+)\]", readelf("-d", library))


def undefined_and_defined(library):
    """Its dynamic symbols, as sets of (name, version or None); a weak one may stay undefined and is left out."""
    sets = set(), set()
    for line in readelf("--dyn-syms", library).splitlines():
        fields = line.split()
        if len(fields) < 8 or not fields[0].rstrip(":").isdigit():
            continue
        is_defined = fields[6] != "UND"
        name, _, version = fields[7].partition("@")
        if is_defined or fields[4] != "WEAK":
            sets[is_defined].add((name, version.lstrip("@") or None))
    return sets


def versions_asked(library):
    """By library that it is linked to: the symbol versions that it asks for."""
    versions, asked = {}, set()
    for line in readelf("-V", library).splitlines():
        if found := re.search(r"File: (\S+)", line):
            asked = versions.setdefault(found[1], set())
        elif found := re.search(r"Name: (\S+) .*Version:", line):
            asked.add(found[1])
    return versions


def on_this_machine(name):
    try:
        ctypes.CDLL(name)
        return True
    except OSError:
        return False


def walk(present):
    """The files that loading ROOT loads, each with those of its libraries that are nowhere."""
    files, waiting, seen = {}, [ROOT], {ROOT}
    while waiting:
        file = present[waiting.pop()]
        libraries = needed(file)
        files[file] = {name for name in libraries if name not in present and not on_this_machine(name)}
        new = {name for name in libraries if name in present} - seen
        seen |= new
        waiting.extend(new)
    return files


def write_stub(target, versioned, plain, work):
    source, script = work / "stub.cc", work / "stub.map"
    names = sorted(plain.union(*versioned.values()))
    source.write_text('extern "C" {\n' + "".join(f"int {name}() {{ return 1; }}\n" for name in names) + "}\n")
    script.write_text("".join(f"{version} {{ {'; '.join(sorted(own))}; }};\n" for version, own in versioned.items()))
    options = [f"-Wl,--version-script={script}"] if versioned else []
    command = ["c++", "-shared", "-fPIC", "-w", f"-Wl,-soname,{target.name}", *options, "-o", target, source]
    subprocess.run(command, check=True)


def main(site_packages):
    torch = site_packages / "torch" / "lib"
    folders = [torch, *site_packages.glob("nvidia/*/lib")]
    files = walk({file.name: file for folder in folders for file in folder.glob("*.so*")})
    defined = set().union(*(undefined_and_defined(file)[1] for file in files))
    undefined, versions = set(), {}
    for file, missing in files.items():
        if not missing:
            continue
        undefined |= undefined_and_defined(file)[0]
        asked = versions_asked(file)
        for library in missing:
            versions.setdefault(library, set()).update(asked.get(library, ()))
    # which library an unversioned symbol comes from is written nowhere: every stub has all that nobody defines
    interpreter = ctypes.CDLL(None)
    plain = {name for name, version in undefined if version is None} - {name for name, _ in defined}
    plain = {name for name in plain if not hasattr(interpreter, name)}
    with tempfile.TemporaryDirectory() as work:
        for library, asked in sorted(versions.items()):
            own = {version: {name for name, wanted in undefined if wanted == version} for version in asked}
            write_stub(torch / library, own, plain, Path(work))
            print(f"{library}: {sum(map(len, own.values()))} versioned symbols, {len(plain)} others")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
