-- What ingest made of the sample's projects.
select version.project_key, uuid_send(template.id), template.slug
from community.template_versions as version
join community_templates as template on template.id = version.template_id
join community.publication_requests as request
    on request.project_key = version.project_key and request.requested_by = 'sample'
