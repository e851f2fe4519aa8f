"""Where both halves meet: floats against exact numbers. The only place that knows both."""
