"""The rational half: networks with exact parameters. It does not know the float half.

Private: what is public is in `exactnet` itself.
"""
