"""What scikit-learn makes of the streams that the tests write: one JSON document on stdout.

    python sklearn_side.py DIR      DIR/NAME.json {width, count}, DIR/NAME.x f64, DIR/NAME.y u8, DIR/health.json

A stream with held-out events gets a full refit and is judged on those. One without gets a fit of its first 1,024
events as TRL does it, never again, and refits every 256 events on windows of several lengths, each judged on the
events that follow. Every refit is on features standardised over its own events.
"""

import json
import pathlib
import sys

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.preprocessing import StandardScaler

FIRST = 1024
EVERY = 256
WINDOWS = [256, 512, 1024, 2048, 4096, None]


def fit(x, y, standardise=True):
    """Decision function of the class-balanced fit, C = 1."""
    scaler = StandardScaler().fit(x) if standardise else None
    seen = (lambda a: scaler.transform(a)) if scaler else (lambda a: a)
    model = LogisticRegression(class_weight="balanced", C=1.0, solver="newton-cholesky", tol=1e-10, max_iter=200)
    model.fit(seen(x), y)
    return lambda a: model.decision_function(seen(a))


def balanced_log_loss(logits, y):
    weights = np.where(y == 1, 0.5 / (y == 1).mean(), 0.5 / (y == 0).mean())
    return log_loss(y, 1 / (1 + np.exp(-logits)), sample_weight=weights)


def stationary(x, y, count):
    logits = fit(x[:count], y[:count])(x[count:])
    return {"logLoss": balanced_log_loss(logits, y[count:]), "auc": roc_auc_score(y[count:], logits)}


def drifting(x, y):
    once = balanced_log_loss(fit(x[:FIRST], y[:FIRST], standardise=False)(x[FIRST:]), y[FIRST:])
    windows = {}
    for window in WINDOWS:
        logits = np.zeros(len(y))
        for now in range(FIRST, len(y), EVERY):
            start = 0 if window is None else max(0, now - window)
            logits[now : now + EVERY] = fit(x[start:now], y[start:now])(x[now : now + EVERY])
        windows[str(window)] = balanced_log_loss(logits[FIRST:], y[FIRST:])
    return {"once": once, "windows": windows}


def health(ups, downs):
    """Figures of logits: both classes weigh the same; the calibration error is over ten bins of p of equal width."""
    logits = np.array(ups + downs)
    y = np.array([1] * len(ups) + [0] * len(downs))
    p = 1 / (1 + np.exp(-logits))
    weights = np.where(y == 1, 0.5 / len(ups), 0.5 / len(downs))
    bins = np.minimum(9, np.floor(10 * p).astype(int))
    error = sum(abs(np.sum(weights[bins == b] * (p[bins == b] - y[bins == b]))) for b in range(10))
    return {
        "logLoss": log_loss(y, p, sample_weight=weights),
        "auc": roc_auc_score(y, logits),
        "calibrationError": error,
    }


def main(directory):
    answers = {"streams": {}}
    for described in sorted(directory.glob("*.stream.json")):
        name = described.name.removesuffix(".stream.json")
        shape = json.loads(described.read_text())
        y = np.fromfile(directory / f"{name}.y", dtype=np.uint8)
        x = np.fromfile(directory / f"{name}.x").reshape(len(y), shape["width"])
        count = shape["count"]
        drifts = shape["drifts"]
        answers["streams"][name] = drifting(x[:count], y[:count]) if drifts else stationary(x, y, count)
        print(name, answers["streams"][name], file=sys.stderr)
    logits = json.loads((directory / "health.json").read_text())
    answers["health"] = health(logits["ups"], logits["downs"])
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
