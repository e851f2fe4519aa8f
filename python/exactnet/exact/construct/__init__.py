"""Constructions of exact networks (docs/construction.md)."""
