-- JSON as one text, whatever wrote it: keys sorted by their bytes, no blanks,
-- numbers without zeros at their end. Parity compares it with Snowflake's.
create or replace function audit.json_text(value jsonb)
returns text
language plpgsql
immutable strict
as $$
begin
    return case jsonb_typeof(value)
        when 'object' then '{' || coalesce((
            select string_agg(
                to_jsonb(member.key)::text || ':' || audit.json_text(member.value),
                ',' order by member.key collate "C"
            )
            from jsonb_each(value) as member
        ), '') || '}'
        when 'array' then '[' || coalesce((
            select string_agg(
                audit.json_text(item.value), ',' order by item.ordinality
            )
            from jsonb_array_elements(value) with ordinality as item (value, ordinality)
        ), '') || ']'
        when 'number' then trim_scale((value #>> '{}')::numeric)::text
        else value::text
    end;
end
$$;
