"""The hyper-parameters, under XGBoost's names, with defaults and bounds: defined here, used on every engine."""

import argparse
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from common.command import InputError, Parser

PRINT_EVERY = 10
"""Boosting rounds between two printed evaluations."""

BATCH_ROWS = 10_000
"""Rows handed to XGBoost at a time. Spark's Arrow batches have this size: equal batches, equal histogram bins."""


@dataclass(frozen=True)
class Hyperparameter:
    """One number: its default and its inclusive bounds; `above` excludes the lower one."""

    default: float
    low: float
    high: float
    meaning: str
    above: bool = False

    @property
    def kind(self) -> type[int] | type[float]:
        """The number type, which is the default's."""
        return type(self.default)

    def parse(self, text: str) -> float:
        """Read a value as it comes from the command line; argparse turns the error into a message with the name."""
        try:
            # Python alone also reads `1_0`, ` 10` and digits of other scripts, which no other reader of it would.
            value = self.kind(text) if re.fullmatch(r"[-+.0-9eE]+", text) else math.nan
        except ValueError:
            value = math.nan
        inside = self.low < value <= self.high if self.above else self.low <= value <= self.high
        if not (inside and math.isfinite(value)):
            kind = "a whole number" if self.kind is int else "a number"
            bound = f"above {self.low:g}" if self.above else f"from {self.low:g}"
            limit = "" if self.high == math.inf else f" up to {self.high:g}"
            raise argparse.ArgumentTypeError(f"{text!r} must be {kind} {bound}{limit}")
        return value


HYPERPARAMETERS: Mapping[str, Hyperparameter] = {
    "num_round": Hyperparameter(150, 1, 100_000, "boosting rounds; no early stopping, so that the sides stay equal"),
    "max_depth": Hyperparameter(4, 1, 16, "depth of a tree"),
    "eta": Hyperparameter(0.05, 0, 1, "learning rate", above=True),
    "min_child_weight": Hyperparameter(1.0, 0, math.inf, "least sum of instance weights in a leaf"),
    "subsample": Hyperparameter(1.0, 0, 1, "share of the rows that a tree sees", above=True),
    "colsample_bytree": Hyperparameter(1.0, 0, 1, "share of the features that a tree sees", above=True),
    "lambda": Hyperparameter(1.0, 0, math.inf, "L2 regularisation"),
    "alpha": Hyperparameter(0.0, 0, math.inf, "L1 regularisation"),
    "seed": Hyperparameter(7, 0, 2**31 - 1, "random seed"),
}

FIXED: Mapping[str, Any] = {
    "objective": "binary:logistic",
    "tree_method": "hist",
    "max_bin": 256,
    "eval_metric": ["logloss", "auc"],
}
"""What is not up for tuning, because sides could then differ."""

# XGBoost's own names to those of its scikit-learn interface, which xgboost.spark follows.
_ESTIMATOR_NAMES = {
    "num_round": "n_estimators",
    "eta": "learning_rate",
    "lambda": "reg_lambda",
    "alpha": "reg_alpha",
    "seed": "random_state",
}


def add_arguments(parser: Parser) -> None:
    """Add one `--name value` per hyper-parameter, the form in which SageMaker passes them to a script."""
    for name, given in HYPERPARAMETERS.items():
        parser.add_argument(f"--{name}", type=given.parse, default=given.default, metavar="N", help=given.meaning)


def from_arguments(arguments: argparse.Namespace) -> dict[str, float]:
    """Take the hyper-parameters out of parsed arguments, in their order above."""
    return {name: getattr(arguments, name) for name in HYPERPARAMETERS}


def for_booster(values: Mapping[str, float]) -> dict[str, Any]:
    """Parameters for `xgboost.train`; the number of rounds is an argument of its own there."""
    return {name: value for name, value in values.items() if name != "num_round"} | dict(FIXED)


def for_estimator(values: Mapping[str, float]) -> dict[str, Any]:
    """Parameters for `xgboost.spark.SparkXGBClassifier`, which sets the objective itself from the labels."""
    fixed = {name: value for name, value in FIXED.items() if name != "objective"}
    return {_ESTIMATOR_NAMES.get(name, name): value for name, value in values.items()} | fixed


def check_features(names: list[str], others: list[str], where: str) -> None:
    """Check that two splits hold the same feature columns in the same order, or raise InputError."""
    if names != others:
        raise InputError(f"{where}: feature columns {', '.join(others)} differ from those of train: {', '.join(names)}")
