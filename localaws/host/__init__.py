"""A Lambda host: functions as processes of AWS's own runtime client, from zip to log line."""
