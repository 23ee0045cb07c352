"""A real set of labelled embeddings: sentences of the VADER data with their sentiment, embedded by WordLlama.

    python real_embeddings.py OUT      writes OUT/real.x (f64), OUT/real.y (u8) and OUT/real.stream.json

Both come from PyPI, pinned by hash: WordLlama's wheel for its 256 wide token embeddings and its tokenizer, VADER's
source for 23,699 sentences of tweets, film and product reviews and editorials that people have rated (both MIT).
"""

import io
import json
import pathlib
import subprocess
import sys
import tarfile
import tempfile
import zipfile

import numpy as np
from safetensors.numpy import load
from tokenizers import Tokenizer

WHEEL = "wordllama==0.4.0.post1 --hash=sha256:42c2c88907ace0b0681ac6f9092d6a300a6409a5d2d61071a3fb5e7159370c97"
SOURCE = "vaderSentiment==3.3.2 --hash=sha256:5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9"
PARTS = ["movieReviewSnippets", "amazonReviewSnippets", "nytEditorialSnippets", "tweets"]
HELD = 6_000


def download(requirement, folder, *options):
    """pip's own download, checked against the hash; the wheel is taken for its data, whatever this machine is."""
    wanted = folder / "requirement.txt"
    wanted.write_text(requirement)
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*pip, *options, "-r", wanted, "-d", folder], check=True, stdout=sys.stderr)
    wanted.unlink()


def main(out):
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        platform = ["--platform", "manylinux2014_x86_64", "--python-version", "3.11", "--only-binary", ":all:"]
        download(WHEEL, folder, *platform)
        download(SOURCE, folder, "--no-binary", ":all:")
        with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
            (table,) = load(wheel.read("wordllama/weights/l2_supercat_256.safetensors")).values()
            text = wheel.read("wordllama/tokenizers/l2_supercat_tokenizer_config.json").decode()
        with tarfile.open(next(folder.glob("*.tar.gz"))) as source:
            inner = source.extractfile("vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz").read()
    sentences, ratings = [], []
    with tarfile.open(fileobj=io.BytesIO(inner)) as data:
        for part in PARTS:
            lines = data.extractfile(f"hutto_ICWSM_2014/{part}_GroundTruth.txt").read().decode("utf8", "replace")
            for line in lines.splitlines():
                fields = line.split("\t")
                if len(fields) >= 3:
                    sentences.append(fields[-1])
                    ratings.append(float(fields[1]))
    order = np.random.default_rng(0).permutation(len(sentences))
    encoded = Tokenizer.from_str(text).encode_batch([sentences[i] for i in order], add_special_tokens=False)
    rows = [table[each.ids].astype(np.float64).mean(0) if each.ids else np.zeros(table.shape[1]) for each in encoded]
    x, y = np.stack(rows), (np.array(ratings)[order] > 0).astype(np.uint8)
    x.tofile(out / "real.x")
    y.tofile(out / "real.y")
    shape = {"width": x.shape[1], "count": len(y) - HELD, "drifts": False}
    (out / "real.stream.json").write_text(json.dumps(shape))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
