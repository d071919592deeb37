"""Word lists from which the sample gallery is composed: titles, people, user agents, referrers.

Constants only. How they are drawn and combined is in `sample_gallery` and `sample_events`.
"""

from __future__ import annotations

STYLES = (
    "Neon", "Minimal", "Kinetic", "Soft Gradient", "Bold Type", "Paper Cut", "Glass", "Retro", "Monochrome",
    "Pastel", "Isometric", "Hand-drawn", "Duotone", "Holographic", "Swiss Grid", "Liquid", "Pixel", "Brutalist",
    "Warm Film", "Line Art", "Midnight", "Sunlit", "Split Screen", "Layered",
)  # fmt: skip

FORMS = (
    "Intro", "Reveal", "Countdown", "Teaser", "Loop", "Carousel", "Title Card", "Walkthrough", "Recap",
    "Announcement", "Story", "Explainer", "Outro", "Lower Third", "Highlight Reel", "Opener",
)  # fmt: skip

# category → (what its templates are about, tags that fit them)
CATEGORIES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "product": (
        ("Product Launch", "Feature Tour", "App Demo", "Pricing Update", "Release Notes", "Onboarding"),
        ("saas", "launch", "ui", "demo", "startup", "app"),
    ),
    "social": (
        ("Creator Post", "Short Clip", "Giveaway", "Before and After", "Day in the Life", "Poll", "Unboxing"),
        ("vertical", "reels", "shorts", "creator", "hook", "captions"),
    ),
    "podcast": (
        ("Podcast Clip", "Guest Quote", "Episode", "Audiogram", "Interview", "Season Finale"),
        ("audio", "waveform", "quote", "episode", "interview"),
    ),
    "education": (
        ("Lesson", "Math Concept", "Language Drill", "Science Fact", "History Minute", "Quiz", "Study Plan"),
        ("lesson", "school", "steps", "diagram", "quiz"),
    ),
    "events": (
        ("Conference", "Webinar", "Meetup", "Workshop", "Wedding", "Festival", "Speaker"),
        ("event", "invite", "date", "venue", "schedule"),
    ),
    "data": (
        ("Bar Chart Race", "Quarterly Report", "Market Map", "Survey Results", "Timeline", "Ranking", "Funnel"),
        ("chart", "numbers", "report", "kpi", "infographic"),
    ),
    "music": (
        ("Lyric Video", "Album Drop", "Beat Visualizer", "Tour Dates", "Playlist", "Cover Art"),
        ("beat", "lyrics", "spectrum", "album", "band"),
    ),
    "branding": (
        ("Logo", "Brand Values", "Team Page", "Hiring", "Company Story", "Customer Quote"),
        ("logo", "brand", "team", "testimonial", "identity"),
    ),
    "seasonal": (
        ("New Year", "Spring Sale", "Summer Party", "Back to School", "Autumn Market", "Winter Holiday"),
        ("holiday", "sale", "season", "greeting", "offer"),
    ),
    "gaming": (
        ("Stream Alert", "Match Result", "Patch Notes", "Clan Roster", "Speedrun", "Tournament Bracket"),
        ("stream", "esports", "overlay", "highlight", "clips"),
    ),
}  # fmt: skip

STYLE_TAGS = ("animated", "dark", "light", "typography", "3d", "gradient", "clean", "fast", "slow", "loopable")

OPENERS = (
    "A {style} {form} for a {subject}.",
    "Turns your {subject} into a {style} {form}.",
    "{style} {form} made for one {subject} and one clear message.",
    "Start your {subject} with a {style} {form} that reads well without sound.",
    "Everything a {subject} needs: a {style} {form} in a few seconds.",
)
DETAILS = (
    "Colours, fonts and logo follow your brand kit.",
    "Swap the text and the timing adjusts by itself.",
    "Works with three lines of copy or with ten.",
    "The last scene leaves room for a link or a code.",
    "Pictures slide in on the beat, so keep your music short.",
    "Numbers count up from zero; give it your own.",
    "Every scene can be used on its own.",
)
CLOSERS = (
    "Looks right in landscape, portrait and square.",
    "Best below twenty seconds.",
    "Made for phones first.",
    "Remix it: the scenes are plain and small.",
    "No stock footage needed.",
    "",
)

PROJECT_WORDS = (
    "Draft",
    "Campaign",
    "Client Cut",
    "Test",
    "Weekly",
    "Final",
    "Ideas",
    "Version 2",
    "Teaser",
    "Pitch",
)

FIRST_NAMES = (
    "Ada", "Amara", "Anouk", "Bela", "Bruno", "Carla", "Chidi", "Dalia", "Diego", "Elif", "Emeka",
    "Farah", "Felix",
    "Greta", "Hana", "Hugo", "Ines", "Ivan", "Jana", "Joao", "Kofi", "Lars", "Leila", "Lin", "Luca",
    "Maja", "Malik",
    "Mei", "Milo", "Nadia", "Nils", "Noor", "Olga", "Omar", "Paula", "Priya", "Quinn", "Rafael", "Rosa", "Sami",
    "Sara", "Tariq", "Tess", "Uma", "Viktor", "Wanda", "Yara", "Yusuf", "Zoe", "Zoran",
)  # fmt: skip
LAST_NAMES = (
    "Abe", "Almeida", "Andersen", "Bakker", "Banerjee", "Bauer", "Costa", "Demir", "Diallo",
    "Dvorak", "Eze", "Fischer",
    "Fontaine", "Garcia", "Haddad", "Horvat", "Ivanov", "Jansen", "Kaya", "Kim", "Kowalski",
    "Larsen", "Lopez", "Mensah",
    "Meyer", "Moreau", "Nakamura", "Nguyen", "Novak", "Okafor", "Olsen", "Park", "Patel", "Pereira",
    "Popov", "Rahman",
    "Reyes", "Rossi", "Sato", "Schmidt", "Silva", "Singh", "Sokolov", "Svensson", "Tanaka",
    "Torres", "Varga", "Weber",
    "Yilmaz", "Zhang",
)  # fmt: skip
MAIL_DOMAINS = ("example.com", "example.org", "example.net")

_WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
_DESKTOPS = (
    ("Windows NT 10.0; Win64; x64", 5),
    ("Macintosh; Intel Mac OS X 10_15_7", 4),
    ("X11; Linux x86_64", 1),
)
_CHROMES = ((128, 1), (129, 1), (130, 2), (131, 5), (132, 9))
_FIREFOXES = ((128, 2), (132, 1), (133, 3))

# (user agent, weight): what people use at a desk
DESKTOP_AGENTS: tuple[tuple[str, int], ...] = (
    *(
        (f"Mozilla/5.0 ({system}) {_WEBKIT} Chrome/{version}.0.0.0 Safari/537.36", 4 * often * recent)
        for system, often in _DESKTOPS
        for version, recent in _CHROMES
    ),
    *(
        (f"Mozilla/5.0 ({system}) {_WEBKIT} Chrome/{version}.0.0.0 Safari/537.36 Edg/{version}.0.0.0",
         often * recent)
        for system, often in _DESKTOPS[:2]
        for version, recent in _CHROMES[2:]
    ),
    *(
        (f"Mozilla/5.0 ({system}; rv:{version}.0) Gecko/20100101 Firefox/{version}.0", often * recent)
        for system, often in _DESKTOPS
        for version, recent in _FIREFOXES
    ),
    *(
        (f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
         f"Version/{version} Safari/605.1.15", often)
        for version, often in (("17.6", 20), ("18.1", 30), ("18.2", 25))
    ),
)  # fmt: skip

# (user agent, weight): what people use on the way
MOBILE_AGENTS: tuple[tuple[str, int], ...] = (
    *(
        (f"Mozilla/5.0 (iPhone; CPU iPhone OS {system} like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
         f"Version/{safari} Mobile/15E148 Safari/604.1", often)
        for system, safari, often in (("17_6_1", "17.6", 9), ("18_1_1", "18.1", 14), ("18_2", "18.2", 16))
    ),
    *(
        (f"Mozilla/5.0 (Linux; Android 10; K) {_WEBKIT} Chrome/{version}.0.0.0 Mobile Safari/537.36", 3 * recent)
        for version, recent in _CHROMES
    ),
    *(
        (f"Mozilla/5.0 (Android 14; Mobile; rv:{version}.0) Gecko/{version}.0 Firefox/{version}.0", recent)
        for version, recent in _FIREFOXES
    ),
)  # fmt: skip

# (user agent, weight): programs that walk through the gallery
CRAWLER_AGENTS: tuple[tuple[str, int], ...] = (
    ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", 30),
    (f"Mozilla/5.0 (Linux; Android 6.0.1; Nexus 5X Build/MMB29P) {_WEBKIT} Chrome/131.0.6778.139 Mobile "
     "Safari/537.36 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", 18),
    ("Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)", 16),
    ("Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)", 6),
    ("Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)", 12),
    ("Mozilla/5.0 (compatible; SemrushBot/7~bl; +http://www.semrush.com/bot.html)", 8),
    ("Mozilla/5.0 (compatible; MJ12bot/v1.4.8; http://mj12bot.com/)", 3),
    (f"Mozilla/5.0 {_WEBKIT}; compatible; GPTBot/1.2; +https://openai.com/gptbot)", 9),
    ("Mozilla/5.0 (compatible; ClaudeBot/1.0; +claudebot@anthropic.com)", 7),
    ("CCBot/2.0 (https://commoncrawl.org/faq/)", 3),
    ("facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)", 4),
    ("DuckDuckBot/1.1; (+http://duckduckgo.com/duckduckbot.html)", 2),
    ("python-requests/2.32.3", 1),
)  # fmt: skip

SITE = "https://bazaar.example"
CDN = "https://cdn.bazaar.example"
SEARCH_REFERRERS = (
    "https://www.google.com/", "https://www.google.com/", "https://www.google.com/", "https://www.bing.com/",
    "https://duckduckgo.com/", "https://search.brave.com/",
)  # fmt: skip
SOCIAL_REFERRERS = (
    "https://t.co/", "https://www.reddit.com/", "https://www.youtube.com/", "https://www.linkedin.com/",
    "https://www.instagram.com/", "https://news.ycombinator.com/", "https://www.tiktok.com/",
    "https://discord.com/",
)  # fmt: skip
SITE_REFERRERS = (
    f"{SITE}/community", f"{SITE}/community", f"{SITE}/community/new", f"{SITE}/community/popular",
    f"{SITE}/community/favorites", *(f"{SITE}/community/category/{name}" for name in CATEGORIES),
)  # fmt: skip
PANEL_REFERRERS = (f"{SITE}/projects", f"{SITE}/editor", f"{SITE}/editor", f"{SITE}/editor?panel=community")
