-- Seed 002 keeps segments.scene_id by trigger. The lock makes a delete of the scene wait, as a foreign key's does,
-- and the triggers run as the owner, as a foreign key's do.
create function public.require_scene_of_segment() returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
    perform from public.scenes where id = new.scene_id for key share;
    if not found then
        raise foreign_key_violation using
            message = format('segments.scene_id: no row in scenes has the id %s', new.scene_id),
            detail = format('Key (scene_id)=(%s) is not present in table "scenes".', new.scene_id),
            schema = 'public', table = 'segments', column = 'scene_id', constraint = 'segments_scene_id_fkey';
    end if;
    return null;
end
$$;

create trigger segments_scene_id_added
after insert on public.segments
for each row execute function public.require_scene_of_segment();

create trigger segments_scene_id_changed
after update on public.segments
for each row when (old.scene_id is distinct from new.scene_id)
execute function public.require_scene_of_segment();

create function public.keep_scene_of_segments() returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
    if exists (select from public.segments where scene_id = old.id) then
        raise foreign_key_violation using
            message = format('scenes.id: segments.scene_id still refers to %s', old.id),
            detail = format('Key (id)=(%s) is still referenced from table "segments".', old.id),
            schema = 'public', table = 'segments', column = 'scene_id', constraint = 'segments_scene_id_fkey';
    end if;
    return null;
end
$$;

create trigger scenes_id_deleted
after delete on public.scenes
for each row execute function public.keep_scene_of_segments();

create trigger scenes_id_changed
after update on public.scenes
for each row when (old.id is distinct from new.id)
execute function public.keep_scene_of_segments();
