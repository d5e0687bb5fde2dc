"""Reports as CASE/UCO JSON-LD, in which forensic laboratories exchange investigations.

Source: CASE 1.x and UCO 1.x (caseontology.org, unifiedcyberontology.org). One investigation; for each picture one
action, done with ifdl as its tool on the picture (a raster picture with its hashes), whose results are annotations:
the four answers and every finding that says something. Identifiers derive from the hashes, so that the same
examination gives the same text.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from uuid import NAMESPACE_URL, uuid5

from ifdl.report.rows import DISCLAIMER, Row, Rows, answer_words, examined
from ifdl.types import PROPOSITIONS, Question

CONTEXT = {
    "kb": "http://example.org/kb/",
    "case-investigation": "https://ontology.caseontology.org/case/investigation/",
    "uco-action": "https://ontology.unifiedcyberontology.org/uco/action/",
    "uco-core": "https://ontology.unifiedcyberontology.org/uco/core/",
    "uco-observable": "https://ontology.unifiedcyberontology.org/uco/observable/",
    "uco-tool": "https://ontology.unifiedcyberontology.org/uco/tool/",
    "uco-types": "https://ontology.unifiedcyberontology.org/uco/types/",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}
TELLING = ("SUPPORTED", "INCONCLUSIVE", "FAILED")


def to_case(reports: Rows, name: str = "Examination of pictures with ifdl") -> str:
    """All reports as one CASE graph; pictures that could not be examined are left out, since nothing was found."""
    graph: dict[str, Row] = {}
    for found in examined(reports):
        graph |= {node["@id"]: node for node in _nodes(found)}
    investigation = {
        "@id": _id("investigation", *sorted(graph)),
        "@type": "case-investigation:Investigation",
        "uco-core:name": name,
        "uco-core:description": DISCLAIMER,
        "uco-core:object": [{"@id": key} for key in graph],
    }
    told = {"@context": CONTEXT, "@graph": [investigation, *graph.values()]}
    return json.dumps(told, indent=1, ensure_ascii=False) + "\n"


def _nodes(found: Row) -> Iterator[Row]:
    """The picture, the tool, what they gave, and the action that joins them."""
    item, pipeline = found["item"], found["environment"]["pipeline"]
    picture, tool = _picture(item), _tool(found["environment"])
    run = (item["sha256"], item["name"], pipeline)
    made = [*_answers(found, picture["@id"], run), *_findings(found, picture["@id"], run)]
    yield from (picture, tool, *made)
    yield {
        "@id": _id("investigative-action", *run),
        "@type": "case-investigation:InvestigativeAction",
        "uco-core:name": "examined",
        "uco-core:description": f"pipeline sha256 {pipeline}",
        "uco-action:startTime": {"@type": "xsd:dateTime", "@value": found["run"]["started"]},
        "uco-action:instrument": {"@id": tool["@id"]},
        "uco-action:object": {"@id": picture["@id"]},
        "uco-action:result": [{"@id": node["@id"]} for node in made],
    }


def _picture(item: Row) -> Row:
    key = item["sha256"], item["name"]

    def facet(kind: str, **facts: object) -> Row:
        told = {f"uco-observable:{name}": value for name, value in facts.items()}
        return {"@id": _id(kind, *key), "@type": f"uco-observable:{kind}", **told}

    hashes = [
        {
            "@id": _id("hash", method, *key),
            "@type": "uco-types:Hash",
            "uco-types:hashMethod": method,
            "uco-types:hashValue": {"@type": "xsd:hexBinary", "@value": item[method.lower()].upper()},
        }
        for method in ("SHA256", "SHA512")
    ]
    return {
        "@id": _id("raster-picture", *key),
        "@type": "uco-observable:RasterPicture",
        "uco-core:hasFacet": [
            facet("FileFacet", fileName=item["name"], sizeInBytes=item["bytes"]),
            facet("ContentDataFacet", mimeType=item["media_type"], sizeInBytes=item["bytes"], hash=hashes),
            facet(
                "RasterPictureFacet",
                pictureHeight=item["height"],
                pictureWidth=item["width"],
                pictureType=item["format"].lower(),
            ),
        ],
    }


def _tool(environment: Row) -> Row:
    return {
        "@id": _id("tool", environment["ifdl"]),
        "@type": "uco-tool:Tool",
        "uco-core:name": "ifdl",
        "uco-tool:toolType": "image forgery detection",
        "uco-tool:version": environment["ifdl"],
    }


def _answers(found: Row, picture: str, run: tuple[str, ...]) -> Iterator[Row]:
    for answer in found["verdict"]["answers"]:
        question = answer["question"]
        said = f"Asked was whether {PROPOSITIONS[Question(question)][0]}. Answer: {answer_words(answer)}."
        yield _annotation(
            _id("answer", question, *run),
            picture,
            said,
            [answer["sentence"], answer["cap"]],
            [question, answer["state"]],
        )


def _findings(found: Row, picture: str, run: tuple[str, ...]) -> Iterator[Row]:
    for number, finding in enumerate(found["verdict"]["findings"]):
        if finding["state"] not in TELLING:
            continue
        boxes = ", ".join(str(tuple(region["box"])) for region in finding["regions"])
        places = f"Regions (x, y, width, height in stored pixels): {boxes}" if boxes else ""
        harmless = [f"Harmless cause: {one['cause']} Check: {one['check']}" for one in finding["innocent"]]
        tags = [finding["question"], finding["state"], f"test:{finding['clue']}"]
        tags += ["experimental, never counted"] if finding["experimental"] else []
        key = _id("finding", str(number), finding["id"], *run)
        yield _annotation(key, picture, finding["sentence"], [places, *harmless], tags)


def _annotation(key: str, picture: str, statement: str, more: list[str], tags: list[str]) -> Row:
    told = [text for text in more if text]
    return {
        "@id": key,
        "@type": "uco-core:Annotation",
        "uco-core:object": {"@id": picture},
        "uco-core:statement": statement,
        **({"uco-core:description": told} if told else {}),
        "uco-core:tag": tags,
    }


def _id(kind: str, *parts: str) -> str:
    return f"kb:{kind}-{uuid5(NAMESPACE_URL, chr(10).join((kind, *parts)))}"
