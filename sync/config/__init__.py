"""Settings: options, their sources, secret files, redaction, cron expressions."""
