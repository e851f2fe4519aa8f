"""The rational half: networks with exact parameters. It does not know the float half."""
