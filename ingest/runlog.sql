-- name: begin_step
insert into audit.step (run_id, name, table_id, batch_seq)
values (%(run_id)s, %(name)s, %(table)s, %(batch)s)
returning step_id;

-- name: end_step
update audit.step
set
    state = %(state)s,
    ended_at = clock_timestamp(),
    error = %(error)s
where step_id = %(step_id)s;
