"""What runs the deployed template here: its resources, its functions, its event sources and its front door."""
