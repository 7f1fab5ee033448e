"""accelbench: believable accelerator benchmarks of deep-learning pipelines."""

__version__ = "0.1.0"
