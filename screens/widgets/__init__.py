"""Parts of screens: tables, logs, pipelines, violations; each shows values and asks nobody."""
