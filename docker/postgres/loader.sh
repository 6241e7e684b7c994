#!/bin/bash
# Run once by the Postgres image, on an empty volume: the warehouse's database and the
# loader, who owns what it creates there and nothing else. Passwords stay out of the
# arguments.
psql --quiet --set=ON_ERROR_STOP=1 --username=postgres --dbname=postgres <<SQL
create role "$LOADER" login createrole password '$LOADER_PASSWORD';
create database "$LOADER_DATABASE";
grant connect, create, temporary on database "$LOADER_DATABASE" to "$LOADER";
SQL
