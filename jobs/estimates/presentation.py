"""Texts of an estimate: each figure with its basis."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from jobs.estimates.estimate import Amount, Epochs, Estimate, Range, Tokens
from studio.formats import HOUR, MINUTE, format_count, format_iso_date, format_money, format_rough_duration
from studio.vertex.catalog import BaseModel

CENT = 0.01
"""Costs are shown to the cent, so a smaller one would read $0.00."""


@dataclass(frozen=True, slots=True)
class Figure:
    label: str
    value: str
    basis: str = ""


def figures(estimate: Estimate, model: BaseModel, *, on_engine: bool) -> list[Figure]:
    return [
        Figure(_("Epochs"), epochs_value(estimate.epochs), epochs_basis(estimate.epochs, model)),
        *tokens_figure(estimate),
        *steps_figure(estimate),
        time_figure(estimate, model),
        free_figure() if on_engine else cost_figure(estimate, model),
    ]


def epochs_value(epochs: Epochs) -> str:
    return _("not known yet") if epochs.basis == "unknown" else format_range(epochs.range)


def epochs_basis(epochs: Epochs, model: BaseModel) -> str:
    match epochs.basis:
        case "asked":
            return _("Set by you.")
        case "catalog":
            return _("Recommended for this number of examples (model catalog as of %(date)s).") % {
                "date": format_iso_date(model.as_of)
            }
        case "jobs":
            return ngettext(
                "What the service chose in %(n)s earlier job in this project.",
                "What the service chose in %(n)s earlier jobs in this project.",
                epochs.jobs,
            ) % {"n": epochs.jobs}
        case _unknown:
            return _("The service sets this when the job starts, so the other figures are per epoch.")


def tokens_figure(estimate: Estimate) -> Iterator[Figure]:
    if tokens := estimate.tokens:
        once = (
            format_count(tokens.once)
            if tokens.basis == "counted"
            else format_approximate(format_count(tokens.once))
        )
        times = "" if estimate.per_epoch else f" × {format_range(estimate.epochs.range)}"
        yield Figure(_("Training tokens"), f"{once}{times}", tokens_basis(tokens))


def tokens_basis(tokens: Tokens) -> str:
    match tokens.basis:
        case "counted":
            return _("Counted by the service in “%(job)s”, with the same data.") % {"job": tokens.job}
        case "calibrated":
            return _("Estimated, adjusted with the model’s tokenizer on 16 examples.")
        case _estimated:
            return _("Estimated at 4 bytes per token.")


def steps_figure(estimate: Estimate) -> Iterator[Figure]:
    if steps := estimate.steps:
        basis = (
            batch_size_basis(steps.jobs) if steps.jobs else _("Based on the batch size in the model catalog.")
        )
        yield Figure(
            _("Steps"), add_per_epoch(estimate, format_approximate(format_range(steps.range))), basis
        )


def batch_size_basis(count: int) -> str:
    return ngettext(
        "Based on the batch size of %(n)s earlier job in this project.",
        "Based on the batch size of %(n)s earlier jobs in this project.",
        count,
    ) % {"n": count}


def time_figure(estimate: Estimate, model: BaseModel) -> Figure:
    label = _("Time")
    if estimate.seconds is None:
        nothing = _("No %(model)s job has finished in this project yet.") % {"model": model.id}
        return Figure(label, _("not known yet"), nothing)
    value = add_per_epoch(estimate, format_approximate(format_duration_range(estimate.seconds.range)))
    return Figure(label, value, pace_basis(estimate.seconds, model))


def pace_basis(seconds: Amount, model: BaseModel) -> str:
    pace = ngettext(
        "Based on the pace of %(n)s finished %(model)s job in this project.",
        "Based on the median pace of %(n)s finished %(model)s jobs in this project.",
        seconds.jobs,
    ) % {"n": seconds.jobs, "model": model.stand_in or model.id}
    return (
        _("%(basis)s None was close to this size, so the estimate may be far off.") % {"basis": pace}
        if seconds.far
        else pace
    )


def free_figure() -> Figure:
    return Figure(_("Cost"), _("free"), _("Runs on this server."))


def cost_figure(estimate: Estimate, model: BaseModel) -> Figure:
    label = _("Cost")
    if model.price is None:
        nothing = _("No price is set for %(model)s. An installation admin can set one.") % {"model": model.id}
        return Figure(label, _("unknown"), nothing)
    if estimate.dollars is None:
        return Figure(label, _("unknown"), _("The token count of this dataset is unknown."))
    basis = _(
        "At %(price)s per million training tokens (price as of %(date)s). See your Google "
        "invoice for the actual cost."
    ) % {"price": format_price(model.price), "date": format_iso_date(model.price_as_of)}
    return Figure(label, add_per_epoch(estimate, format_cost_range(estimate.dollars.range)), basis)


def add_per_epoch(estimate: Estimate, value: str) -> str:
    return _("%(amount)s per epoch") % {"amount": value} if estimate.per_epoch else value


def format_approximate(value: str) -> str:
    return _("about %(amount)s") % {"amount": value}


def format_range(values: Range) -> str:
    return join_range(format_count(values.low), format_count(values.high))


def format_duration_range(seconds: Range) -> str:
    low, high = (round(end / MINUTE) for end in seconds)
    if seconds.low >= MINUTE and seconds.high < HOUR and low < high:
        return _("%(low)s to %(high)s min") % {"low": low, "high": high}
    return join_range(format_rough_duration(seconds.low), format_rough_duration(seconds.high))


def format_cost_range(dollars: Range) -> str:
    if dollars.high < CENT:
        return _("less than $0.01")
    return format_approximate(join_range(format_money(dollars.low), format_money(dollars.high)))


def join_range(low: str, high: str) -> str:
    """Return a range, or a single figure if both ends have the same text."""
    return low if low == high else _("%(low)s to %(high)s") % {"low": low, "high": high}


def format_price(dollars: float) -> str:
    """Return a price in dollars with two decimals, or more if it was set more precisely."""
    fine = round(dollars, 2) != dollars
    return f"${number_format(dollars, None if fine else 2)}"
