"""Seedbed under Airflow: the DAGs, and the tasks that they share."""
