"""Writes sklearn.json beside it: what scikit-learn says of made-up votes. Made with scikit-learn 1.9.1."""
import json
import os

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

random = np.random.default_rng(20261128)
N = 60
x = random.normal(2.0, 0.02, N)
label = random.random(N) < 1 / (1 + np.exp(-60 * (x - 2.0) - 0.8))
weight = np.where(random.random(N) < 0.3, 0.5, 1.0)

# what a regression on the first k votes says of vote k
logits = {}
for k in (8, 20, 59):
    fit = make_pipeline(StandardScaler(), LogisticRegression(C=1.0, tol=1e-12, max_iter=10_000))
    fit.fit(x[:k, None], label[:k], logisticregression__sample_weight=weight[:k])
    logits[k] = float(fit.decision_function(x[k : k + 1, None])[0])

other = x + random.normal(0, 0.03, N)
# strata of 20 votes by length; pairs of one stratum alone, each weighing the same
length = np.arange(1, N + 1)
order = random.permutation(N)
length = length[order]
strata = (length - 1) // 20
pairs, right = 0.0, 0.0
for stratum in range(3):
    mine = strata == stratum
    ups, downs = weight[mine & label].sum(), weight[mine & ~label].sum()
    auc = roc_auc_score(label[mine], x[mine], sample_weight=weight[mine])
    pairs += ups * downs
    right += ups * downs * auc

vectors = {
    "x": x.tolist(),
    "other": other.tolist(),
    "label": label.tolist(),
    "weight": weight.tolist(),
    "length": length.tolist(),
    "logits": logits,
    "auc": float(roc_auc_score(label, x, sample_weight=weight)),
    "auc_other": float(roc_auc_score(label, other, sample_weight=weight)),
    "auc_length_matched": float(right / pairs),
}
with open(os.path.join(os.path.dirname(__file__), "sklearn.json"), "w") as file:
    json.dump(vectors, file, indent=1)
    file.write("\n")
