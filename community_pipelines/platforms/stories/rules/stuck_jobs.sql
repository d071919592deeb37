-- Rows (time that decides the day, what it is, what is wrong with it) from {start} on and before {end}: jobs that
-- are still open after 24 hours.
select job.{jobs.created_at}, job.{jobs.id},
    'it is ' || job.{jobs.status} || ' since ' || to_char(job.{jobs.created_at} at time zone 'UTC',
        'YYYY-MM-DD HH24:MI') || ' UTC'
from {jobs} as job
where job.{jobs.created_at} >= {start} and job.{jobs.created_at} < {end}
    and job.{jobs.status} in ('queued', 'processing', 'script_ready', 'continuity_checked', 'preview_ready')
    and job.{jobs.created_at} < now() - interval '24 hours'
