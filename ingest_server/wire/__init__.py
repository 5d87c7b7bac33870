"""The gRPC face of the server: everything that knows gRPC and the messages of `ingest.v1`, and nothing that decides."""
