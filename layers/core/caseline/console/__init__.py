"""The console: pages rendered on the server from the desk's views. Nothing in a page runs or loads from elsewhere."""
