"""Bun Router: turns mails to a shared address into leads, and finds each lead an owner, with mail alone."""

__version__ = "0.1.0"
