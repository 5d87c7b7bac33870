"""Objects of an S3-compatible service: addresses, signatures (SigV4), and a client that reads and writes them as streams."""
