"""One file per peer: its tasks as its workers load them, and a client that submits jobs and collects their results."""
