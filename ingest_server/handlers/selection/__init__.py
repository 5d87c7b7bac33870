"""Which chunks of a document are kept: what the tasks filter and dedup are made of."""
