"""What all of the package needs: data sets, checks of arguments, files, progress, memory.

Private: what is public is in `exactnet` itself.
"""
