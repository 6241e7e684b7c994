-- By serving schema: the run that looked at all that consumers see of it and found
-- all well, and a checksum of what it looked at; empty where something was wrong.
create table audit.seen (
    environment text primary key,
    seen_as text not null,
    seen_by text not null
);
