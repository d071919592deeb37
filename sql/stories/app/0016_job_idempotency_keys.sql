-- The seed's unique idempotency key, kept across all partitions: every key that was ever given to a job, until that
-- job's row is deleted or has another key. A detached or dropped partition leaves its keys taken. The constraint has
-- the name that the seed's would have, so the app sees the error that it expects. The triggers run as the owner, so
-- whoever may write jobs needs no right on the keys.
create table public.job_idempotency_keys (
    idempotency_key varchar(100) not null constraint jobs_idempotency_key_key primary key,
    job_id uuid not null,
    job_created_at timestamptz not null
);

create index idx_jobs_idempotency_key on public.jobs (idempotency_key);

create function public.keep_job_idempotency_key() returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
    if tg_op in ('UPDATE', 'DELETE') then
        delete from public.job_idempotency_keys
        where idempotency_key = old.idempotency_key and job_id = old.id and job_created_at = old.created_at;
    end if;
    if tg_op in ('INSERT', 'UPDATE') and new.idempotency_key is not null then
        insert into public.job_idempotency_keys (idempotency_key, job_id, job_created_at)
        values (new.idempotency_key, new.id, new.created_at);
    end if;
    return null;
end
$$;

create trigger jobs_idempotency_key_taken
after insert on public.jobs
for each row when (new.idempotency_key is not null)
execute function public.keep_job_idempotency_key();

create trigger jobs_idempotency_key_changed
after update on public.jobs
for each row when (
    (old.idempotency_key, old.id, old.created_at) is distinct from (new.idempotency_key, new.id, new.created_at)
)
execute function public.keep_job_idempotency_key();

create trigger jobs_idempotency_key_given_back
after delete on public.jobs
for each row when (old.idempotency_key is not null)
execute function public.keep_job_idempotency_key();
