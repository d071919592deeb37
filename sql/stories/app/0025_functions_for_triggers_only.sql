-- A function that runs as its owner is for its triggers alone. Whoever may execute it can put it on a table of their own
-- and have it delete keys; a trigger asks for that right when it is made, not when it fires.
revoke execute on function
    public.keep_job_idempotency_key(),
    public.require_scene_of_segment(),
    public.keep_scene_of_segments(),
    public.require_job_of_segment(),
    public.keep_job_of_segments()
from public;
