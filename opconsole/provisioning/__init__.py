"""Provisioning: an AWS resource from its business case to a change set, an approval and a record in git."""
