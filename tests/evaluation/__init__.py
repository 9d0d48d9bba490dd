"""How good assessment is: `make evaluate`."""
