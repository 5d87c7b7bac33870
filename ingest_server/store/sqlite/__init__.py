"""The default store: one SQLite file, one process that writes it in group commits, readers beside it.

store.py       SqliteStore: the async face in the server process; channel.py carries its commands, reader.py answers reads
process.py     the store process: takes what waits, writer.py commits it as one, then answers
submit.py, leasing.py, settling.py, ending.py, due.py, purging.py    one verb (or two) each, inside a Transaction
state.py, lanes.py, policies.py    what the writer keeps in memory; rebuilt from the file at any time
schema.py, recovery.py             tables, migrations, checks at the start
"""
