"""Word lists from which the sample of stories is composed: topics, titles, prompts, scripts, bibles, flags.

Constants only. How they are drawn and combined is in the other modules `sample_stories_…`.
"""

from __future__ import annotations

CDN = "https://cdn.stories.example"

# name → (what it is about, its categories)
TOPICS: dict[str, tuple[str, tuple[str, ...]]] = {
    "Deep Sea": ("Stories from below the waves.", ("Expeditions", "Creatures", "Lost Cities")),
    "Orbit": ("Life on stations and far moons.", ("Crews", "First Contact", "Repairs")),
    "Old Houses": ("Doors that should have stayed shut.", ("Attics", "Neighbours", "Letters")),
    "Small Towns": ("Everybody knows somebody.", ("Diners", "Festivals", "Secrets")),
    "Clockwork": ("Gears, steam and inventions.", ("Workshops", "Airships", "Rivals")),
    "Forest Folk": ("Who lives under the roots.", ("Foxes", "Bargains", "Seasons")),
    "Night Trains": ("Strangers in one compartment.", ("Passengers", "Stations", "Luggage")),
    "Kitchen Tales": ("Heat, haste and a hidden recipe.", ("Rivals", "Recipes", "Guests")),
    "Desert Roads": ("Dust, distance and radio.", ("Convoys", "Mirages", "Outposts")),
    "Court and Crown": ("Plots behind the tapestry.", ("Heirs", "Spies", "Feasts")),
    "Robots at Home": ("Machines that mean well.", ("Chores", "Upgrades", "Friends")),
    "Winter Games": ("Cold air and close finishes.", ("Training", "Rivals", "Finals")),
    "Island Life": ("One ferry a week.", ("Storms", "Arrivals", "Fishing")),
    "Time Slips": ("Yesterday has come back.", ("Loops", "Ancestors", "Repairs")),
}

# What users propose; the first ones may be promoted to topics.
PROPOSALS = (
    "Cloud Gardens", "Lighthouse Keepers", "Paper Cities", "Talking Maps", "Rooftop Cats", "Lost Luggage",
    "Sand Clocks", "Quiet Planets", "Bakery Ghosts", "Tiny Knights", "Radio Plays", "Glass Rivers",
    "School Trips", "Moon Markets", "Borrowed Names", "Weather Makers",
)  # fmt: skip
REJECTIONS = (
    "There is a topic for this already.",
    "Too narrow for a topic; start an idea instead.",
    "The name does not say what the topic is about.",
    "Advertises a product.",
)

ADJECTIVES = (
    "Hollow", "Silver", "Borrowed", "Quiet", "Crooked", "Last", "Patient", "Amber", "Forgotten", "Restless",
    "Painted", "Seventh", "Drifting", "Gentle", "Broken", "Midnight", "Unwritten", "Hidden", "Salted", "Velvet",
)  # fmt: skip
NOUNS = (
    "Lantern", "Harbor", "Compass", "Garden", "Signal", "Bridge", "Letter", "Orchard", "Engine", "Mirror",
    "Tower", "Ferry", "Map", "Key", "Choir", "Archive", "Kite", "Well", "Clock", "Market",
)  # fmt: skip
PLACES = (
    "Marrow Bay", "the Ninth Floor", "Tallow Street", "Halden Ridge", "the Salt Flats", "Station Eleven West",
    "Brackwater", "the Glass Quarter", "Upper Fenwick", "the Long Meadow", "Pier Forty", "the Under Market",
)  # fmt: skip
PERIODS = ("the day after tomorrow", "a long time ago", "the age of steam", "this winter", "year 212 of the colony")
RULES = (
    "Nobody can lie inside the tower.",
    "Machines may not cross the river.",
    "Every door opens only once a day.",
    "The tide decides who may leave.",
    "Names have power and are not given away.",
)

DEEDS = (
    "finds a {noun} that nobody has made", "misses the last ferry", "follows a light across the roofs",
    "trades a secret for a {noun}", "hears the {noun} answer", "opens the wrong door", "repairs what was not broken",
    "meets somebody who should be gone", "loses the {noun} in a bet", "learns who wrote the note",
    "hides from the rain and from the guards", "promises to come back",
)  # fmt: skip
TURNS = (
    "Then the lights go out.",
    "Nobody else seems to notice.",
    "It has been counting down since morning.",
    "The answer is older than the question.",
    "By dawn it is too late to turn around.",
    "Somewhere a bell begins to ring.",
)
SHOTS = ("Wide shot, slow push in.", "Close-up, hand held.", "From above, still.", "Long take, no cut.")

CALLED = (
    "Orrin", "Sable", "Wick", "Tamsel", "Juno Vex", "Pell", "Brindle", "Captain Mote", "Ash", "Ferro",
    "Nettle", "Old Quill", "Vesper", "Tock", "Lumen", "Marl", "Doctor Finch", "Isk", "Rook", "Thistle",
)  # fmt: skip
TRAITS = ("stubborn", "curious", "tired", "brave", "careless", "loyal", "secretive", "cheerful", "afraid of water")
RELATIONS = ("sibling", "rival", "mentor", "old friend", "owes a favour")
TONES = ("warm", "eerie", "dry", "hopeful", "tense")
LOOKS = ("watercolour", "stop motion", "soft film grain", "ink and paper", "low polygon")
TAGS = ("slow", "funny", "dark", "family", "mystery", "oneshot", "series", "romance", "cliffhanger", "pilot")

BIOS = ("Writes at night.", "Here for the endings.", "Collects first lines.", "Mostly reads.")
FLAG_REASONS = ("spam", "harassment", "violence", "copyright", "sexual_content", "off_topic")
FLAG_TEXTS = ("Please have a look.", "This does not belong here.", "Seen before elsewhere.", "Same text many times.")

# stage → the codes that it fails with
ERRORS: dict[str, tuple[str, ...]] = {
    "script_expansion": ("LLM_TIMEOUT", "LLM_RATE_LIMITED", "CONTENT_POLICY"),
    "continuity_validation": ("CONTINUITY_CONFLICT", "BIBLE_VERSION_CONFLICT"),
    "video_generation": ("VIDEO_PROVIDER_TIMEOUT", "VIDEO_PROVIDER_ERROR", "CONTENT_POLICY"),
    "upload": ("STORAGE_UNAVAILABLE", "UPLOAD_TIMEOUT"),
    "finalization": ("TRANSCODE_FAILED",),
}
