"""The series of a tuning job under Vertex AI's own names. Every other module takes the names from here."""

from __future__ import annotations

from enum import StrEnum


class Metric(StrEnum):
    """Vertex AI's names without their slash, as addresses and the ids of charts have them."""

    EVAL_LOSS = "eval_total_loss"
    TRAIN_LOSS = "train_total_loss"
    EVAL_ACCURACY = "eval_fraction_of_correct_next_step_preds"
    TRAIN_ACCURACY = "train_fraction_of_correct_next_step_preds"
    EVAL_TOKENS = "eval_num_predictions"
    TRAIN_TOKENS = "train_num_predictions"

    @property
    def series_name(self) -> str:
        """The name of the time series, which is also that of the stored series."""
        return f"/{self}"

    @property
    def is_training(self) -> bool:
        return self.startswith("train_")

    @property
    def is_loss(self) -> bool:
        return self in (Metric.EVAL_LOSS, Metric.TRAIN_LOSS)

    @property
    def is_accuracy(self) -> bool:
        return self in (Metric.EVAL_ACCURACY, Metric.TRAIN_ACCURACY)


EVAL_LOSS, TRAIN_LOSS = Metric.EVAL_LOSS.series_name, Metric.TRAIN_LOSS.series_name
EVAL_ACCURACY, TRAIN_ACCURACY = Metric.EVAL_ACCURACY.series_name, Metric.TRAIN_ACCURACY.series_name
EVAL_TOKENS, TRAIN_TOKENS = Metric.EVAL_TOKENS.series_name, Metric.TRAIN_TOKENS.series_name
