"""The local runtime: the deployed template, handlers and state machine on this machine."""
