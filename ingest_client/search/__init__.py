"""Search in a database that the task `store` wrote: by words, by vector, or by both. Needs no server."""

from ingest_client.search.database import NotSearchable, SearchDatabase
from ingest_client.search.hit import Hit

__all__ = ["Hit", "NotSearchable", "SearchDatabase"]
