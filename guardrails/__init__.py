"""What may happen: environments and their gates, SQL, S3 and migration rules, findings and reports."""
