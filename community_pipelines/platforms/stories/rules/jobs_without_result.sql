-- Rows (time that decides the day, what it is, what is wrong with it) from {start} on and before {end}: finished
-- jobs that have no result.
select job.{jobs.created_at}, job.{jobs.id}, 'it is final_ready and has no result_data'
from {jobs} as job
where job.{jobs.created_at} >= {start} and job.{jobs.created_at} < {end}
    and job.{jobs.status} = 'final_ready' and job.{jobs.result_data} is null
