"""Deletions in S3 found in Python, JavaScript, TypeScript and shell, by their tokens and trees, never by text."""
