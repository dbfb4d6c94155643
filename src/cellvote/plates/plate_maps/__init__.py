"""Plate maps: reading them from any table, joining them to the images, and what their columns mean."""
