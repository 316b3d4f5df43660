"""Measurements: how well mail is read, and how fast and flat the whole is. Not part of the product."""
