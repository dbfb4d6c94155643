"""What was imaged: wells, image planes, pixels, and what was done to each well."""
