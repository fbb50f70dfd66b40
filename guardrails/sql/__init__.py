"""SQL read by a lexer that never fails and, statement by statement, by sqlglot."""
