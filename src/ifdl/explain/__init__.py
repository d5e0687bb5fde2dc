"""Words about a Verdict. One file is one explainer: `explain(picture, verdict) -> Explanation`."""
