"""The steps of a release, one file each, in the order of the recipe."""
