-- The app's users, as far as the gallery's tables refer to them.
create table public."bazaar-vid_user" (
    id varchar(255) primary key,
    name varchar(255),
    email varchar(255),
    "createdAt" timestamptz not null default now()
);
