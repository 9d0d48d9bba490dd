"""The figures the product must reach, measured and printed as one table: `python -m tests.bench [calls door sizes units running]`."""
