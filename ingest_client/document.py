"""What marks the output of a job as a `Document`; `ingest_client.rendering` turns one into text."""

DOCUMENT_MEDIA_TYPE = "application/vnd.ingest.document+proto"
