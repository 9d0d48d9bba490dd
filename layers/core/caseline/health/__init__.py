"""How a customer stands: health with its coverage, churn signals, and why a customer left. Pure functions of one history, each line explained."""
