"""A register of clinicians and their licences, as a small web service."""
