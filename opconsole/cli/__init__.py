"""The command line: one thin typed function a command, and the modules that do the work."""
