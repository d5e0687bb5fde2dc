"""The words by which claims are recognised: which test a word speaks of, how strong it is, what nobody can check.

British and American spelling alike; all lower case. The vocabulary is closed on purpose: a word that stands nowhere
here, and not in what the tests themselves said, is taken for an addition (an object, a name, a cause).
"""

from __future__ import annotations

import re

# A word and the test that it speaks of. Earlier rows win: "an earlier JPEG save" is not "saved".
CUES: tuple[tuple[str, str], ...] = (
    ("ghosts", r"ghosts?|jpeg (?:past|history)|earlier jpeg save|(?:other|different) (?:past|compression)"),
    ("structure", r"(?:re-?)?sav(?:e|es|ed|ing|ings)|recompress\w*|double compress\w*|compressed (?:twice|again)|"
     r"file'?s? structure|segments?|compression tables?"),
    ("jpeg_grid", r"(?:jpeg |compression )?(?:block )?grids?|(?:jpeg |compression )?blocks?|misalign\w*|line[sd]? up"),
    ("copymove", r"cop(?:y|ies|ied|ying)(?:[- ]mov(?:e|ed))?|clon\w+|duplicat\w+|repeat\w*|repetit\w+|twin|"
     r"(?:found|appears?|occurs?|shows?|seen|stands?) (?:\w+ )?(?:twice|a second time|again)|identical|"
     r"same (?:fine )?detail|fine detail|matching points|points? match\w*|matched points|mirrored"),
    ("resampling", r"resampl\w*|interpolat\w*|resiz\w*|rescal\w*|scaled|stretch\w*|enlarg\w*|shr[aiu]nk\w*|rotat\w*"),
    ("cfa", r"demosaic\w*|cfa|bayer"),
    ("noise", r"nois\w+|grain\w*"),
    ("median", r"median|smooth\w*|blur\w*|soften\w*|filter\w*"),
    ("ela", r"error[- ]levels?(?: analysis)?|ela"),
    ("ifdl_small", r"learned (?:expert|test|detector|model)|expert|neural network"),
    ("thumbnail", r"thumbnails?|preview"),
    ("credentials", r"(?:content )?credentials?|c2pa|signatures?|digitally signed"),
    ("metadata", r"metadata|exif|xmp|iptc|gps|about itself"),
    ("hashes", r"hash(?:es)?|known[- ]pictures?"),
    ("trace", r"archive"),
    ("generated", r"generat\w+|synthetic\w*|ai|artificial\w*|diffusion|gan|computer[- ]made"),
)  # fmt: skip
CUE = {clue: re.compile(rf"\b(?:{pattern})\b") for clue, pattern in CUES}
# "Carries none" is what these say by being out of domain.
ABSENT = ("metadata", "thumbnail", "credentials")

# What looks like evidence in a picture and is measured by no test of ours.
UNCHECKED = re.compile(
    r"\b(?:shadow\w*|light(?:s|ing|ed|er)?|lit|illuminat\w*|bright\w*|dark\w*|highlights?|shad(?:e|es|ing)|reflect\w*|"
    r"perspective|vanishing|proportion\w*|anatom\w*|textur\w*|edges?|outlines?|contours?|halos?|seams?|borders?|"
    r"boundar\w+|blend\w*|colou?r\w*|hues?|tones?|saturat\w*|contrast|sharp\w*|focus|depth|resolution|pixelat\w*|"
    r"art[ei]facts?|context|geometr\w*|physic\w*|unnatural\w*|strange\w*|odd(?:ly)?|lettering|fonts?|"
    r"remov\w+|eras\w+|delet\w+|inpaint\w*|retouch\w*|airbrush\w*|recolou?r\w*|fill(?:ed)? in|liquif\w+|warp\w*)\b"
)
UNCHECKED_BUT = re.compile(r"\b(?:of like|of similar|of the same) (?:texture|contrast)\b")

# A local change, in general and as something put in from elsewhere.
EDIT = re.compile(
    r"\b(?:edit\w*|alter\w*|chang\w+|tamper\w*|manipulat\w*|modif\w+|(?:another|different|other|foreign) origin|"
    r"suspicious|suspect\w*|anomal\w*|inconsisten\w*|stands? out|marked|flagged|anything|nothing)\b"
)
PUT_IN = re.compile(
    r"\b(?:past(?:e|ed|ing)|splic\w+|insert\w*|composit\w*|added|put in(?:to)?|brought in|transplant\w*|"
    r"foreign|from elsewhere|(?:from|of) (?:another|a different) (?:picture|image|photo\w*|source))\b"
)
FROM_OUTSIDE = re.compile(
    r"\b(?:from elsewhere|foreign|(?:from|of) (?:another|a different) (?:picture|image|photo\w*|source))\b"
)

# What a sentence does with a test.
ASSERTING_NOT = re.compile(
    r"(?:do|does|did|is|are|was|were|would|to)?(?:n't| not) (?:\w+ )?"
    r"(line up|match|fit|agree|align\w*|correspond|belong|continue|the same|share)"
)
NOT_RUN = re.compile(
    r"(?:not|n't|never) (?:been |yet )?(?:checked|run|ran|tested|looked|part of|examined|made|done|compared|available)"
    r"|\bno (?:detector|comparison)|\bunchecked\b|\buntested\b"
)
UNABLE = re.compile(r"(?:cannot|could not|can't|couldn't) (?:be )?(?:judged?|assess\w*)|out of (?:its )?domain")
UNDECIDED = re.compile(r"\binconclusive\b|\bundecided\b|(?:does|do) not tell\b|cannot decide")
SILENT = re.compile(
    r"\b(?:no|not|nothing|none|never|neither|nor|without|cannot|absent|lack(?:s|ing)?|free of|silent|missing)\b|n't\b"
)
MEASURED = re.compile(r"\bscor(?:e|es|ed)\b|\basked for\b|\bthreshold\b|\bneeded\b|\brequired\b")
EVIDENTIAL = re.compile(
    r"\b(?:found|find\w*|trac\w*|show\w*|detect\w*|seen|evidence|signs? of|indicat\w*|looked|threshold|mark\w*|"
    r"measure\w*|tests?|report\w*)\b"
)
# Limits that are always true to say: the first excuse what follows them, the second the whole clause.
_NEGATOR = r"(?:\bnot|n't|\bnothing|\bcannot|\bnor|\bneither|\bno test)\b(?! only)(?:(?!\b(?:not|nothing|cannot)\b).){0,30}"
CAVEAT_AFTER = re.compile(_NEGATOR + r"\b(?:mean|prove|show that|say|imply|establish|make|mislead)s?\b")
CAVEAT_ALL = re.compile(
    _NEGATOR + r"\b(?:told|known|settled?|decided?)\b|\b(?:can|may) leave no trace|leaves no trace|"
    r"says? nothing(?! about)"
)
HEDGE = re.compile(r"\b(?:may|might|could|can|possibl[ey]|perhaps|suggests?|would|appears?|seems?|as if)\b")
INNOCENT = re.compile(
    r"\b(?:harmless|innocent|benign|innocuous|legitimate|ordinary|come from|comes from|came from|explain\w*|due to|"
    r"caused? by|result of|because|owing to|to check|check for|to rule out)\b"
)

# How sure a word makes it, on the verdict's own scale; the first that fits counts.
SCALE = ("weak", "moderate", "moderately strong", "strong", "very strong", "established")
STRENGTH: tuple[tuple[int, str], ...] = (
    (0, r"weak\w*|faint\w*|low confidence"),
    (5, r"prov(?:e|es|ed|en|ing)|proofs?|confirm\w*|certain\w*|definite\w*|undoubted\w*|undeniabl\w*|doubts?|"
     r"obvious\w*|conclusive\w*|evident(?:ly)?|clear(?:ly)?|plainly|unmistakabl\w*|guarante\w*|established|100 ?%|"
     r"surely|sure|must have|without question|undisputed|irrefutabl\w*|demonstrat\w*|indeed|truly"),
    (4, r"very strong\w*|overwhelming\w*|extremely|very likely|highly|almost sure"),
    (2, r"moderately strong"),
    (3, r"strong(?:ly)?|high (?:confidence|certainty|likelihood|probability)|compelling\w*|convincing\w*|robust\w*|powerful|substantial\w*|reliabl[ey]|solid"),
    (1, r"moderate\w*|likely|unlikely|probabl[ey]|presumabl[ey]|probabilit\w*|considerable|good evidence|significant\w*|"
     r"chances?|odds|confiden\w*|plausibl\w*|much support"),
)  # fmt: skip
STRONG = tuple((rank, re.compile(rf"(?<!\w)(?:{pattern})(?!\w)")) for rank, pattern in STRENGTH)
# Never said of a picture, whatever was found.
FORBIDDEN = re.compile(
    r"\b(?:authentic\w*|genuine\w*|real|really|fak(?:e|ed|es|ery)|forge(?:d|ry|ries|r|rs)|doctor(?:ed|ing)|deep ?fakes?|"
    r"hoax|fraud\w*|pristine|untouched|unedited|unaltered|unmodified|unmanipulated|untampered|unchanged|intact|clean|"
    r"trust\w*|honest|truth|true|a lie|lying|photoshopped|originals?|misleading|misleads?|safe|legit\w*)\b"
)

# Causes, tools, people, motives.
CAUSE = re.compile(
    r"\b(?:photoshop|gimp|lightroom|snapseed|canva|facetune|affinity|midjourney|dall-?e|firefly|whatsapp|telegram|"
    r"instagram|facebook|twitter|software|app|program\w*|tool|tools|brush|stamp|beauty|someone|somebody|people|person|"
    r"editor|author|artist|attacker|criminal|propagand\w*|photographer|camera|phone|scanner|canon|nikon|sony|iphone|"
    r"samsung|mislead|deceiv\w*|decept\w*|hid(?:e|es|den|ing)|conceal\w*|cover(?: up|s up|ed up)|on purpose|purpose\w*|"
    r"intent\w*|deliberate\w*|malicious\w*|in order to|so that|motive|because|due to|caused? by|result of|owing to|(?:comes?|came|stems?) from)\b"
)

# How much of the picture: (least, most) of its area.
SIZES: tuple[tuple[str, float, float], ...] = (
    (r"tiny|minute|minuscule|negligible", 0.0, 0.01),
    (r"small|little|compact|limited part", 0.0, 0.15),
    (r"large|big|huge|sizeable|extensive", 0.2, 1.0),
    (r"most of|mostly|majority|bulk|nearly all|much of", 0.5, 1.0),
    (r"(?<!left )(?<!right )(?<!upper )(?<!lower )(?<!top )(?<!bottom )half", 0.4, 0.6),
    (r"thirds?(?! time)", 0.28, 0.39),
    (r"quarters?", 0.2, 0.3),
    (r"fifth", 0.17, 0.23),
    (r"tenth", 0.08, 0.12),
    (r"(?:entire|whole|full) (?:picture|image|photo\w*|frame)|everywhere|throughout|all over", 0.9, 1.0),
)
SIZE = tuple((re.compile(rf"\b(?:{words})\b"), least, most) for words, least, most in SIZES)
NUMBERS = {
    word: n for n, word in enumerate(
        ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
    )
} | {"once": 1, "twice": 2, "thrice": 3, "double": 2, "triple": 3, "single": 1, "both": 2}  # fmt: skip

# Words that carry no claim of their own.
NEUTRAL = frozenset(
    ["a", "about", "above", "absence", "absent", "according", "accounts", "across", "adjacent", "after", "again", "against", "agree", "agrees", "all", "allow", "allows", "almost", "alone", "along", "also", "although", "always", "amount", "amounts", "an", "analysed", "analysis", "analyzed", "and", "angle", "another", "answer", "answered", "answers", "any", "anything", "anywhere", "apart", "appear", "appearing", "appears", "approx", "approximately", "are", "area", "area's", "areas", "aren't", "around", "as", "ask", "asked", "at", "away", "axis", "back", "based", "be", "bearing", "bears", "been", "before", "being", "below", "beside", "best", "better", "between", "bit", "both", "bounding", "box", "but", "by", "calibrated", "calibration", "came", "can", "can't", "cannot", "careful", "carefully", "carried", "carries", "carry", "carrying", "case", "cause", "causes", "caution", "cautious", "caveat", "change", "changed", "check", "checked", "checking", "checks", "circa", "come", "comes", "compact", "compared", "comparison", "conclusion", "confined", "consider", "consist", "consistent", "contain", "containing", "contains", "content", "continue", "continues", "contradict", "contradiction", "contradicts", "coordinates", "corner", "corners", "could", "couldn't", "counted", "counts", "course", "cover", "coverage", "covered", "covers", "current", "data", "degree", "degrees", "depart", "departing", "departs", "describe", "detail", "details", "detect", "detected", "detector", "detects", "didn't", "differ", "difference", "differences", "different", "direction", "disagree", "disagrees", "distance", "do", "does", "doesn't", "doing", "don't", "done", "down", "during", "e.g", "each", "earlier", "either", "else", "elsewhere", "enough", "entire", "estimate", "estimated", "estimates", "even", "every", "evidence", "exact", "exactly", "examination", "examined", "example", "exceeds", "except", "expect", "expected", "experimental", "explain", "explained", "explains", "explanation", "explanations", "extends", "fact", "fail", "failed", "fails", "falls", "far", "few", "fewer", "file", "file's", "files", "fill", "fills", "final", "find", "finding", "findings", "finds", "fine", "first", "fit", "fits", "follow", "following", "for", "form", "found", "frame", "from", "full", "further", "gave", "gets", "give", "given", "gives", "goes", "got", "great", "had", "half", "hand", "handled", "handling", "harmless", "has", "hasn't", "have", "haven't", "having", "held", "here", "high", "higher", "hint", "hints", "histories", "history", "hold", "holds", "how", "however", "i.e", "identified", "identifies", "identify", "if", "image", "images", "in", "indicate", "indicated", "indicates", "indication", "innocent", "innocently", "inset", "inside", "instead", "interpret", "interpreted", "into", "is", "isn't", "it", "its", "itself", "jpeg", "just", "keep", "kept", "kind", "know", "known", "lack", "lacking", "lacks", "largest", "last", "later", "latest", "layer", "least", "leave", "leaves", "left", "less", "level", "levels", "lie", "lies", "like", "likelihood", "limit", "limitation", "limitations", "limits", "line", "local", "localised", "localized", "locally", "located", "location", "locations", "long", "look", "looked", "looking", "looks", "low", "lower", "made", "main", "make", "makes", "making", "manner", "many", "mark", "marked", "marks", "match", "matched", "matches", "matching", "matter", "mean", "means", "measure", "measured", "measurement", "measurements", "measures", "middle", "might", "missing", "more", "moreover", "most", "move", "much", "must", "name", "named", "namely", "names", "near", "nearby", "nearly", "necessarily", "need", "needed", "needs", "neither", "never", "next", "no", "none", "nor", "normal", "not", "note", "noted", "nothing", "noticed", "now", "number", "numbers", "observation", "observe", "observed", "occupied", "occupies", "occupy", "of", "off", "on", "once", "one", "ones", "only", "open", "or", "order", "ordinary", "origin", "other", "otherwise", "out", "outcome", "outside", "over", "overall", "own", "pair", "pairs", "part", "partial", "partially", "partly", "parts", "passed", "passes", "past", "patch", "patches", "pattern", "patterns", "per", "percent", "percentage", "photo", "photograph", "photographs", "photos", "picture", "picture's", "pictures", "piece", "pieces", "pixel", "pixels", "pixelwise", "place", "placed", "places", "point", "points", "portion", "position", "possible", "presence", "present", "previous", "previously", "prior", "probability", "process", "processed", "processing", "produced", "px", "quality", "question", "questions", "quite", "rather", "ratio", "read", "reason", "recorded", "region", "regions", "relative", "remain", "remaining", "remains", "report", "reported", "reports", "respect", "respectively", "rest", "result", "results", "reveal", "revealed", "reveals", "roughly", "run", "runs", "said", "same", "save", "saved", "saves", "say", "saying", "says", "scale", "score", "scored", "scores", "search", "second", "section", "sections", "see", "seem", "seems", "seen", "set", "several", "shape", "share", "shared", "shift", "shifted", "should", "show", "showing", "shown", "shows", "side", "signs", "silent", "similar", "since", "single", "sit", "sits", "size", "so", "some", "somewhere", "spot", "spots", "stand", "standing", "stands", "state", "stated", "statement", "statements", "states", "stay", "stays", "step", "still", "strength", "strict", "study", "such", "suggest", "suggested", "suggests", "summary", "support", "supported", "supports", "surrounding", "surroundings", "take", "taken", "takes", "tampered", "tell", "tells", "test", "tested", "tests", "than", "that", "the", "their", "them", "then", "there", "therefore", "these", "they", "thing", "things", "this", "those", "though", "threshold", "through", "thus", "time", "times", "to", "together", "too", "top", "total", "toward", "towards", "trace", "traces", "turned", "type", "types", "under", "unit", "unknown", "unless", "unlike", "unsettled", "until", "up", "upon", "usual", "usually", "value", "values", "verdict", "very", "view", "visible", "visual", "visually", "was", "wasn't", "way", "we", "well", "were", "weren't", "what", "when", "where", "wherever", "whether", "which", "while", "who", "whole", "whose", "wide", "width", "will", "with", "within", "without", "word", "words", "work", "worth", "would", "wrong", "x", "y", "yet", "yields", "zone", "zones"]
)
