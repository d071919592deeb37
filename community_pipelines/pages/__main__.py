"""`python -m community_pipelines.pages` writes every generated page anew."""

from __future__ import annotations

from community_pipelines.pages import dictionary, flow

dictionary.FILE.write_text(dictionary.dictionary())
flow.FILE.write_text(flow.flow_page())
