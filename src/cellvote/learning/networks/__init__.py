"""Networks: the only place, with training itself, that imports torch; imported when a network is needed."""
