"""What operators need: metrics, alerts, lineage, backups and drills."""
