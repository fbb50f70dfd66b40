"""The journal: the state of runs and the record of what was asked, decided and done."""
