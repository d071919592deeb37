{% test day_in_range(model, measure, low=none, high=none) %}
{# The time that decides a row's day is written once, as config.event_time; `graph` is empty while dbt parses. #}
{%- if execute -%}
{%- set tables = (graph.nodes.values() | list) + (graph.sources.values() | list) -%}
{%- set table = tables | selectattr('unique_id', 'in', context['model'].depends_on.nodes) | first -%}
select *
from (
    select cast({{ table.config.event_time }} as date) as day, {{ measure }} as measured
    from {{ model }}
    group by 1
)
where
    {% if low is not none %}measured < {{ low }}{% endif %}
    {%- if low is not none and high is not none %} or {% endif -%}
    {% if high is not none %}measured > {{ high }}{% endif %}
{%- endif -%}
{% endtest %}
