{% test in_range(model, column_name, low=none, high=none) %}
select *
from {{ model }}
where
    {% if low is not none %}{{ column_name }} < {{ low }}{% endif %}
    {%- if low is not none and high is not none %} or {% endif -%}
    {% if high is not none %}{{ column_name }} > {{ high }}{% endif %}
{% endtest %}
