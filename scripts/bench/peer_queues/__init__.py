"""The same jobs through other Python queues, in their default and their fast settings, beside ours in the same rounds."""
