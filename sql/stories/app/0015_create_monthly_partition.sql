-- Seed 002: makes the partition of one month. Its bounds are UTC whatever the session's time zone. It is attached
-- rather than made in place, so that the app reads and writes meanwhile. A table of that name that is no partition
-- (an archived month) is refused, not taken for the partition.
create function public.create_monthly_partition(table_name text, year int, month int) returns void
language plpgsql
set search_path = ''
as $$
declare
    first_day timestamp;
    partition_name text;
begin
    if (month between 1 and 12) is not true then
        raise invalid_parameter_value using
            message = format('create_monthly_partition: month must be 1 to 12, not %s', coalesce(month::text, 'null'));
    end if;
    if (year between 1 and 9998) is not true then
        raise invalid_parameter_value using
            message = format('create_monthly_partition: year must be 1 to 9998, not %s', coalesce(year::text, 'null'));
    end if;
    first_day := make_date(year, month, 1);
    partition_name := table_name || to_char(first_day, '_YYYY_MM');

    execute format('lock table public.%I in share update exclusive mode', table_name);
    if to_regclass(format('public.%I', partition_name)) is not null then
        if exists (
            select from pg_inherits
            where inhrelid = to_regclass(format('public.%I', partition_name))
                and inhparent = to_regclass(format('public.%I', table_name))
        ) then
            return;
        end if;
        raise duplicate_table using
            message = format('public.%s exists, but is not a partition of public.%s', partition_name, table_name),
            hint = 'Attach it again, or move it to another schema, then create the partition.';
    end if;

    execute format('create table public.%I (like public.%I including all)', partition_name, table_name);
    execute format(
        'alter table public.%I attach partition public.%I for values from (%L) to (%L)',
        table_name,
        partition_name,
        to_char(first_day, 'YYYY-MM-DD') || ' 00:00:00+00',
        to_char(first_day + interval '1 month', 'YYYY-MM-DD') || ' 00:00:00+00'
    );
end
$$;
