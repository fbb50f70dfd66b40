"""Seeing and steering it: the Textual screens, dialogs and widgets."""
