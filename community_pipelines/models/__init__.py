"""SQL models: reading them with their contracts (`project`), running them (`engine`), column lineage, the
published tables, publishing.

The SQL itself is in `dbt_like_models/`, in dbt's own formats. What an asset does with a model is in `flow/model.py`.
"""
