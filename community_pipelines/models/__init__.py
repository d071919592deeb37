"""SQL models: reading them with their contracts (`project`), running them (`engine`), column lineage, the
published tables, publishing.

Not here: the SQL itself, which is in `dbt_like_models/` in dbt's own formats, and what is judged of a result.
"""
