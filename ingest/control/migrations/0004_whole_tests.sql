-- When the tests of an environment last looked at all rows of the facts, and
-- not only at what came since the build before.
alter table audit.build_state add column tested_whole_at timestamptz;
