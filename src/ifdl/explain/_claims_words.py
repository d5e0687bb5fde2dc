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
     r"same (?:fine )?detail|fine detail|matching points|points? match\w*|matched points"),
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
# Tests that speak of the same thing as another.
ALSO = {"copymove": ("marked_copy",)}
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

# "Nothing was found", said without a no.
_ALIKE = (
    r"\b(?:consistent|uniform\w*|homogen\w*|coheren\w*|unremarkable|"
    r"regular|unique|evenly|the same throughout)\b(?! with)"
)
ALIKE = re.compile(_ALIKE)

# A local change, in general and as something put in from elsewhere.
EDIT = re.compile(
    r"\b(?:edit\w*|alter\w*|chang\w+|tamper\w*|manipulat\w*|modif\w+|(?:another|different|other|foreign) origin|"
    r"suspicious|suspect\w*|anomal\w*|inconsisten\w*|stands? out|marked|flagged|anything|nothing)\b|" + _ALIKE
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
MEASURED = re.compile(r"\bscor(?:e|es|ed)\b|\basked for\b|\bthreshold\b|\bneed(?:s|ed)\b|\brequired\b")
EVIDENTIAL = re.compile(
    r"\b(?:found|find\w*|trac\w*|show\w*|detect\w*|seen|evidence|signs? of|indicat\w*|looked|threshold|mark\w*|"
    r"measure\w*|tests?|report\w*)\b"
)
# Limits that are always true to say: the first excuse what follows them, the second the whole clause.
_NEGATOR = (
    r"(?:\bnot|n't|\bnothing|\bcannot|\bnor|\bneither|\bno test)\b(?! only)(?:(?!\b(?:not|nothing|cannot)\b).){0,30}"
)
CAVEAT_AFTER = re.compile(
    _NEGATOR + r"\b(?:mean|prove|show that|say|imply|establish|make|mislead|conclude|rule out|exclude|"
    r"guarantee|demonstrate|suffice)[sd]?\b"
)
CAVEAT_ALL = re.compile(
    _NEGATOR + r"\b(?:told|known|settled?|decided?)\b|\b(?:can|may) leave no trace|leaves no trace|"
    r"says? nothing(?! about)"
)
HEDGE = re.compile(r"\b(?:may|might|could|can|possibl[ey]|perhaps|suggests?|would|appears?|seems?|as if)\b")
INNOCENT = re.compile(
    r"\b(?:harmless|innocent|benign|innocuous|legitimate|ordinary|c[oa]mes? from(?! elsewhere| another)|"
    r"explain\w*|due to|"
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
    (3, r"strong(?:ly)?|high (?:confidence|certainty|likelihood|probability)|compelling\w*|convincing\w*|"
     r"robust\w*|powerful|substantial\w*|reliabl[ey]|solid"),
    (1, r"moderate\w*|likely|unlikely|probabl[ey]|presumabl[ey]|probabilit\w*|considerable|good evidence|"
     r"significant\w*|"
     r"chances?|odds|confiden\w*|plausibl\w*|much support"),
)  # fmt: skip
STRONG = tuple((rank, re.compile(rf"(?<!\w)(?:{pattern})(?!\w)")) for rank, pattern in STRENGTH)
# Never said of a picture, whatever was found.
FORBIDDEN = re.compile(
    r"\b(?:authentic\w*|genuine\w*|real|really|fak(?:e|ed|es|ery)|forge(?:d|ry|ries|r|rs)|doctor(?:ed|ing)|"
    r"deep ?fakes?|"
    r"hoax|fraud\w*|pristine|untouched|unedited|unaltered|unmodified|unmanipulated|untampered|unchanged|intact|clean|"
    r"trust\w*|honest|truth|true|a lie|lying|photoshopped|originals?|misleading|misleads?|safe|legit\w*)\b"
)

# Causes, tools, people, motives.
CAUSE = re.compile(
    r"\b(?:photoshop|gimp|lightroom|snapseed|canva|facetune|affinity|midjourney|dall-?e|firefly|whatsapp|telegram|"
    r"instagram|facebook|twitter|software|app|program\w*|tool|tools|brush|stamp|beauty|someone|somebody|people|person|"
    r"editor|author|artist|attacker|criminal|propagand\w*|photographer|camera|phone|scanner|canon|nikon|sony|iphone|"
    r"samsung|mislead|deceiv\w*|decept\w*|hid(?:e|es|den|ing)|conceal\w*|cover(?: up|s up|ed up)|on purpose|purpose\w*|"
    r"intent\w*|deliberate\w*|malicious\w*|in order to|so that|motive|because|due to|caused? by|result of|"
    r"owing to|(?:comes?|came|stems?) from(?! elsewhere| another))\b"
)

_NO_PLACE = "".join(f"(?<!{word} )" for word in ("left", "right", "upper", "lower", "top", "bottom"))
# How much of the picture: (least, most) of its area.
SIZES: tuple[tuple[str, float, float], ...] = (
    (r"tiny|minute|minuscule|negligible", 0.0, 0.01),
    (r"small|little|compact|limited part", 0.0, 0.15),
    (r"large|big|huge|sizeable|extensive", 0.2, 1.0),
    (r"most of|mostly|majority|bulk|nearly all|much of", 0.5, 1.0),
    (rf"{_NO_PLACE}half", 0.4, 0.6),
    (
        rf"{_NO_PLACE}(?<!middle )(?<!centre )thirds?(?! time)",
        0.28,
        0.39,
    ),
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

# Things whose names look like adverbs.
NO_ADVERBS = frozenset(
    ("family", "butterfly", "fly", "lily", "belly", "assembly", "jelly", "bully", "doily", "holly", "trolley")
)
MIRRORED = re.compile(r"\b(?:mirror\w*|flip\w*)\b")

# Words that carry no claim of their own: function words, and those in which findings are reported.
_NEUTRAL = """
ability able about above absence absent absolute accept accepted accompanied according accordingly account accounts
achieve across act actual actually add added adding additional address adds adjacent affect affected affects
aforementioned after afterwards again against agree agrees aim align aligned aligns alike all allow allowed allowing
allows almost alone along already also alternative although altogether always am among amongst amount amounts ample an
analyse analysed analyses analysis analyzed and angle another answer answered answers any anyhow anyone anything
anyway anywhere apart apparent appear appearing appears applied applies apply appropriate approx approximate
approximately are area area's areas aren aren't arise arises around arrive arrived as aside ask asked asking aspect
assess assessed assessment assigned associated assume assumed assumption at attached attention attribute attributed
automatic available average averaged averages aware away axis back bad barely based basic basis be bearing bears
became because become becomes becoming been before beforehand begin begins behave behaves behind being believe
believed belong belongs below beside besides best better between beyond bigger bit blank both bottom bound bounding
box brief bring brings broad build built busy but by calculated calibrated calibration call called came can can't
cannot cant care careful carefully carried carries carry carrying case cases category cause causes caution cautious
caveat cell cells centered central centre centred chance change changed characteristic characteristics check checked
checking checks chiefly choose chosen circa circumstances cite cited claim claims classified close closely closer clue
clues cluster co coherent coincide coincides collected collectively combination combine combined come comes comment
common commonly compact comparable compare compared compares comparison complete compress compressed compression
comprise comprises compute computed con concentrated concern concerned concerning concerns conclude concluded
concludes conclusion condition conditions conduct conducted conducts confine confined connected consequently consider
consideration considered considering consist consistent constitute constitutes construct contain containing contains
content continue continues contradict contradiction contradicts contrary contrasting contrasts contribute conventional
converge convey coordinates core corner corners correct correctly corresponding corresponds corroborate could couldn
couldn't couldnt count counted counterpart counterparts counting counts couple course cover coverage covered covering
covers created current data de deal decided decision default define defined degree degrees depart departing departs
depend depending depends derived describe described describes description deserve deserved deserves despite detail
details detect detectable detected detection detector detects determine determined deviate deviates deviating
deviation did didn didn't differ difference differences different differently differing direction disagree disagrees
disclose discovered discrepancies discrepancy displaced displacement distance distinct distinguish distinguishable
distributed disturbance disturbed diverge divergent diverges divide division do does doesn doesn't doing don don't
done down draw drawn draws drew drop dropped due during e.g each earlier easily easy effect effects eg eight either
element elements eleven else elsewhere embedded emerge emits emphasis empty encoded encoding encounter encountered end
ended ending ends enough ensure entail entire entirely equal equals essential essentially establish estimate estimated
estimates etc evaluate evaluated evaluation even event ever every everyone everything everywhere evidence exact
exactly examination examine examined examines examining example exceed exceeded exceeds except exclude excluded
exclusively exhibit exhibited exhibits exist existing exists expect expectation expected experimental explain
explained explains explanation explanations explicitly extends extent extra extract extracted fact factor fail failed
failing fails faint fairly falls false familiar far favour favours feature features few fewer fifteen fifth fifty file
file's files fill fills final finalised finally find finding findings finds fine finer finest first fit fits fitting
five flag flagged flagging flags focused follow followed following follows for force forensic form formal formed
former formerly forming forms forth forty found four fourth fraction frame freely from front full fully further gained
gap gave general generally get gets getting give given gives go goes going good got grade graded great group grouped
guide had half hand handle handled handling happen happened happens hardly harmless has hasn't hasnt have haven't
having he heavier heavily held help helpful helps hence her here hereafter hereby herein hereupon hers herself high
higher highest him himself hint hinting hints his histories history hold holding holds how however hundred hundreds
hypothesis idea identical identification identified identifies identify identity ie if illustrate image images
immediate impact implied implies imply important impossible impression in inc inclined include included includes
including incompatible increase increased indeed independent indicate indicated indicates indication indicative
indicator indicators indistinguishable individual inference influence inform information initial innocent innocently
input inset inside insight inspect inspected inspection instance instead insufficient intended interest interesting
internal interpret interpretation interpreted interval intervals into introduce introduced involve involved involves
irregular irregularities irregularity irregularly is isn isn't isolated issue issues it it's item items its itself
join jointly jpeg judge judged judgement judgment just justified justify keep keeps kept kind kinds know known labeled
labelled lack lacked lacking lacks largely largest last later latest latter latterly lay layer layered lays lead
leading leads learned least leave leaves left leftover lend lends less let lets level levels lie lies like likelihood
likewise limit limitation limitations limits line link linked links list listed local localised localized locally
located location locations long longer look looked looking looks lots low lower lowest ltd made main mainly maintain
major make makes making manner manual many map mapped maps marginal mark marked marking marks mask masked masks match
matched matches matching matter maximum may maybe me mean meaning means meant meanwhile measure measured measurement
measurements measures measuring medium mention mentioned mentions merely merge method methods metric middle might mild
mildly million mine minimum minor mismatch mismatched missing mixed model models moderate modest modestly monitor more
moreover most mostly move moved moving much multiple must mutual my myself name named namely names narrow nature near
nearby nearer nearest nearly necessarily necessary need needed needs negative negatives neighboring neighbourhood
neighbouring neither neutral never nevertheless next nine no nobody non none nonetheless noone nor normal not notable
notably note noted noteworthy nothing notice noticeable noticed now nowhere number numbers numeric numerical
observation observe observed obtain obtained occasionally occupied occupies occupy occur occurred occurs oddity of off
offer offers offset often okay older omitted on once one ones only onto open operation opinion opposed opposite option
or order ordering ordinary origin originate originates originating origins other others otherwise ought our ours
ourselves out outcome outlier outlined outlying outperform outside over overall overlap overlapping overlaps own pair
paired pairs parameter part partial partially particular particularly partly parts pass passed passes passing past
patch patches pattern patterns per percent percentage percentages perform performed performs perhaps period periodic
permit permits phase phenomenon photo photograph photographs photos picture picture's pictures piece pieces pinpointed
pixel pixels pixelwise place placed places placing plain please plus point pointed pointing points portion portions
position positioned positions positive positives possible post potential potentially practice pre precede preceding
precise precisely precision predicted prediction preliminary presence present presents pretty prevent previous
previously primary principle prior probability problem proceed process processed processing produced pronounced proper
properly properties property proportionate propose proposed proposition prove provide provided provides providing pure
put px quadrant quadrants quality quantisation quantization question questions quick quite raise raised raises ran
random range rank ranked rarely rated rather ratio raw re reach reached reaches read readings reads ready reason
reasonable reasonably reasons receive received recent recheck recognise recognised recognized recompression recorded
refer referred refers regard regarded regarding regards region regions regular related relates relation relative
relevant reliability relied relies rely relying remain remainder remaining remains remark render repeatable report
reported reports represent represented represents request require requires resemble resembles residual residue respect
respective respectively respond responded response rest rested result resulted resulting results retain returned
returns reveal revealed reveals review rise rises role rotation rough roughly round routine row rows rule rules run
running runs said same sample satisfied save saved saves saving saw say saying says scale scaled scaling score scored
scores search second section sections see seeing seem seemed seeming seems seen separate separately separates series
serve serves set sets setting settings several shall shape shapes share shared she shift shifted shifting short
shortly should shouldn show showing shown shows side sides signal signals significant signs silent similar
similarities similarity simple simply since sincere single sit sits situated situation six sixty size sized sizes
slice slight slightly small so solely some somehow someone something sometime sometimes somewhere soon sort sought
speak speaking speaks special specific specifically specified split spoke spot spots spread square stable stage stand
standalone standard standing stands start starts state stated statement statements states statistic statistical
statistics status stay stays step steps still stood strength strict strictly stronger strongest structural structure
study sub subject subset substantial subtle successive such sufficient suggest suggested suggestive suggests suited
sum summarise summary support supported supporting supports suppose supposed sure surrounding surroundings symmetric
system systematic systems take taken takes taking tampered task technical technique techniques tell telling tells ten
tend tends tentative tentatively term terms test tested testing tests than that that's the their them themselves then
thence there there's thereafter thereby therefore therein thereupon these they thing things third this thorough
thoroughly those though thought thousand three threefold threshold through throughout thru thus tied tilt time times
title to together told tolerance too top topic total touches toward towards trace traces transform transition
translate translated translation treat treated tried trigger triggered triggers try turned twelve twenty two twofold
type types typical typically ultimately un unable unaffected uncertain uncertainty unclear under undergo undergone
underlying underneath understand unequal uneven unexpected uniform unique unit units unknown unless unlike unlikely
unnoticed unrelated unremarkable unsettled untested until unusual unusually up upon upper upward us use used useful
uses using usual usually utilise valid validated validity value values variation varies vary verdict verifiable
verified verify version versus very via vicinity view viewed visible visual visually wait warning warrant warrants was
wasn wasn't way ways we weaker weakest weigh weighed weight well went were weren weren't what whatever when whence
whenever where whereafter whereas whereby wherein whereupon wherever whether which while whither who whoever whole
whom whose why wide widely wider width will willing wish with within without won word worded wording words work
workflow worse worst worth worthwhile would would've wouldn write written wrong yes yet yield yielded yields you your
yours yourself yourselves zero zone zones
"""
NEUTRAL = frozenset(_NEUTRAL.split())
