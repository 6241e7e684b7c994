#!/bin/bash
# Run once by the Postgres image, on an empty volume: the databases of Airflow and of
# Marquez, each with a user who owns it. Passwords stay out of the arguments.
psql --quiet --set=ON_ERROR_STOP=1 --username=postgres --dbname=postgres <<SQL
create role airflow login password '$AIRFLOW_DB_PASSWORD';
create database airflow owner airflow;
create role marquez login password '$MARQUEZ_DB_PASSWORD';
create database marquez owner marquez;
SQL
