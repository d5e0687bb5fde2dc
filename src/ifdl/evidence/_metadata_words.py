"""Who is who in metadata: camera brands, programs that edit, generators, and IPTC's source types.

Programs are matched only in fields where programs sign (never in captions), so that a caption about
Photoshop is no trace of it. Camera firmware strings must match nothing in `PROGRAMS`.
"""

from __future__ import annotations

import re


def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


# Fields in which a program names itself.
SIGNING = _compiled(
    r"^(Software|ProcessingSoftware|Originating Program|Creation Software|Creator Tool|Comment"
    r"|(xmp|tiff|pdf|exif|photoshop):(CreatorTool|Software|Producer)|.*stEvt:softwareAgent)$"
)

# ---------------------------------------------------------------- brands

BRANDS = {
    brand: _compiled(pattern)
    for brand, pattern in {
        "Canon": r"\bcanon\b|\bpowershot\b|\bixus\b|^EOS\b",
        "Nikon": r"\bnikon\b|\bcoolpix",
        "Sony": r"\bsony\b|^(ILCE|ILCA|DSC|DSLR-A|SLT|NEX)-",
        "Fujifilm": r"\bfuji(film| photo)?\b|\bfinepix",
        "Olympus": r"\bolympus\b|\bOM Digital",
        "Panasonic": r"\bpanasonic\b|^DMC-",
        "Pentax": r"\bpentax\b|\basahi\b",
        "Ricoh": r"\bricoh\b",
        "Leica": r"\bleica\b",
        "Samsung": r"\bsamsung\b|^(SM|GT)-[A-Z]\d",
        "Apple": r"\bapple\b|\biphone\b|\bipad\b",
        "Google": r"\bgoogle\b|^Pixel( \d|$)",
        "Huawei": r"\bhuawei\b",
        "Honor": r"\bhonor\b",
        "Xiaomi": r"\bxiaomi\b|^redmi\b|^poco\b",
        "Motorola": r"\bmotorola\b",
        "Nokia": r"\bnokia\b",
        "LG": r"^LGE?\b|\blg electronics",
        "HTC": r"\bhtc\b",
        "OnePlus": r"\boneplus\b",
        "Oppo": r"\boppo\b",
        "Vivo": r"^vivo\b",
        "Realme": r"\brealme\b",
        "Kodak": r"\bkodak\b",
        "Casio": r"\bcasio\b",
        "Minolta": r"\bminolta\b|\bdimage\b|\bdynax\b|\bmaxxum\b",
        "Sigma": r"\bsigma\b",
        "Hasselblad": r"\bhasselblad\b",
        "DJI": r"\bdji\b",
        "GoPro": r"\bgopro\b",
    }.items()
}
# Brands that sell each other's cameras, or put a partner's name on them.
ALLIED = (
    {"Pentax", "Ricoh", "Samsung", "Casio"},
    {"Leica", "Panasonic", "Fujifilm", "Huawei", "Xiaomi", "Minolta", "Sigma", "Honor"},
    {"Hasselblad", "DJI", "OnePlus", "Oppo", "Realme", "Vivo", "Sony"},
    {"Minolta", "Sony"},
    {"Google", "HTC", "LG", "Huawei", "Motorola", "Samsung"},
    {"Kodak", "Canon"},
    {"Kodak", "Nikon"},
    {"Huawei", "Honor"},
)
# Only notes whose first letters belong to one maker alone.
MAKER_NOTES = {
    "Nikon": "Nikon", "Apple iOS": "Apple", "FUJIFILM": "Fujifilm", "SONY DSC": "Sony", "SONY CAM": "Sony",
    "Panasonic": "Panasonic",
}  # fmt: skip
# What a camera's own firmware calls itself, apart from a brand.
FIRMWARE = _compiled(r"\bver(sion)?\.?\s*\d|firmware|V\d+\.\d+")


def brands(text: str) -> set[str]:
    """Every brand the text names."""
    return {brand for brand, pattern in BRANDS.items() if pattern.search(text.strip())}


def at_odds(one: set[str], other: set[str]) -> bool:
    """Whether both name brands, share none, and no two of them are known to sell each other's cameras."""
    if not one or not other or one & other:
        return False
    return not any({a, b} <= group for a in one for b in other for group in ALLIED)


# ---------------------------------------------------------------- programs

EDITOR = "a program that edits pictures"
RAW = "a program that develops or edits photographs"
CONVERTER = "a program that converts or re-saves pictures"
ORGANISER = "a program that copies or sorts photographs and may rewrite them"
SCREENSHOT = "a program that takes pictures of a screen"
NOTES = "a program that rewrites the notes in picture files, not the pixels"
PROGRAMS = tuple(
    (_compiled(pattern), kind)
    for pattern, kind in (
        (r"light ?room|camera raw|capture one|\bdxo\b|photolab|raw ?therapee|darktable|luminar|silkypix|on1 ", RAW),
        (r"digital photo professional|\bdpp\b|capture nx|nx studio|imaging edge|image data converter", RAW),
        (r"raw studio|olympus (workspace|viewer|master)|^aperture \d|^photos \d|iphoto|corel aftershot|iridient", RAW),
        (r"exiftool|exiv2|exifpilot|geosetter|photo mechanic|phil harvey", NOTES),
        (r"screen ?shot|screen ?capture|spectacle|greenshot|sharex|lightshot|snipping|snagit|flameshot", SCREENSHOT),
        (r"photoshop|adobe (express|elements|fireworks|imageready|illustrator|indesign|fresco)|imageready", EDITOR),
        (r"\bgimp\b|snapseed|affinity|pixelmator|picsart|facetune|faceapp|meitu|beautyplus|youcam|\bb612\b", EDITOR),
        (r"\bcanva\b|photopea|pixlr|\bfotor\b|befunky|polarr|\bvsco|afterlight|prequel|lensa|remini|airbrush", EDITOR),
        (r"paint\.net|paint ?shop|photo-?paint|\bms ?paint|microsoft paint|clip studio|krita|inkscape", EDITOR),
        (r"photo ?(scape|impact|editor|director|filtre|lab pro)|zoner|acdsee|acd systems|ulead|picnik|topaz", EDITOR),
        (r"photomatix|helicon|hugin|ptgui|autopano|image composite editor|nik collection|portrait ?pro", EDITOR),
        (r"movavi|skylum|procreate|acorn \d|seashore|figma|sketchbook|inshot|capcut|adobe photosh", EDITOR),
        (
            r"imagemagick|graphicsmagick|ffmpeg|\blavc\d|\blavf\d|gd-jpeg|\blibvips|\bsharp\b|cloudinary|imgix",
            CONVERTER,
        ),
        (r"irfanview|xnview|faststone|graphic ?converter|lead technologies|quicktime \d|mac os x|tinypng", CONVERTER),
        (
            r"windows (live )?photo|microsoft photos|windows imaging|matplotlib|tifffile|\bPIL\b|pillow|opencv",
            CONVERTER,
        ),
        (
            r"picasa|nikon transfer|view ?nx|photo ?mechanic|picture motion browser|\bpmb\b|acdsee photo manager",
            ORGANISER,
        ),
        (r"zoombrowser|imagebrowser|digikam|shotwell|adobe bridge|easyshare software|^google$", ORGANISER),
        (r"instagram|facebook|whatsapp|wechat|telegram|snapchat|tiktok|twitter", CONVERTER),
        (r"\badobe\b", EDITOR),
    )
)


def program(text: str) -> str | None:
    """What kind of program a signature is of, None for cameras and strangers."""
    return next((kind for pattern, kind in PROGRAMS if pattern.search(text)), None)


# ---------------------------------------------------------------- generators

# In a program's own signature. A credit line may name a company without the picture being generated.
GENERATORS = _compiled(
    r"dall[-·. ]?e\b|midjourney|adobe firefly|stable ?diffusion|\bcomfyui\b|\binvokeai\b|novelai|dreamstudio|fooocus"
    r"|made with google ai|bing image creator|image creator from|\bimagen\b|gpt-4o|gpt-image|chatgpt|\bopenai\b"
    r"|leonardo\.?ai|ideogram|\bflux\.1|draw things|diffusionbee|nightcafe|image playground|imagined with ai"
    r"|made with ai|meta ai\b|ai generated|nano banana|\bgrok\b|easy diffusion|swarmui|stability ai"
)
CREDITED = _compiled(
    r"dall[-·. ]?e\b|midjourney|adobe firefly|stable ?diffusion|made with (google )?ai|image creator"
    r"|generated (by|with) (ai|google ai|chatgpt|openai)|ai[- ]generated|imagined with ai|image playground"
)
GENERATIVE_EDITS = _compiled(
    r"edited with google ai|photos clean ?up|generative (fill|expand|edit)|edited with ai|galaxy ai|modified with ai"
)
CREDITS = _compiled(r"^(Credit|Source|photoshop:(Credit|Source))$")
# (group or "", name, what its value must hold, generator)
MARKS = (
    ("PNG", _compiled(r"^parameters$"), _compiled(r"\bSteps: \d+[\s\S]*\bSampler: "), "a Stable Diffusion program"),
    ("EXIF", _compiled(r"^(UserComment|ImageDescription)$"), _compiled(r"\bSteps: \d+[\s\S]*\bSampler: "),
     "a Stable Diffusion program"),
    ("PNG", _compiled(r"^(prompt|workflow)$"), _compiled(r"\"(class_type|nodes|last_node_id)\""), "ComfyUI"),
    ("EXIF", _compiled(r"^(Make|Model|ImageDescription|UserComment)$"),
     _compiled(r"^(prompt|workflow): ?\{|\"class_type\""), "ComfyUI"),
    ("PNG", _compiled(r"^(invokeai_(metadata|graph)|sd-metadata|Dream)$"), _compiled(r"."), "InvokeAI"),
    ("PNG", _compiled(r"^fooocus_scheme$"), _compiled(r"."), "Fooocus"),
    ("PNG", _compiled(r"^Comment$"), _compiled(r"\"steps\"[\s\S]*\"sampler\"|\"sampler\"[\s\S]*\"steps\""), "NovelAI"),
    ("", _compiled(r"^(Description|Comment|ImageDescription|Caption|dc:description\[\d+\])$"),
     _compiled(r"\bJob ID: ?[0-9a-f]{8}-[0-9a-f-]{20,}"), "Midjourney"),
)  # fmt: skip
# China's labelling rule of 2025: {"AIGC": {"Label": "1", …}}; 1 is generated, 2 perhaps, 3 suspected.
AIGC = _compiled(r"\"?Label\"?\s*:\s*\"?([123])\b")

SOURCE_TYPE = _compiled(r"DigitalSource(file)?Type$")
SOURCE_WORDS = {
    "trainedAlgorithmicMedia": "was made by a generator trained on other pictures",
    "compositeWithTrainedAlgorithmicMedia": "was partly made or filled by a generator trained on other pictures",
    "algorithmicMedia": "was computed by a program that learned from no pictures",
    "compositeSynthetic": "is put together from parts of which at least one is synthetic",
}
CAMERA_TYPES = {
    "digitalCapture": "was taken by a digital camera",
    "computationalCapture": "was taken by a digital camera that merges several frames",
    "negativeFilm": "was scanned from a film negative",
    "positiveFilm": "was scanned from a slide",
    "print": "was scanned from a print",
}
EDITED_TYPES = {
    "humanEdits": "was changed by a person",
    "minorHumanEdits": "was slightly changed by a person",
    "algorithmicallyEnhanced": "was enhanced by a program",
    "compositeCapture": "is put together from several photographs",
    "screenCapture": "was taken from a screen",
}
