"""Constructions of exact networks.

Private: what is public is in `exactnet` itself.
"""
