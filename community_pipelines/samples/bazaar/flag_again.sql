-- Whoever takes up a sample again wants to see what was rejected tried again.
update community.publication_requests as request
set done_at = null, status = null, detail = null
where requested_by = 'sample'
    and done_at is not null
    and not exists (select from community.template_versions where project_key = request.project_key)
