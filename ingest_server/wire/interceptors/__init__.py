"""What stands between gRPC and the servicers, one concern per file. The order, with its reasons, is in `server.py`."""
