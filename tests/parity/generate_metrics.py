#!/usr/bin/env python3
"""Writes metrics.safetensors: what scikit-learn makes of predictions, in float64, on data that is hostile to it.

    /usr/bin/python3 generate_metrics.py

Where scikit-learn refuses to answer (or says NaN), NaN is stored: the library is to fail there.
"""
import warnings

import numpy as np
from sklearn import metrics

from generate import Writer

AVERAGES = ("macro", "micro", "weighted")


# -- Predicted classes -------------------------------------------------------------------------------

def put_classes(writer, name, predictions, labels):
    predictions, labels = np.asarray(predictions, np.int64), np.asarray(labels, np.int64)
    values = [metrics.accuracy_score(labels, predictions)]
    for average in AVERAGES:
        values += list(metrics.precision_recall_fscore_support(labels, predictions, average=average, zero_division=0)[:3])
    classes = np.arange(max(predictions.max(), labels.max()) + 1)
    *scores, support = metrics.precision_recall_fscore_support(labels, predictions, labels=classes, zero_division=0)
    writer.put(f"classes/{name}/predictions", predictions.astype(np.float64))
    writer.put(f"classes/{name}/labels", labels.astype(np.float64))
    writer.put(f"classes/{name}/values", np.array(values))
    writer.put(f"classes/{name}/per_class", np.array(scores).T)
    writer.put(f"classes/{name}/support", support.astype(np.float64))
    writer.put(f"classes/{name}/confusion", metrics.confusion_matrix(labels, predictions, labels=classes).astype(np.float64))


def classes(writer, rng):
    put_classes(writer, "five", rng.integers(0, 5, 60), rng.integers(0, 5, 60))
    put_classes(writer, "two", rng.integers(0, 2, 31), rng.integers(0, 2, 31))
    put_classes(writer, "many", rng.integers(0, 40, 200), rng.integers(0, 40, 200))
    put_classes(writer, "unequal", rng.integers(0, 4, 90) * rng.integers(0, 2, 90), np.minimum(rng.integers(0, 40, 90), 3))
    put_classes(writer, "absent_from_both", rng.choice([0, 3, 9], 50), rng.choice([0, 3, 7], 50))
    put_classes(writer, "never_predicted", np.zeros(30), rng.integers(0, 3, 30))
    put_classes(writer, "never_there", rng.integers(0, 3, 30), np.ones(30))
    put_classes(writer, "one_class", np.zeros(7), np.zeros(7))
    put_classes(writer, "one_right", [4], [4])
    put_classes(writer, "one_wrong", [4], [1])
    put_classes(writer, "all_wrong", (np.arange(20) + 1) % 4, np.arange(20) % 4)
    put_classes(writer, "all_right", np.arange(20) % 4, np.arange(20) % 4)


# -- Scores of classes -------------------------------------------------------------------------------

def put_scores(writer, name, logits, labels):
    """Without ties, of which the library takes the first and scikit-learn the last."""
    n, count = logits.shape
    logits = logits.astype(np.float32)
    assert all(len(set(row)) == count for row in logits)
    exponentials = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    probabilities = (exponentials / exponentials.sum(axis=1, keepdims=True)).astype(np.float32)
    everything = np.arange(count)
    if count == 2:  # for which scikit-learn wants one score
        top = [metrics.accuracy_score(labels, logits.argmax(axis=1)), 1.0]
    else:
        top = [metrics.top_k_accuracy_score(labels, logits, k=k, labels=everything) for k in range(1, count + 1)]
    loss = metrics.log_loss(labels, probabilities.astype(np.float64), eps=float(np.finfo(np.float32).eps), labels=everything)
    writer.put(f"scores/{name}/scores", logits)
    writer.put(f"scores/{name}/probabilities", probabilities)
    writer.put(f"scores/{name}/labels", labels.astype(np.float64))
    writer.put(f"scores/{name}/top", np.array(top))
    writer.put(f"scores/{name}/log_loss", np.array([loss]))


def scores(writer, rng):
    for name, n, count, scale in (("ten", 50, 10, 1), ("two", 20, 2, 3), ("sure", 30, 4, 100), ("one", 1, 3, 1), ("wide", 12, 60, 5)):
        put_scores(writer, name, rng.standard_normal((n, count)) * scale, rng.integers(0, count, n))
    put_scores(writer, "absent", rng.standard_normal((25, 6)), np.full(25, 4))


# -- Yes or no ---------------------------------------------------------------------------------------

def of_curve(function, targets, scores, average):
    if function is metrics.roc_auc_score and not targets.any():
        return np.nan  # with weights that are all 0, scikit-learn says 0 without having looked
    try:
        value = function(targets, scores, average=average)
    except ValueError:
        return np.nan
    return value + 0.0


def put_curve(writer, name, scores, targets):
    scores, targets = np.asarray(scores, np.float32), np.asarray(targets, np.float32)
    if scores.shape[1:] == (1,):
        s, t = scores[:, 0].astype(np.float64), targets[:, 0]
    else:
        s, t = scores.astype(np.float64), targets
    values = [of_curve(function, t.astype(int), s, average)
              for function in (metrics.roc_auc_score, metrics.average_precision_score) for average in AVERAGES]
    writer.put(f"curves/{name}/scores", scores)
    writer.put(f"curves/{name}/targets", targets)
    writer.put(f"curves/{name}/values", np.array(values))
    print(name, values)


def curves(writer, rng):
    def yes(n, count, share=0.5):
        return rng.random((n, count)) < share
    put_curve(writer, "one", rng.standard_normal((60, 1)), yes(60, 1))
    put_curve(writer, "several", rng.standard_normal((80, 5)), yes(80, 5, 0.3))
    put_curve(writer, "ties", rng.integers(0, 3, (70, 4)), yes(70, 4))
    put_curve(writer, "rare", rng.integers(-2, 3, (90, 3)), np.concatenate([yes(89, 3, 0.03), np.ones((1, 3))]))
    put_curve(writer, "constant", np.full((20, 2), 0.25), yes(20, 2))
    put_curve(writer, "zeros", np.where(yes(40, 1), 0.0, -0.0), yes(40, 1))
    put_curve(writer, "tiny", rng.integers(-3, 4, (50, 2)) * np.float32(1e-45), yes(50, 2))
    put_curve(writer, "huge", rng.choice([-3.4e38, -1, 0, 1e-30, 3.4e38], (50, 3)), yes(50, 3))
    put_curve(writer, "all_yes", rng.standard_normal((9, 1)), np.ones((9, 1)))
    put_curve(writer, "all_no", rng.standard_normal((9, 1)), np.zeros((9, 1)))
    put_curve(writer, "one_column_all_yes", rng.standard_normal((12, 3)), np.hstack([yes(12, 2), np.ones((12, 1))]))
    put_curve(writer, "no_yes_at_all", rng.standard_normal((6, 2)), np.zeros((6, 2)))
    put_curve(writer, "one_sample", [[0.3]], [[1]])
    put_curve(writer, "one_sample_of_two", [[0.3, 0.2]], [[1, 0]])
    put_curve(writer, "two_samples", [[0.3], [0.3]], [[1], [0]])
    put_curve(writer, "separated", np.arange(30)[:, None], (np.arange(30) > 11)[:, None])
    put_curve(writer, "upside_down", -np.arange(30)[:, None], (np.arange(30) > 11)[:, None])


# -- Numbers -----------------------------------------------------------------------------------------

def put_numbers(writer, name, outputs, targets):
    outputs, targets = np.asarray(outputs, np.float32), np.asarray(targets, np.float32)
    o, t = outputs.astype(np.float64), targets.astype(np.float64)
    values = [metrics.mean_absolute_error(t, o), metrics.mean_squared_error(t, o), metrics.mean_squared_error(t, o, squared=False)]
    values.append(metrics.r2_score(t, o))
    spread = ((t - t.mean(axis=0)) ** 2).sum()
    values.append(np.nan if len(t) < 2 else 1 - ((o - t) ** 2).sum() / spread if spread > 0 else float((o == t).all()))
    values.append(metrics.r2_score(t, o, multioutput="variance_weighted"))
    writer.put(f"numbers/{name}/outputs", outputs)
    writer.put(f"numbers/{name}/targets", targets)
    writer.put(f"numbers/{name}/values", np.array(values))
    print(name, values)


def numbers(writer, rng):
    def pair(n, count, scale=1.0, offset=0.0, noise=0.5):
        targets = rng.standard_normal((n, count)) * scale + offset
        return targets + noise * scale * rng.standard_normal((n, count)), targets
    put_numbers(writer, "one", *pair(50, 1))
    put_numbers(writer, "several", *pair(40, 7))
    put_numbers(writer, "more_than_two_tiles", *pair(9, 131))
    put_numbers(writer, "far", *pair(60, 3, 1, 1e6))
    put_numbers(writer, "huge", *pair(30, 2, 1e30))
    put_numbers(writer, "tiny", *pair(30, 2, 1e-30))
    put_numbers(writer, "bad", *pair(30, 2, 1, 0, 20))
    put_numbers(writer, "two_samples", *pair(2, 3))
    put_numbers(writer, "one_sample", *pair(1, 3))
    outputs, targets = pair(20, 3)
    put_numbers(writer, "met", targets, targets)
    targets = targets.astype(np.float32)
    targets[:, 1] = 0.1
    put_numbers(writer, "one_is_constant", outputs, targets)
    outputs = outputs.astype(np.float32)
    outputs[:, 1] = targets[:, 1]
    put_numbers(writer, "one_is_constant_and_met", outputs, targets)
    put_numbers(writer, "all_are_constant", outputs, np.full((20, 3), 0.1, np.float32))
    put_numbers(writer, "all_are_constant_and_met", np.full((20, 3), 0.1, np.float32), np.full((20, 3), 0.1, np.float32))


def main():
    warnings.simplefilter("ignore")
    rng = np.random.default_rng(5)
    writer = Writer(1 << 30)
    classes(writer, rng)
    scores(writer, rng)
    curves(writer, rng)
    numbers(writer, rng)
    writer.write("metrics.safetensors")


if __name__ == "__main__":
    main()
