"""Stands in for the CUDA libraries that PyPI's torch is linked to, on a machine without a GPU (3 GB that nobody calls).

Usage: python cuda_stubs.py SITE_PACKAGES    (needs gcc, nm and readelf)

Each library gets the symbols that torch asks of it, which their names tell, under the versions that it asks for. They lie
where torch's own search path leads, beside NVIDIA's runtime, which is the real one. bench/trl has stubs of another kind,
for another torch: with them this one crashes as it loads.
"""

import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

# the library that a symbol is from, by how its name begins; the longest that fits counts
LIBRARIES = {
    "cuFile": "libcufile",
    "cublas": "libcublas",
    "cublasLt": "libcublasLt",
    "cudnn": "libcudnn",
    "cufft": "libcufft",
    "curand": "libcurand",
    "cusolver": "libcusolver",
    "cusparse": "libcusparse",
    "cusparseLt": "libcusparseLt",
    "nccl": "libnccl",
    "nvrtc": "libnvrtc",
    "nvshmem": "libnvshmem_host",
}


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def library_of(symbol):
    fitting = [prefix for prefix in LIBRARIES if symbol.startswith(prefix)]
    return LIBRARIES[max(fitting, key=len)] if fitting else None


def asked_for(libraries):
    """Names of libraries that they are linked to, and by library the symbols by version (empty: none)."""
    names, symbols = set(), defaultdict(lambda: defaultdict(set))
    for library in libraries:
        names |= set(re.findall(r"\(NEEDED\).*\[(.+)\]", output("readelf", "-d", library)))
        for line in output("nm", "-D", "--undefined-only", library).splitlines():
            symbol, _, version = line.split()[-1].partition("@")
            if owner := library_of(symbol):
                symbols[owner][version.lstrip("@")].add(symbol)
    return names, symbols


def write_stub(target, versions, work):
    names = sorted(set().union(*versions.values())) or ["nothing_is_asked_for"]
    source, script = work / "stub.c", work / "stub.map"
    source.write_text("".join(f"int {name}(void) {{ return 1; }}\n" for name in names))
    nodes = [f"{version} {{ global: {'; '.join(sorted(own))}; }};\n" for version, own in versions.items() if version]
    script.write_text("".join(nodes))
    options = [f"-Wl,--version-script={script}"] if nodes else []
    command = ["gcc", "-shared", "-fPIC", "-w", f"-Wl,-soname,{target.name}", *options, "-o", target, source]
    subprocess.run(command, check=True)


def main(site_packages):
    names, symbols = asked_for(sorted((site_packages / "torch" / "lib").glob("*.so*")))
    folder = site_packages / "nvidia" / "cu13" / "lib"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        for name in sorted(names):
            library = name.split(".so")[0]
            if library in LIBRARIES.values():
                write_stub(folder / name, symbols[library], Path(work))


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
