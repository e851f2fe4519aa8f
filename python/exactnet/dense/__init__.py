"""The float half: networks of floats and their training. It does not know the rational half.

Private: what is public is in `exactnet` itself.
"""
