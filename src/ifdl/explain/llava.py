"""A vision-language model on this machine, guided by the verdict's mask (RAVFE, arXiv 2603.12930).

Any of LLaVA-1.5, LLaVA-OneVision, Qwen2.5-VL, Qwen3-VL and SmolVLM; the first is the paper's. Needs the vlm extra and
weights that are here already: nothing is downloaded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from ifdl.explain import _vlm
from ifdl.types import Explanation, Picture, Verdict

MOST = 512  # new tokens, as the paper has it
NEEDS = 'a language model needs the vlm extra: pip install "ifdl[vlm]"'


def explain(picture: Picture, verdict: Verdict, name: str = "", **options: Any) -> Explanation:
    """Sentences of the model called `name` (see `load`) that findings support."""
    return Llava(load(name, **options)).tell(picture, verdict).explanation


def load(
    name: str = "",
    adapter: Path | None = None,
    progress: Callable[[str], None] = lambda said: None,
    **how: Any,
) -> Any:
    """The model of a folder, or of "owner/name@commit" in the hub's cache; "" is the paper's LLaVA-1.5 13B.

    `adapter` is a folder that `ifdl train ravfe_llava13b` wrote; `how` are fields of `ifdl.nets.ravfe.Ravfe`.
    Raises ValueError with the cure for a missing extra, missing weights, too little memory or a wrong option.
    """
    try:
        from ifdl.nets import ravfe, vlm, vlm_files
    except ImportError as error:
        raise ValueError(f"{NEEDS} ({error})") from error
    guided = ravfe.Ravfe(**how)
    model, commit = vlm_files.pinned(name)
    loaded = vlm.load(model, commit, progress)
    if adapter is not None:
        loaded = vlm.with_adapter(loaded, adapter)
    return replace(loaded, how=guided)


class Llava:
    """An explainer around a loaded model, for many pictures. `progress` is told each step."""

    def __init__(self, model: Any, progress: Callable[[str], None] = lambda said: None, most: int = MOST) -> None:
        self.model, self.progress, self.most = model, progress, most

    def tell(self, picture: Picture, verdict: Verdict) -> _vlm.Told:
        """What the model says, checked. Where the verdict marks no part, the picture is seen without a mask."""
        self.progress("looking at the picture and writing")
        mask = _vlm.marked(picture, verdict)
        text = self.model.words(_vlm.shown(picture), mask, _vlm.question(picture, verdict), self.most)
        return _vlm.told(f"llava:{self.model.name}", text, picture, verdict, cut=True)
