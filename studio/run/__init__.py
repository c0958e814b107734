"""`make run`: the whole installation as one command.

checks.py refuses with one sentence before anything is started; programs.py says what runs; prepare.py brings
database and static files up to date; supervisor.py starts and stops; watch.py keeps it alive.
"""
