"""`make run`: the whole installation as one command.

preflight.py refuses in one sentence before anything starts; processes.py says what runs; prepare.py brings
database and static files up to date; supervisor.py starts and stops; watchdog.py restarts what fails.
"""
