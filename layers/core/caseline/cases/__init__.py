"""Cases: the claim that makes one case of many signals, the ledger of what should stand in the CRM, and the way there."""
