"""Programs that benchmarks look at."""
