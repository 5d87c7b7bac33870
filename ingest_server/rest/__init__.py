"""The REST shim: an ASGI app that is a gRPC client of the server, its routes read from the contract at run time."""
