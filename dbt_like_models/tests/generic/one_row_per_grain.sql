{% test one_row_per_grain(model) %}
{# The grain is written once, in the contract's config.meta; `graph` is empty while dbt parses. #}
{%- if execute -%}
{%- set contract = graph.nodes.values() | selectattr('resource_type', 'equalto', 'model')
    | selectattr('name', 'equalto', model.identifier) | first -%}
{%- set grain = contract.config.meta.grain | join(', ') -%}
select {{ grain }}, count(*) as repeats
from {{ model }}
group by {{ grain }}
having count(*) > 1
{%- endif -%}
{% endtest %}
