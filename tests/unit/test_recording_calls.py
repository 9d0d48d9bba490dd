"""How many AWS calls a batch of 25 signals costs; the benchmark prints the same figures."""

import pytest

from tests.bench.calls import BATCH, a_batch, count_recording


@pytest.mark.parametrize("erasure", [False, True])
@pytest.mark.parametrize("identities", [1, 2])
def test_new_customers(identities, erasure):
    """Also where somebody else was erased: nobody's tombstone is looked for."""
    assert count_recording(a_batch(identities=identities), a_batch(300), erasure=erasure).total() <= 0.16 * BATCH


def test_the_same_messages_again():
    """A redelivered batch is known by one read."""
    calls = count_recording(a_batch(), a_batch(), again=True)
    assert calls.total() <= 0.16 * BATCH
    assert not calls["Comprehend"] and not calls["UpdateItem"]
