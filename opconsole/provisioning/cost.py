"""What a resource will cost a month: from a dated table of prices, with every assumption written out.

The estimate is there to be compared with the business case's own figure, not to be a bill.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

from guardrails.approving import Needed, needed_for_cost
from opconsole.provisioning.resources import (
    BucketProperties,
    DatabaseProperties,
    FunctionProperties,
    PolicyProperties,
    Resource,
)

HOURS = 730
"""Hours of a month, as AWS counts them."""
REVIEWED = Decimal(1)
"""US dollars a month from which on a cost is reviewed (policy: $1)."""
TOLERANCE = Decimal("0.20")
"""A difference between estimate and business case beyond this share is a finding (20 %)."""
HOME = "us-east-1"
"""The region whose prices stand in where the table does not have the region."""


class PriceTableError(ValueError):
    """A table of prices that cannot be used; says where and what is wrong."""


@dataclass(frozen=True, slots=True)
class PriceTable:
    """Prices in US dollars, by region and name."""

    as_of: str
    source: str
    regions: Mapping[str, Mapping[str, object]]

    @classmethod
    def load(cls, path: Path | None = None) -> PriceTable:
        """Read a table; without a path the one that comes with opconsole. Raises PriceTableError."""
        place = path or Path(__file__).with_name("prices.json")
        try:
            data = json.loads(place.read_text("utf-8"))
            table = cls(str(data["as_of"]), str(data["source"]), dict(data["regions"]))
            table.regions[HOME]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise PriceTableError(
                f"{place}: {type(error).__name__}: {error}; a table has as_of, source and regions, "
                f"and among these {HOME}"
            ) from error
        return table


@dataclass(frozen=True, slots=True)
class CostLine:
    """One thing that is paid for."""

    what: str
    monthly: Decimal


@dataclass(frozen=True, slots=True)
class CostEstimate:
    """What a resource is expected to cost."""

    lines: tuple[CostLine, ...]
    assumptions: tuple[str, ...]
    as_of: str
    unknown: tuple[str, ...] = ()
    """What the table has no price for; then the total is only a part."""

    @property
    def monthly(self) -> Decimal:
        """US dollars a month, rounded to cents."""
        return _cents(sum((line.monthly for line in self.lines), Decimal(0)))

    def to_json(self) -> dict[str, object]:
        """Give what the plan says of it: text for amounts, for a digest must not depend on floats."""
        return {
            "monthly_usd": str(self.monthly),
            "lines": [{"what": line.what, "monthly_usd": str(line.monthly)} for line in self.lines],
            "assumptions": list(self.assumptions),
            "prices_as_of": self.as_of,
            "unknown": list(self.unknown),
        }


def needed(estimate: CostEstimate, claimed: Decimal | None, senior_over: float) -> Needed:
    """Say how many must approve: by the estimate or by the case, whichever is more.

    Where the estimate is only a part, the cost counts as not known.
    """
    cost = max(estimate.monthly, claimed or Decimal(0))
    return needed_for_cost(None if estimate.unknown else float(cost), senior_over)


def estimate(resource: Resource, *, region: str, table: PriceTable) -> CostEstimate:
    """Estimate what a resource costs in a region."""
    known = region in table.regions
    prices = _Prices(table.regions[region if known else HOME])
    told = [] if known else [f"the table has no prices for {region}: those of {HOME} are used"]
    properties = resource.properties
    if isinstance(properties, BucketProperties):
        lines = _bucket(properties, prices, told)
    elif isinstance(properties, DatabaseProperties):
        lines = _database(properties, prices, told)
    elif isinstance(properties, FunctionProperties):
        lines = _function(properties, prices, told)
    elif isinstance(properties, PolicyProperties):
        lines = []
        told.append("IAM policies cost nothing; what they let be used does")
    else:
        raise TypeError(f"there are no prices for {type(properties).__name__}")
    return CostEstimate(tuple(lines), tuple(told), table.as_of, tuple(prices.unknown))


def difference(estimate: CostEstimate, claimed: Decimal) -> Decimal:
    """Give by what share of the case's figure the estimate differs from it; above zero: it costs more."""
    if claimed == 0:
        return Decimal(0) if estimate.monthly == 0 else Decimal(1)
    return (estimate.monthly - claimed) / claimed


class _Prices:
    """The prices of one region; what is not among them is noted."""

    def __init__(self, values: Mapping[str, object]) -> None:
        self._values = values
        self.unknown: list[str] = []

    def of(self, name: str, within: str | None = None) -> Decimal:
        """Give a price; 0 for one that is not there, which is then among the unknown."""
        values = self._values.get(within, {}) if within else self._values
        value = values.get(name) if isinstance(values, Mapping) else None
        if isinstance(value, int | float) and not isinstance(value, bool):
            return Decimal(str(value))
        self.unknown.append(name)
        return Decimal(0)


def _bucket(properties: BucketProperties, prices: _Prices, told: list[str]) -> list[CostLine]:
    stored, moved = Decimal(str(properties.storage_gb)), Decimal(str(properties.transfer_gb))
    old = stored * Decimal("0.10")
    told += [
        f"{stored:f} GB of current objects, and a tenth of that in old versions",
        f"{moved:f} GB read to the internet, none of it through a content network",
        "1,000,000 writes and 10,000,000 reads",
    ]
    return [
        CostLine(f"storage, {stored + old:f} GB", _cents((stored + old) * prices.of("s3_gb_month"))),
        CostLine(f"transfer, {moved:f} GB", _cents(moved * prices.of("transfer_gb"))),
        CostLine("writes, 1,000,000", _cents(1000 * prices.of("s3_put_1000"))),
        CostLine("reads, 10,000,000", _cents(10_000 * prices.of("s3_get_1000"))),
    ]


def _database(properties: DatabaseProperties, prices: _Prices, told: list[str]) -> list[CostLine]:
    copies = 2 if properties.multi_az else 1
    told += [
        f"{HOURS} hours a month, on demand, in {'two zones' if properties.multi_az else 'one zone'}",
        "backups no larger than the storage, which costs nothing more; priced as PostgreSQL",
    ]
    hour = prices.of(properties.instance_class, "rds_hour")
    storage = properties.storage_gb * copies
    return [
        CostLine(f"{copies} × {properties.instance_class}", _cents(copies * HOURS * hour)),
        CostLine(f"storage, {storage} GB", _cents(storage * prices.of("rds_gp3_gb_month"))),
        CostLine("the managed password", _cents(prices.of("secret_month"))),
    ]


def _function(properties: FunctionProperties, prices: _Prices, told: list[str]) -> list[CostLine]:
    name = "lambda_gb_second_arm64" if properties.architecture == "arm64" else "lambda_gb_second"
    seconds = Decimal(properties.requests) * properties.average_ms / 1000 * properties.memory_mb / 1024
    logs = Decimal(properties.requests) * 500 / 10**9
    told += [
        f"{properties.requests:,} calls of {properties.average_ms} ms with {properties.memory_mb} MB",
        "500 bytes of log a call",
    ]
    return [
        CostLine(f"compute, {seconds:.0f} GB-seconds", _cents(seconds * prices.of(name))),
        CostLine("calls", _cents(Decimal(properties.requests) / 10**6 * prices.of("lambda_million"))),
        CostLine(f"log, {logs:.1f} GB", _cents(logs * prices.of("logs_gb"))),
    ]


def _cents(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.01"), ROUND_HALF_UP)
