"""Deletions in S3, found in Python, JavaScript, TypeScript and shell by tokens and trees, never by text."""
