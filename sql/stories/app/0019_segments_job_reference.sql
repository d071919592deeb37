-- The same for segments.job_id, by id in whichever partition. A changed segment is asked only about a changed
-- reference, so it stays editable after its job was archived. A job that moves to another partition is deleted and
-- inserted there, so what counts is whether a job with the id is left.
create function public.require_job_of_segment() returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
    perform from public.jobs where id = new.job_id for key share;
    if not found then
        raise foreign_key_violation using
            message = format('segments.job_id: no row in jobs has the id %s', new.job_id),
            detail = format('Key (job_id)=(%s) is not present in table "jobs".', new.job_id),
            schema = 'public', table = 'segments', column = 'job_id', constraint = 'segments_job_id_fkey';
    end if;
    return null;
end
$$;

create trigger segments_job_id_added
after insert on public.segments
for each row execute function public.require_job_of_segment();

create trigger segments_job_id_changed
after update on public.segments
for each row when (old.job_id is distinct from new.job_id)
execute function public.require_job_of_segment();

create function public.keep_job_of_segments() returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
    if exists (select from public.segments where job_id = old.id)
        and not exists (select from public.jobs where id = old.id)
    then
        raise foreign_key_violation using
            message = format('jobs.id: segments.job_id still refers to %s', old.id),
            detail = format('Key (id)=(%s) is still referenced from table "segments".', old.id),
            schema = 'public', table = 'segments', column = 'job_id', constraint = 'segments_job_id_fkey';
    end if;
    return null;
end
$$;

create trigger jobs_id_deleted
after delete on public.jobs
for each row execute function public.keep_job_of_segments();

create trigger jobs_id_changed
after update on public.jobs
for each row when (old.id is distinct from new.id)
execute function public.keep_job_of_segments();
