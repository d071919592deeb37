-- Not in the seed: without it, deleting a job scans every segment for those that it made.
create index idx_segments_job_id on public.segments (job_id);
