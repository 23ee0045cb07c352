"""PyTorch's matmul rate on given shapes: [rows, input] · [input, output].

For each shape the best over several numbers of rows and both ways to store the matrix; one JSON line on stdout.
"""

import argparse
import json
import math
import os
import time

import torch

ROWS = [256, 512, 1024, 2048]
DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16}
REPETITIONS = 3
SECONDS = 0.15  # of one repetition, at least
# numbers in the matrices taken in turn, so that they come from memory as a model's layers do; and how many at most
NUMBERS, MATRICES = 16 * 2**20, 32

CORES = len(os.sched_getaffinity(0))
TOOK = {"wall": 0.0, "cpu": 0.0}


def rate(rows, inputs, outputs, stored, dtype):
    """GFLOP/s, the best of the repetitions. Adds what it took to TOOK."""
    x = torch.randn(rows, inputs).to(dtype)
    shape = (inputs, outputs) if stored == "in_out" else (outputs, inputs)
    count = min(MATRICES, math.ceil(NUMBERS / (inputs * outputs)))
    stores = [torch.randn(shape).to(dtype) for _ in range(count)]
    matrices = [store if stored == "in_out" else store.t() for store in stores]
    y = torch.empty(rows, outputs, dtype=dtype)
    torch.mm(x, matrices[0], out=y)
    best = 0.0
    started = time.perf_counter(), time.process_time()
    for _ in range(REPETITIONS):
        begin, products = time.perf_counter(), 0
        while (seconds := time.perf_counter() - begin) < SECONDS:
            torch.mm(x, matrices[products % count], out=y)
            products += 1
        best = max(best, products * 2e-9 * rows * inputs * outputs / seconds)
    TOOK["wall"] += time.perf_counter() - started[0]
    TOOK["cpu"] += time.process_time() - started[1]
    return best


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dtype", choices=DTYPES, required=True)
    parser.add_argument("--shapes", type=json.loads, required=True, help="[[input, output], …]")
    parser.add_argument("--rows", type=json.loads, default=ROWS)
    given = parser.parse_args()
    torch.set_num_threads(CORES)
    shapes = []
    for inputs, outputs in given.shapes:
        tried = [
            {"gflops": rate(rows, inputs, outputs, stored, DTYPES[given.dtype]), "rows": rows, "stored": stored}
            for rows in given.rows
            for stored in ("out_in", "in_out")
        ]
        shapes.append({"input": inputs, "output": outputs, **max(tried, key=lambda each: each["gflops"])})
    share = TOOK["cpu"] / TOOK["wall"] / CORES
    print(json.dumps({"library": f"PyTorch {torch.__version__}", "dtype": given.dtype, "shapes": shapes, "cpu_share": share}))


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    main()
