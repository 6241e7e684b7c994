#!/bin/bash
# Run once by the MySQL image, on an empty volume: the demo's databases, a reader
# for the pipeline and a writer for the demo. Passwords stay out of the arguments.
MYSQL_PWD=$MYSQL_ROOT_PASSWORD mysql --user=root <<SQL
create database shop;
create database crm;
create user seedbed_reader identified by '$MYSQL_READER_PASSWORD';
create user seedbed_demo identified by '$MYSQL_DEMO_PASSWORD';
grant select on shop.* to seedbed_reader;
grant select on crm.* to seedbed_reader;
grant all on shop.* to seedbed_demo;
grant all on crm.* to seedbed_demo;
SQL
