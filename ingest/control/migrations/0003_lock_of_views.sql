-- Threads of a build that make views again take turns here.
insert into audit.lock (name) values ('views');
