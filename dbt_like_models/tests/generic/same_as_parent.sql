{% test same_as_parent(model, column_name, to, field, key) %}
{# The parent's column has the same name as the row's. #}
select *
from {{ model }} as child
where exists (
    select 1 from {{ to }} as parent
    where parent.{{ field }} = child.{{ key }} and parent.{{ column_name }} <> child.{{ column_name }}
)
{% endtest %}
