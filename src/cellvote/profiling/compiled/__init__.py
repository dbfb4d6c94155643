"""Loops over pixels, compiled when they are first called: see `cellvote.compiling`.

Only functions that measure import modules of this package.
"""
