"""Collaborative story videos: facts, flow and suites."""
