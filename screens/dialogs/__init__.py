"""What a person decides in: every dialog that leads to a change, and the ones that only tell."""
