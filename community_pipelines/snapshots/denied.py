"""What a scene's code must not reach: the names, where each leads, and what is said of it. Data only.

The list keeps honest authors from mistakes and careless copies from the gallery; it is no sandbox, and the app that
plays a scene must be one. How it is looked for is in `scopes` and `walk`.
"""

from __future__ import annotations

import re

MESSAGES = {
    "eval": "eval runs text as code: write the code itself",
    "function-constructor": "a function made from text runs it as code: write the function itself",
    "string-timer": "a timer with text runs it as code: call it by its name with a function, or use the frame",
    "script-address": "an address that is code runs it: write the code itself",
    "dynamic-import": "import() of this is not allowed: import an allowed package at the top",
    "document-cookie": "a template must not read or write cookies",
    "browser-storage": "a template must not keep anything in the browser",
    "network": "a template must not talk to the network: use remotion's staticFile or props",
    "worker": "a worker runs code that nobody has looked at: compute it in the scene",
    "messages": "a template must not talk to other windows",
    "navigation": "a template must not lead its viewer to another page",
    "dangerous-html": "markup made from text is not allowed: write elements",
    "embedded-content": "elements that bring in other pages, scripts or styles are not allowed",
    "process-env": "process.env is not allowed: use props",
    "import-meta-env": "import.meta.env is empty where templates are played: use props",
    "computed-global": "a global object may only be used by a name that can be read here",
    "escaped-identifier": "names must be written without escapes",
    "reordered-text": "a character that shows the code in another order than it runs: write it as an escape",
}

_GLOBALS = ("window", "globalThis", "self", "top", "parent", "frames", "opener")
_RULES = {
    "eval": ("eval",),
    "function-constructor": ("Function",),
    "browser-storage": ("localStorage", "sessionStorage", "indexedDB", "caches"),
    "document-cookie": ("cookieStore",),
    "network": (
        "fetch", "XMLHttpRequest", "WebSocket", "EventSource", "WebTransport", "RTCPeerConnection", "Image", "Audio",
    ),
    "worker": ("Worker", "SharedWorker", "importScripts"),
    "messages": ("BroadcastChannel", "postMessage"),
    "navigation": ("open",),
    "dangerous-html": ("DOMParser",),
}  # fmt: skip

# Where a name leads from an object: to a rule that it breaks, or to another object. A bare name that nothing in the
# scene declares is the global object's.
LEADS: dict[str, dict[str, str]] = {
    "global": {
        **dict.fromkeys(_GLOBALS, "global"),
        **{name: name for name in ("document", "navigator", "location", "history", "process", "require")},
        **dict.fromkeys(("setTimeout", "setInterval"), "timer"),
        **{name: rule for rule, names in _RULES.items() for name in names},
    },
    "document": {
        "cookie": "document-cookie",
        **dict.fromkeys(("write", "writeln"), "dangerous-html"),
        "location": "location",
    },
    "navigator": {"sendBeacon": "network", "serviceWorker": "worker"},
    "location": dict.fromkeys(("assign", "replace", "reload"), "navigation"),
    "history": dict.fromkeys(("pushState", "replaceState", "back", "forward", "go"), "navigation"),
    "process": {"env": "process-env"},
}
# What has to be used where it can be read, and the rule that it breaks under another name, where nobody sees what is
# done with it.
KEPT_IN_SIGHT = {**dict.fromkeys(LEADS, "computed-global"), "timer": "string-timer"}

# Of whatever object: these give a global object,
GLOBAL_OF = {
    "defaultView": "global", "contentWindow": "global", "contentDocument": "document", "ownerDocument": "document",
}  # fmt: skip
# these are a global object's where they are of a `view`, as events have one (others have a `top` or `open` as well),
OF_A_VIEW = frozenset(
    {"window", "globalThis", "document", "navigator", *(name for names in _RULES.values() for name in names)}
    - {"open", "postMessage"}
)
# must not be taken out by a pattern,
TAKEN_OUT = {
    "constructor": "function-constructor", "IFrame": "embedded-content", **dict.fromkeys(GLOBAL_OF, "computed-global"),
}  # fmt: skip
# make markup from text when they are used, when they are set, and when they are a property that is given,
HTML_METHODS = frozenset(
    ("insertAdjacentHTML", "setHTMLUnsafe", "parseHTMLUnsafe", "createContextualFragment", "dangerouslySetInnerHTML")
)
HTML_TARGETS = frozenset(("innerHTML", "outerHTML", "srcdoc", "srcDoc"))
HTML_PROPERTIES = frozenset(("dangerouslySetInnerHTML", "srcdoc", "srcDoc"))
# run a text that they are set to (words of English apart),
HANDLER = re.compile(r"on(?!(?:e|ce|ly|line|set)$)[a-z]+")
# and hold an address.
ADDRESSES = frozenset(
    ("href", "src", "srcset", "srcSet", "xlink:href", "xlinkHref", "action", "formaction", "formAction", "data",
     "poster", "to", "from", "values")
)  # fmt: skip
SUBMITS = frozenset(("formaction", "formAction"))
SCRIPT_ADDRESS = re.compile(r"(?:javascript|vbscript):|data:(?:text/html|application/xhtml)", re.IGNORECASE)

ELEMENTS = frozenset(
    ("script", "iframe", "frame", "frameset", "object", "embed", "applet", "portal", "link", "base", "meta")
)
# What makes an element of a name, and which of its arguments is the name.
MAKES_ELEMENTS = {"createElement": 0, "createElementNS": 1, "jsx": 0, "jsxs": 0, "jsxDEV": 0}
SETS_ATTRIBUTES = {"setAttribute": 0, "setAttributeNS": 1}

# These reorder the text around them, for whoever reads it and not for what runs it.
REORDERS = re.compile("[\u202a-\u202e\u2066-\u2069]")

_NAMES = frozenset(
    {
        *LEADS["global"], *GLOBAL_OF, *HTML_METHODS, *HTML_TARGETS, *SUBMITS, *MAKES_ELEMENTS, *SETS_ATTRIBUTES,
        *TAKEN_OUT,
    }
)  # fmt: skip
# What is no letter becomes a blank: to look whether a word is one of many is much faster than to look for each.
_LETTERS = bytes(one if chr(one).isalpha() and one < 0x80 else 0x20 for one in range(256))
_WORDS = frozenset(name.encode() for name in (*_NAMES, "meta"))
# As a key a name stands for nothing: styles have `top: 0`.
_KEY = rb"[{,]\s*(?:top|parent|self|open|location|history|process)\s*:"
_READ = re.compile(rb"%s|(\b(?:%s)\b|\bimport\s*\.\s*meta\b)" % (_KEY, "|".join(sorted(_NAMES)).encode()))
# Elements, also of namespaces, handlers, and what may hide a name: texts that are added up, entities, comments. Each is
# looked for alone, which is much faster.
_HIDING = tuple(
    re.compile(one)
    for one in (
        rb"<\s*(?:(?:%s)\b|/[/*]|[\w$-]+\s*(?::|/[/*]))" % "|".join(sorted((*ELEMENTS, "form"))).encode(),
        rb"\.\s*(?:on[a-z]|/[/*])",
        rb"""on(?<=['"`]on)[a-z]+['"`]""",
        rb"""\+[\s(]*(?:['"`]|/[/*])""",
        rb"""\$\{[\s(]*(?:['"`]|/[/*])""",
        rb"&[#\w]{1,40};",
    )
)
# Addresses that are code, which may have blanks in them.
_SCRIPTS = (b"script:", b"data:text", b"data:app")
_BLANKS = bytes(range(0x21))


def is_suspicious(code: bytes) -> bool:
    """Whether the walk has to look at it; False for most scenes. Linear."""
    if b"\\" in code or any(hiding.search(code) for hiding in _HIDING):
        return True
    if not _WORDS.isdisjoint(code.translate(_LETTERS).split()) and any(
        found.group(1) for found in _READ.finditer(code)
    ):
        return True
    dense = code.translate(None, _BLANKS).lower()
    return any(scheme in dense for scheme in _SCRIPTS)
