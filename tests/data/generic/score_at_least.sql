{#-
    The mean score of a model's rows; see the macro score_rows. An empty model has
    none, and passes.
-#}
{% test score_at_least(
    model, minimum, table, key, complete, unique, valid, consistent, warn_minutes,
    error_minutes
) %}
select
    avg(score) as score,
    avg(completeness) as completeness,
    avg(validity) as validity,
    avg(uniqueness) as uniqueness,
    avg(consistency) as consistency,
    avg(timeliness) as timeliness
from (
    {{ score_rows(
        relation=model, table=table, key=key, complete=complete, unique=unique,
        valid=valid, consistent=consistent, warn_minutes=warn_minutes,
        error_minutes=error_minutes
    ) }}
) as scores
having avg(score) < {{ minimum }}
{% endtest %}
