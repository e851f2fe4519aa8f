"""What all of the package needs: checks of arguments, files, progress, memory."""
