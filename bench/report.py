"""How figures are printed: each beside what it is measured against."""

from bench.load import Reading


def title(text: str) -> None:
    print(f"\n{text}", flush=True)


def line(name: str, reading: Reading, ratio: str = "") -> None:
    errors = f"  ERRORS {reading.errors}" if reading.errors else ""
    print(
        f"  {name:38s} {reading.rate:8.0f}/s  p50 {reading.p50_ms:7.2f} ms  p99 {reading.p99_ms:7.2f} ms  "
        f"{reading.cpu_us:7.0f} us CPU{'  ' + ratio if ratio else ''}{errors}",
        flush=True,
    )


def note(text: str) -> None:
    print(f"  {text}", flush=True)


def mark(text: str, *, is_met: bool) -> None:
    """A first mark, and whether this run met it."""
    print(f"  mark: {text}: {'met' if is_met else 'NOT MET'}", flush=True)
