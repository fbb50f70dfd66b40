"""Sentences: what a person says becomes tasks by a grammar, or a question, or a refusal; never a guess."""
