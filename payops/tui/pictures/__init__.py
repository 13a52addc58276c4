"""Pure functions from board values to lines of `Content`; every string in them crosses `ink`."""
