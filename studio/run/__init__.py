"""`make run`: the whole installation as one command.

preflight.py refuses in one sentence before anything starts; prepare.py brings database and static files up to
date; processes.py says what runs. Two small processes keep it running, each of which imports no more than it
needs and writes nothing that it depends on: the launcher (__main__.py) watches the keeper, and the keeper
(keeper.py, with part.py, inquiry.py and log_file.py) watches the parts. If the launcher ends, all ends.
"""
