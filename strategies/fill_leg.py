"""The fills of one direction of a position, weighted by quantity."""

from dataclasses import dataclass, field

from vocabulary import Fill


@dataclass
class FillLeg:
    """Sums over `fills`, in the order they came; prices dollars a share, fees dollars."""

    fills: list[Fill] = field(default_factory=list)
    quantity: int = 0
    value: float = 0.0
    mid_value: float = 0.0
    underlying_value: float = 0.0
    fees: float = 0.0

    def add(self, fill: Fill) -> None:
        """Count a fill."""
        self.fills.append(fill)
        self.quantity += fill.quantity
        self.value += fill.price * fill.quantity
        self.mid_value += fill.mid * fill.quantity
        self.underlying_value += fill.underlying * fill.quantity
        self.fees += fill.fee

    def replace(self, old: Fill, new: Fill) -> None:
        """Count `new` where `old` was; the sums are those of having seen `new` at first."""
        fills = self.fills
        fills[fills.index(old)] = new
        self.fills, self.quantity = [], 0
        self.value = self.mid_value = self.underlying_value = self.fees = 0.0
        for fill in fills:
            self.add(fill)

    @property
    def price(self) -> float:
        """Average price."""
        return self.value / self.quantity

    @property
    def mid(self) -> float:
        """Average mid at the fills, NaN where one had none."""
        return self.mid_value / self.quantity

    @property
    def underlying(self) -> float:
        """Average spot at the fills."""
        return self.underlying_value / self.quantity
