"""Starts `bench.gateway` as the command line starts `mandate serve`: the collector rests while modules load."""

import sys

from gateway import collector

if __name__ == "__main__":
    collector.rest()
    from bench.gateway import main

    main(int(sys.argv[1]), sys.argv[2])
