"""Cases: a folder with an index of everything examined, the analyst's notes and marks, and a log of who did what."""

from ifdl.serve.cases.search import Query
from ifdl.serve.cases.store import Case, Mark, Picture

__all__ = ["Case", "Mark", "Picture", "Query"]
