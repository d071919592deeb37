"""The sample of the story videos: topics, ideas, scenes that grow by jobs, their moderation, views and likes."""
