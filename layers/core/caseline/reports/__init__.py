"""What customers' scores, waits and contacts come to: exact, from facts that stand on the rows of signals and cases and nowhere else.

An edit changes its row and a deletion empties it, so nothing has ever to be subtracted.
"""
