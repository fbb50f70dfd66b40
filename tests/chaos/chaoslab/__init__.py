"""A laboratory for crashes: a small real project, hosts that are killed, an operator, and what must hold."""
