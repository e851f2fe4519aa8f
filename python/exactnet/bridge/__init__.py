"""Where both halves meet: floats against exact numbers. The only place that knows both.

Private: what is public is in `exactnet` itself.
"""
