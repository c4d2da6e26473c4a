"""Speed and memory beside what people write today, as ratios: `python -m tests.bench`."""
