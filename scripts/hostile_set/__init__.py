"""Files made to do harm, sent to a real server, and what became of it. Run as scripts/hostile."""
