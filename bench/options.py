"""What the command line decides about every measurement."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Options:
    """`seconds` a reading takes; `repetitions` of each, of which the median is told."""

    seconds: float = 3.0
    repetitions: int = 3
