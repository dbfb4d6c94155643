"""The docks, one module each; docks of one viewer share its session."""
